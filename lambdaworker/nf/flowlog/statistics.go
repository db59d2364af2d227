package flowlog

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// every is how much time lies between two stats events, as in suricata.yaml.
const every = int64(8e9)

// statistics are counts since the stage began.
type statistics struct {
	on                                                bool
	began, last                                       int64
	packets, bytes, invalid                           uint64
	ipv4, ipv6, tcp, udp, icmp4, icmp6, vlan          uint64
	flows, flowsTCP, flowsUDP, flowsICMP4, flowsICMP6 uint64
	accepted, blocked, rejected, replaced             uint64
	alerts                                            uint64
	scratch                                           [21]eve.Stat
}

// count adds what a batch brought.
func (s *statistics) count(b *nf.Batch) {
	if s.began == 0 && len(b.Packets) > 0 {
		s.began = b.Packets[0].Time
		s.last = s.began
	}
	for i := range b.Packets {
		p := &b.Packets[i]
		s.packets++
		s.bytes += uint64(p.Wire)
		if p.Problem != packet.OK {
			s.invalid++
		}
		if p.VLANs > 0 {
			s.vlan++
		}
		switch p.Kind {
		case packet.IPv4:
			s.ipv4++
		case packet.IPv6:
			s.ipv6++
		}
		if !p.HasL4 {
			continue
		}
		switch p.Proto {
		case packet.ProtoTCP:
			s.tcp++
		case packet.ProtoUDP:
			s.udp++
		case packet.ProtoICMP:
			s.icmp4++
		case packet.ProtoICMPv6:
			s.icmp6++
		}
	}
}

// flow counts a flow's beginning.
func (s *statistics) flow(p *nf.Packet) {
	s.flows++
	switch p.Proto {
	case packet.ProtoTCP:
		s.flowsTCP++
	case packet.ProtoUDP:
		s.flowsUDP++
	case packet.ProtoICMP:
		s.flowsICMP4++
	case packet.ProtoICMPv6:
		s.flowsICMP6++
	}
}

// judge adds what became of a batch.
func (s *statistics) judge(b *nf.Batch) {
	for i, v := range b.Verdicts {
		switch v {
		case nf.Pass:
			s.accepted++
			if b.Changed[i] != nf.Nothing {
				s.replaced++
			}
		case nf.DropReject, nf.DropIDSReject:
			s.rejected++
			s.blocked++
		default:
			s.blocked++
		}
	}
}

// due raises an event when it is time for one.
func (s *statistics) due(r *Recorder, b *nf.Batch) {
	if s.began > 0 && b.Now-s.last >= every {
		s.publish(r, b)
		s.last = b.Now
	}
}

// publish raises an event with the names that Suricata's counters have.
func (s *statistics) publish(r *Recorder, b *nf.Batch) {
	n := append(s.scratch[:0],
		eve.Stat{Name: "decoder.pkts", Value: s.packets}, eve.Stat{Name: "decoder.bytes", Value: s.bytes}, eve.Stat{Name: "decoder.invalid", Value: s.invalid},
		eve.Stat{Name: "decoder.ipv4", Value: s.ipv4}, eve.Stat{Name: "decoder.ipv6", Value: s.ipv6}, eve.Stat{Name: "decoder.tcp", Value: s.tcp},
		eve.Stat{Name: "decoder.udp", Value: s.udp}, eve.Stat{Name: "decoder.icmpv4", Value: s.icmp4}, eve.Stat{Name: "decoder.icmpv6", Value: s.icmp6},
		eve.Stat{Name: "decoder.vlan", Value: s.vlan},
		eve.Stat{Name: "ips.accepted", Value: s.accepted}, eve.Stat{Name: "ips.blocked", Value: s.blocked},
		eve.Stat{Name: "ips.rejected", Value: s.rejected}, eve.Stat{Name: "ips.replaced", Value: s.replaced},
		eve.Stat{Name: "detect.alert", Value: s.alerts})
	if len(r.flows) > 0 {
		n = append(n, eve.Stat{Name: "flow.total", Value: s.flows}, eve.Stat{Name: "flow.tcp", Value: s.flowsTCP},
			eve.Stat{Name: "flow.udp", Value: s.flowsUDP}, eve.Stat{Name: "flow.icmpv4", Value: s.flowsICMP4}, eve.Stat{Name: "flow.icmpv6", Value: s.flowsICMP6}, eve.Stat{Name: "flow.active", Value: uint64(r.table.Len())})
	}
	b.Events.Commit(eve.AppendStats(b.Events.Room(), b.Now, r.name, uint64(max(b.Now-s.began, 0)/1e9), n))
}
