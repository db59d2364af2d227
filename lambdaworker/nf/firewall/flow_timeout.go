package firewall

import "time"

// FlowExpires returns when the connection of flow is forgotten if it stays silent, in ns since the Unix epoch; 0 if there is none.
func (f *Firewall) FlowExpires(flow uint32) int64 {
	if f.track == nil {
		return 0
	}
	return f.track.Expires(flow)
}

// FlowTimeout returns the longest that a connection may be silent before its state is forgotten: that of an established TCP
// connection, five days, unless timeouts say otherwise. 0 without rules that ask for it.
func (f *Firewall) FlowTimeout() time.Duration {
	if f.track == nil {
		return 0
	}
	return time.Duration(f.options.Timeouts.Longest())
}
