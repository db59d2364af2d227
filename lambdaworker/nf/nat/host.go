package nat

import (
	"github.com/granule-nf/granule/flowhash"
)

// host is an address inside that has mappings.
type host struct {
	addr    uint64
	vlan    uint64
	ports   int32
	blocks  uint32 // number of its first block and one more; 0 for none
	leases  int32
	warned  int64 // when it was last said that it has no port left
	address int32 // the outside one that it had first (paired pooling, RFC 4787 REQ-2)
	used    bool
}

// block is a run of ports of one address that one host has leased.
type block struct {
	host uint32 // number and one more; 0 is free
	used int32  // ports
	next uint32 // of the host: number and one more
}

// pool says which host has which ports.
type pool struct {
	o         *checked
	addresses []uint64
	sets      [][4]portset // by address: of TCP, UDP, ICMP and UDP-Lite
	hosts     []host
	free      []uint32
	byAddr    index
	seed      uint64
	blocks    []block
	per       int // blocks of an address
	leased    int
	hostCount int
	perHost   int // ports of a host, where they follow from its address
	onLease   func(event string, addr uint64, address int, first, last int)
}

func newPool(o *checked, seed uint64) pool {
	n := o.Sessions
	p := pool{o: o, sets: make([][4]portset, len(o.Addresses)), hosts: make([]host, n), free: make([]uint32, n), byAddr: newIndex(n), seed: flowhash.Derive(seed, 0x706f6f6c)}
	for _, a := range o.Addresses {
		p.addresses = append(p.addresses, addrOf(a))
	}
	for i := range p.free {
		p.free[i] = uint32(n - 1 - i)
	}
	ports := o.last - o.first + 1
	if o.Block > 0 {
		p.per = (ports + o.Block - 1) / o.Block // the last one may be shorter
		p.blocks = make([]block, p.per*len(o.Addresses))
	}
	if o.Deterministic {
		hosts := 0
		for _, x := range o.Inside {
			hosts += 1 << (32 - x.Bits())
		}
		p.perHost = ports * len(o.Addresses) / hosts
	}
	for _, f := range o.forwards {
		if set := portsOf(f.proto); set >= 0 {
			p.sets[f.address][set].take(f.port)
		}
	}
	return p
}

// hash is of a host, or of one of its ports.
func (p *pool) hash(a, b, c uint64) uint64 { return flowhash.Of(&[6]uint64{a, b, c}, p.seed) }

// hostOf returns the host of an address, made if it was not there; none if there is no room.
func (p *pool) hostOf(addr, vlan uint64) uint32 {
	tag := uint32(p.hash(addr, vlan, 0) >> 32)
	for at := tag & p.byAddr.mask; p.byAddr.slots[at].ref != 0; at = (at + 1) & p.byAddr.mask {
		if s := p.byAddr.slots[at]; s.tag == tag {
			if h := &p.hosts[s.ref-1]; h.addr == addr && h.vlan == vlan {
				return s.ref - 1
			}
		}
	}
	if len(p.free) == 0 {
		return none
	}
	id := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.hosts[id] = host{addr: addr, vlan: vlan, used: true, address: int32(p.hash(addr, vlan, 1) % uint64(len(p.addresses)))}
	p.byAddr.put(tag, id)
	p.hostCount++
	return id
}

// leave forgets a host that has nothing any more.
func (p *pool) leave(id uint32) {
	if h := &p.hosts[id]; h.ports == 0 && h.blocks == 0 {
		p.byAddr.remove(uint32(p.hash(h.addr, h.vlan, 0)>>32), id)
		*h = host{}
		p.free = append(p.free, id)
		p.hostCount--
	}
}

// choose takes a port for one of the host's own, by chance but the same one whenever the same are free: two workers that know
// nothing of each other mostly choose alike.
func (p *pool) choose(id uint32, own uint16, set int) (address int, port uint16, ok bool) {
	h := &p.hosts[id]
	if int(h.ports) >= p.o.HostPorts {
		return 0, 0, false
	}
	chance := p.hash(h.addr<<16|uint64(own), h.vlan, 2+uint64(set))
	switch {
	case p.perHost > 0:
		address, port, ok = p.assigned(h, own, set, chance)
	case p.per > 0:
		return p.chooseInBlocks(id, own, set, chance)
	default:
		for n := range p.addresses { // its own first; when that has none left, better another than none
			address = (int(h.address) + n) % len(p.addresses)
			if port, ok = p.within(address, set, p.o.first, p.o.last, own, chance); ok {
				break
			}
		}
	}
	if ok {
		h.ports++
	}
	return address, port, ok
}

func (p *pool) within(address, set, first, last int, own uint16, chance uint64) (uint16, bool) {
	s := &p.sets[address][set]
	port, ok := s.find(first, last, first+int(chance>>16%uint64(last-first+1)), own)
	if ok {
		s.take(port)
	}
	return port, ok
}

