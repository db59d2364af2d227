package counter

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// count is packets and bytes.
type count struct{ Packets, Bytes uint64 }

func (c *count) add(d count) {
	c.Packets += d.Packets
	c.Bytes += d.Bytes
}

// cells count by side, network layer and protocol at once, so a packet touches one; every sum is made when it is asked for. What was
// counted since the last delta stands apart: a delta is then a list of the cells that are not zero.
type cells struct {
	pending [numCells]count
	total   [numCells]count // what was in deltas, and what other instances counted
	touched []uint16        // cells pending
}

const numCells = 2 * 4 * 256 // side, kind, protocol

// cellOf makes do with shifts: there are three kinds.
func cellOf(p *nf.Packet) uint16 {
	return uint16(p.From&1)<<10 | uint16(p.Kind&3)<<8 | uint16(p.Proto)
}

func (c *cells) each(f func(side nf.Side, kind packet.Kind, proto uint8, n count)) {
	for i := range c.total {
		n := c.total[i]
		n.add(c.pending[i])
		if n.Packets > 0 {
			f(nf.Side(i>>10), packet.Kind(i>>8&3), uint8(i), n)
		}
	}
}

// sizes is the histogram of frame lengths on the wire, by power of two as RFC 2819 (etherStats) has them.
type sizes struct{ pending, total [7]uint64 }

var sizeNames = [7]string{"size_0_63", "size_64_127", "size_128_255", "size_256_511", "size_512_1023", "size_1024_2047", "size_2048_up"}

// vlans count by outermost VLAN id.
type vlans struct {
	pending, total [4096]count
	touched        []uint16
}

func (v *vlans) add(id uint16, n count) {
	if v.pending[id].Packets == 0 {
		v.touched = append(v.touched, id)
	}
	v.pending[id].add(n)
}
