package nat

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// tries is how many ports a new connection looks at, at most, before it is refused.
const tries = 2048

// leases say which host has which block of ports. A host leases a block with the first connection that needs it and has it until the last one
// that uses it is forgotten. Where it looks for a free block depends on its address and the seed alone, so that an instance that
// imported the connections goes on as the one that made them.
type leases struct {
	addresses [][4]byte
	first     int
	size      int // ports of a block
	per       int // blocks of an address
	most      int // blocks of a host
	seed      uint64
	blocks    []block
	leased    int
}

type block struct {
	host [4]byte
	used int32 // connections; 0 is free
}

func newLeases(o *Options, first, last int, seed uint64) leases {
	l := leases{first: first, size: o.Block, per: (last - first + 1) / o.Block, most: o.Leases, seed: seed}
	for _, a := range o.Addresses {
		l.addresses = append(l.addresses, a.As4())
	}
	l.blocks = make([]block, l.per*len(l.addresses))
	return l
}

func (l *leases) owns(a [4]byte) bool {
	for _, x := range l.addresses {
		if x == a {
			return true
		}
	}
	return false
}

// found is a port that was taken.
type found struct {
	ok, fresh bool // fresh: its block was leased with it
	block     int
}

// find offers ports of the host's blocks to take, in an order that starts where the connection's own port would be, until take accepts one.
func (l *leases) find(host [4]byte, own uint16, take func(address [4]byte, port uint16) bool) found {
	x := uint64(binary.BigEndian.Uint32(host[:])) ^ l.seed
	x = (x ^ x>>31) * 0x9e3779b97f4a7c15
	start := int((x >> 32) % uint64(len(l.blocks)))
	budget, mine := tries, 0
	for i := 0; i < len(l.blocks) && mine < l.most && budget > 0; i++ {
		n := (start + i) % len(l.blocks)
		k := &l.blocks[n]
		if k.used > 0 && k.host != host {
			if i > tries {
				break // the pool is as good as empty
			}
			continue
		}
		mine++
		base := l.first + n%l.per*l.size
		for j := 0; j < l.size && budget > 0; j++ {
			budget--
			if take(l.addresses[n/l.per], uint16(base+(int(own)+j)%l.size)) {
				fresh := k.used == 0
				l.use(n, host)
				return found{true, fresh, n}
			}
		}
	}
	return found{}
}

func (l *leases) use(n int, host [4]byte) {
	k := &l.blocks[n]
	if k.used == 0 {
		k.host = host
		l.leased++
	}
	k.used++
}

// take notes a port that an imported connection has. Where its block is another host's, which happens between workers, the connection
// keeps its port and the block its host.
func (l *leases) take(host, address [4]byte, port uint16) {
	if n, ok := l.blockOf(address, port); ok {
		l.use(n, host)
	}
}

// give returns a connection's port.
func (l *leases) give(address [4]byte, port uint16) {
	if n, ok := l.blockOf(address, port); ok && l.blocks[n].used > 0 {
		if l.blocks[n].used--; l.blocks[n].used == 0 {
			l.blocks[n] = block{}
			l.leased--
		}
	}
}

func (l *leases) blockOf(address [4]byte, port uint16) (int, bool) {
	n := (int(port) - l.first) / l.size
	if int(port) < l.first || n >= l.per {
		return 0, false
	}
	for i, a := range l.addresses {
		if a == address {
			return i*l.per + n, true
		}
	}
	return 0, false
}

// event says who leased what: the one line a provider has to keep, and not one a connection.
func (l *leases) event(line []byte, p *nf.Packet, n int) []byte {
	line = eve.Begin(line, p, "nat")
	line = append(line, `,"nat":{"event":"lease","host":"`...)
	line = netip.AddrFrom4(l.blocks[n].host).AppendTo(line)
	line = append(line, `","address":"`...)
	line = netip.AddrFrom4(l.addresses[n/l.per]).AppendTo(line)
	base := l.first + n%l.per*l.size
	line = append(line, `","first_port":`...)
	line = strconv.AppendInt(line, int64(base), 10)
	line = append(line, `,"last_port":`...)
	line = strconv.AppendInt(line, int64(base+l.size-1), 10)
	return eve.End(append(line, '}'))
}