// assigned: the ports of a host follow from its place among all hosts (deterministic NAT, RFC 7422).
func (p *pool) assigned(h *host, own uint16, set int, chance uint64) (int, uint16, bool) {
	at := 0
	for _, x := range p.o.Inside {
		first := addrOf(x.Masked().Addr())
		if n := 1 << (32 - x.Bits()); h.addr >= first && h.addr < first+uint64(n) {
			at += int(h.addr - first)
			per := (p.o.last - p.o.first + 1) / p.perHost
			if at/per >= len(p.addresses) {
				return 0, 0, false
			}
			first := p.o.first + at%per*p.perHost
			port, ok := p.within(at/per, set, first, first+p.perHost-1, own, chance)
			return at / per, port, ok
		} else {
			at += n
		}
	}
	return 0, 0, false
}

// span is the ports of a block.
func (p *pool) span(n int) (address, first, last int) {
	first = p.o.first + n%p.per*p.o.Block
	return n / p.per, first, min(first+p.o.Block-1, p.o.last)
}

func (p *pool) chooseInBlocks(id uint32, own uint16, set int, chance uint64) (int, uint16, bool) {
	h := &p.hosts[id]
	for at := h.blocks; at != 0; at = p.blocks[at-1].next {
		address, first, last := p.span(int(at - 1))
		if port, ok := p.within(address, set, first, last, own, chance); ok {
			p.blocks[at-1].used++
			h.ports++
			return address, port, true
		}
	}
	if int(h.leases) >= p.o.Leases {
		return 0, 0, false
	}
	// A block of its own address, if there is one.
	start := int(p.hash(h.addr, h.vlan, uint64(h.leases)+8) % uint64(p.per))
	for n := range p.addresses {
		of := (int(h.address) + n) % len(p.addresses) * p.per
		for i := range p.per {
			at := of + (start+i)%p.per
			if p.blocks[at].host != 0 {
				continue
			}
			address, first, last := p.span(at)
			port, ok := p.within(address, set, first, last, own, chance)
			if !ok { // what leads inside has all of it
				continue
			}
			p.lease(id, at)
			p.blocks[at].used++
			h.ports++
			return address, port, true
		}
	}
	return 0, 0, false
}

func (p *pool) lease(id uint32, at int) {
	h := &p.hosts[id]
	p.blocks[at] = block{host: id + 1, next: h.blocks}
	h.blocks = uint32(at) + 1
	h.leases++
	p.leased++
	p.tell("lease", h, at)
}

func (p *pool) tell(event string, h *host, at int) {
	if p.onLease != nil && p.o.LogLeases {
		address, first, last := p.span(at)
		p.onLease(event, h.addr, address, first, last)
	}
}

// take notes a port that an imported session's mapping has. Where its block is another host's, which happens between workers, both keep what they have.
func (p *pool) take(id uint32, out uint64, set int) {
	p.hosts[id].ports++
	address := p.addressOf(out >> 16)
	if address < 0 || set < 0 {
		return
	}
	port := uint16(out)
	p.sets[address][set].take(port)
	if at := p.blockOf(address, port); at >= 0 {
		if p.blocks[at].host == 0 {
			told := p.onLease
			p.onLease = nil // it was told when it was leased
			p.lease(id, at)
			p.onLease = told
		}
		if p.blocks[at].host == id+1 {
			p.blocks[at].used++
		}
	}
}

// give returns the port of a mapping that has ended.
func (p *pool) give(id uint32, out uint64, set int) {
	h := &p.hosts[id]
	h.ports--
	address := p.addressOf(out >> 16)
	port := uint16(out)
	if address >= 0 && set >= 0 {
		p.sets[address][set].give(port)
		if at := p.blockOf(address, port); at >= 0 && p.blocks[at].host == id+1 {
			if p.blocks[at].used--; p.blocks[at].used == 0 {
				p.release(id, at)
			}
		}
	}
	p.leave(id)
}

func (p *pool) release(id uint32, at int) {
	h := &p.hosts[id]
	p.tell("release", h, at)
	for link := &h.blocks; *link != 0; link = &p.blocks[*link-1].next {
		if int(*link-1) == at {
			*link = p.blocks[at].next
			break
		}
	}
	p.blocks[at] = block{}
	h.leases--
	p.leased--
}

func (p *pool) blockOf(address int, port uint16) int {
	if p.per == 0 || int(port) < p.o.first || int(port) > p.o.last {
		return -1
	}
	return address*p.per + (int(port)-p.o.first)/p.o.Block
}

// addressOf is the number of an outside address, -1 if it is none of them.
func (p *pool) addressOf(addr uint64) int {
	for i, a := range p.addresses {
		if a == addr {
			return i
		}
	}
	return -1
}
