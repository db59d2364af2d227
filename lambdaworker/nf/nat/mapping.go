package nat

import (
	"math/bits"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
)

// none is no mapping, and no host.
const none = ^uint32(0)

// mapping is what an inside address and port look like outside, whatever they talk to (endpoint-independent mapping, RFC 4787 REQ-1). It lives
// while it has sessions.
type mapping struct {
	in, out  uint64 // address and port: a<<16 | p
	vlan     uint64
	host     uint32
	sessions uint32
	proto    uint8
	used     bool
}

// mappingBytes is what a mapping and its host take at most: entries and up to four slots of each of their keys.
const mappingBytes = 40 + 48 + 3*4*8

// index finds numbers by hashes of what they stand for. Whoever uses it compares.
type index struct {
	slots []struct{ tag, ref uint32 } // ref is the number and one more
	mask  uint32
}

func newIndex(n int) index {
	size := uint32(1) << bits.Len32(uint32(max(n, 4))*2-1)
	return index{make([]struct{ tag, ref uint32 }, size), size - 1}
}

func (x *index) put(tag, number uint32) {
	at := tag & x.mask
	for x.slots[at].ref != 0 {
		at = (at + 1) & x.mask
	}
	x.slots[at].tag, x.slots[at].ref = tag, number+1
}

func (x *index) remove(tag, number uint32) {
	at := tag & x.mask
	for x.slots[at].ref != number+1 {
		if x.slots[at].ref == 0 {
			return
		}
		at = (at + 1) & x.mask
	}
	hole := at
	for next := (at + 1) & x.mask; x.slots[next].ref != 0; next = (next + 1) & x.mask {
		if home := x.slots[next].tag & x.mask; (next-home)&x.mask >= (next-hole)&x.mask {
			x.slots[hole] = x.slots[next]
			hole = next
		}
	}
	x.slots[hole].ref = 0
}

// mappings has all of them, by either end.
type mappings struct {
	all   []mapping
	free  []uint32
	in    index
	out   index
	seed  uint64
	count int
}

func newMappings(n int, seed uint64) mappings {
	m := mappings{all: make([]mapping, n), free: make([]uint32, n), in: newIndex(n), out: newIndex(n), seed: flowhash.Derive(seed, 0x6d617070696e6773)}
	for i := range m.free {
		m.free[i] = uint32(n - 1 - i)
	}
	return m
}

func joined(e translate.End) uint64 { return e.Lo<<16 | uint64(e.Port) }

func split(x uint64) translate.End { return translate.End{Lo: x >> 16, Port: uint16(x)} }

func (m *mappings) tag(end, vlan uint64, proto uint8) uint32 {
	return uint32(flowhash.Of(&[6]uint64{end, vlan, uint64(proto)}, m.seed) >> 32)
}

// byIn returns the mapping of an inside end, none if it has none; byOut that of an outside end.
func (m *mappings) byIn(end, vlan uint64, proto uint8) uint32 {
	tag := m.tag(end, vlan, proto)
	for at := tag & m.in.mask; m.in.slots[at].ref != 0; at = (at + 1) & m.in.mask {
		if s := m.in.slots[at]; s.tag == tag {
			if k := &m.all[s.ref-1]; k.in == end && k.vlan == vlan && k.proto == proto {
				return s.ref - 1
			}
		}
	}
	return none
}

func (m *mappings) byOut(end, vlan uint64, proto uint8) uint32 {
	tag := m.tag(end, vlan, proto)
	for at := tag & m.out.mask; m.out.slots[at].ref != 0; at = (at + 1) & m.out.mask {
		if s := m.out.slots[at]; s.tag == tag {
			if k := &m.all[s.ref-1]; k.out == end && k.vlan == vlan && k.proto == proto {
				return s.ref - 1
			}
		}
	}
	return none
}

// add makes a mapping without sessions; none if there is no room.
func (m *mappings) add(in, out, vlan uint64, proto uint8, host uint32) uint32 {
	if len(m.free) == 0 {
		return none
	}
	id := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	m.all[id] = mapping{in: in, out: out, vlan: vlan, host: host, proto: proto, used: true}
	m.in.put(m.tag(in, vlan, proto), id)
	m.out.put(m.tag(out, vlan, proto), id)
	m.count++
	return id
}

func (m *mappings) remove(id uint32) {
	k := &m.all[id]
	m.in.remove(m.tag(k.in, k.vlan, k.proto), id)
	m.out.remove(m.tag(k.out, k.vlan, k.proto), id)
	*k = mapping{}
	m.free = append(m.free, id)
	m.count--
}

// portsOf says which set of ports a protocol has; -1 for those whose ports, if they have any, are left as they are.
func portsOf(proto uint8) int {
	switch proto {
	case packet.ProtoTCP:
		return 0
	case packet.ProtoUDP:
		return 1
	case packet.ProtoICMP:
		return 2
	case packet.ProtoUDPLite:
		return 3
	}
	return -1
}
