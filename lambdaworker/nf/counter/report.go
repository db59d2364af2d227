package counter

import (
	"fmt"
	"math"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// protocols that are counted by name; all others are "other".
var protocols = map[uint8]string{
	packet.ProtoICMP: "icmp", packet.ProtoIGMP: "igmp", packet.ProtoTCP: "tcp", packet.ProtoUDP: "udp", packet.ProtoGRE: "gre",
	packet.ProtoESP: "esp", packet.ProtoAH: "ah", packet.ProtoICMPv6: "icmpv6", packet.ProtoSCTP: "sctp", packet.ProtoUDPLite: "udplite",
}

// Report tells sums of everything counted so far. Rates are those at the time of the last packet or tick.
func (c *Counter) Report(r *nf.Report) {
	add := func(name string, n count) {
		r.Counters[name+"_packets"] += int64(n.Packets)
		r.Counters[name+"_bytes"] += int64(n.Bytes)
	}
	r.Counters["packets"], r.Counters["bytes"] = 0, 0
	c.cells.each(func(side nf.Side, kind packet.Kind, proto uint8, n count) {
		r.Counters["packets"] += int64(n.Packets)
		r.Counters["bytes"] += int64(n.Bytes)
		add([]string{"from_inside", "from_outside"}[side], n)
		add([]string{"non_ip", "ipv4", "ipv6"}[kind], n)
		if kind == packet.NotIP {
			return
		}
		if name, ok := protocols[proto]; ok {
			add(name, n)
		} else {
			add("other", n)
		}
	})
	for i, name := range sizeNames {
		r.Counters[name] = int64(c.sizes.pending[i] + c.sizes.total[i])
	}
	if c.vlans != nil {
		for id := range c.vlans.total {
			n := c.vlans.total[id]
			n.add(c.vlans.pending[id])
			if n.Packets > 0 {
				add(fmt.Sprintf("vlan_%d", id), n)
			}
		}
	}
	r.Counters["packets_per_second"] = int64(math.Round(c.rate.packetsPerSecond()))
	r.Counters["bits_per_second"] = int64(math.Round(c.rate.bitsPerSecond()))
	if len(c.limits.all) > 0 {
		r.Counters["thresholds_passed"] = int64(c.limits.raised)
	}
	if c.top != nil {
		r.Top = c.top.flows(c.options.Top)
	}
}
