package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
)

// StateVersion tells records of this version from others.
func (f *Firewall) StateVersion() uint16 { return conntrack.RecordVersion }

// AppendFlow appends the connection of flow. The verdict cache is not part of it: it is found again.
func (f *Firewall) AppendFlow(dst []byte, flow uint32) []byte {
	if f.track == nil {
		return dst
	}
	return f.track.AppendRecord(dst, flow)
}

// ApplyFlow replaces the connection of flow.
func (f *Firewall) ApplyFlow(flow uint32, data []byte) error {
	f.ForgetFlow(flow)
	if f.track == nil {
		return nil // the rules of this generation don't ask for ct state
	}
	err := f.track.ApplyRecord(flow, data)
	f.flows.SetClass(flow, f.track.Class(flow))
	return err
}

// ForgetFlow empties what is known of flow.
func (f *Firewall) ForgetFlow(flow uint32) {
	if int(flow) < len(f.cache) {
		f.cache[flow] = [2]cached{}
	}
	if f.track != nil {
		f.track.Forget(flow)
	}
}
