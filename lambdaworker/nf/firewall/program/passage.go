package program

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// dependency says what a verdict depended on besides the flow.
type dependency uint8

const (
	DepFlags  dependency = 1 << iota // TCP flags
	DepAlways                        // something that no two packets share for sure
)

// PathCounters is how many counters a path may pass and still be kept: it makes an entry 32 bytes, a flow's two 64.
const PathCounters = 5

// Path is what happened to the packet that is being judged.
type Path struct {
	Counters [PathCounters]int32
	N        uint8
	Deps     dependency
}

func (m *Machine) mark(d dependency) { m.Path.Deps |= d }

func (m *Machine) depend(fl ruleset.Field) { m.Path.Deps |= dependsOn[fl] }

// dependsOn says which fields are not the flow's own.
var dependsOn = func() (d [ruleset.NumFields]dependency) {
	for fl := range d {
		switch ruleset.Field(fl) {
		case ruleset.IP4Src, ruleset.IP4Dst, ruleset.IP6Src, ruleset.IP6Dst, ruleset.IP4Protocol, ruleset.IP6NextHeader, ruleset.MetaL4Proto, ruleset.MetaNFProto, ruleset.TransportSrc, ruleset.TransportDst, ruleset.CTState, ruleset.VLANID,
			ruleset.InIface, ruleset.OutIface, ruleset.IP6HasFragment, ruleset.IP4Version, ruleset.IP6Version, ruleset.MetaProtocol, ruleset.MetaMark:
		case ruleset.TCPFlags:
			d[fl] = DepFlags
		default:
			d[fl] = DepAlways
		}
	}
	return d
}()
