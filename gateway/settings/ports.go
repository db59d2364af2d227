package settings

import (
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/spf13/pflag"
)

// Ports names both sides: an interface each, or "pcap:FILE" each, the inside one to read and the outside to write.
type Ports struct {
	Inside, Outside string
	XDP             afxdp.WireConfig // but for the interfaces
	Parked          int              // frames that can be parked, per queue and side
}

// CapturePath returns the file of a "pcap:" port.
func CapturePath(port string) (string, bool) { return strings.CutPrefix(port, "pcap:") }

// LoadPorts resolves the settings as Load does, but asks nothing of the chains: what doctor looks at. The errors are those of Load.
func (s *Run) LoadPorts(fs *pflag.FlagSet, lookup Lookup) (Ports, Fleet, error) {
	var keys []chain.Key
	if s.config != "" {
		cfg, err := chain.Load(s.config)
		if cfg == nil {
			return Ports{}, Fleet{}, err
		}
		keys = cfg.Keys // what is wrong with chains is `granule check`'s to say
	}
	if err := resolve(fs, keys, lookup); err != nil {
		return Ports{}, Fleet{}, err
	}
	if err := s.cloud(); err != nil {
		return Ports{}, Fleet{}, err
	}
	return Ports{Inside: s.inside, Outside: s.outside, XDP: s.wire(), Parked: s.slots}, s.fleet, nil
}

// wire is how the two interfaces become ports.
func (s *Run) wire() afxdp.WireConfig {
	x := afxdp.WireConfig{Instance: s.instance, FailOpen: s.onProcessFailure == "open", LeaveRelay: s.leaveRelay,
		Mode: xdpprog.Native, AllowGeneric: s.xdpMode == "auto", Override: s.allowPort, Jumbo: s.jumbo, AllowPrivateBPFFS: s.privateBPFFS}
	if s.xdpMode == "generic" {
		x.Mode = xdpprog.Generic
	}
	x.Port.ZeroCopy, x.Port.FillRing = s.zeroCopy, min(2048, powerOfTwo(s.slots/2))
	return x
}

func powerOfTwo(n int) int {
	p := 64
	for p*2 <= n {
		p *= 2
	}
	return p
}
