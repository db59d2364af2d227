package http

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// stateVersion is the first byte of an exported flow; a change of what follows changes it.
const stateVersion = 2

// carrier writes fields one after the other, or reads them: one walk over a record serves both ways, so they can't differ.
// Numbers are little-endian.
type carrier struct {
	b    []byte
	read bool
	bad  bool
	a    *arena.Arena
}

func (c *carrier) next(n int) []byte {
	if len(c.b) < n {
		c.bad = true
		return make([]byte, n) // of a state that is not well-formed; never on the packet path
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func number8[T ~uint8](c *carrier, v *T) {
	if c.read {
		*v = T(c.next(1)[0])
	} else {
		c.b = append(c.b, byte(*v))
	}
}

func (c *carrier) u16(v *uint16) {
	if c.read {
		*v = binary.LittleEndian.Uint16(c.next(2))
	} else {
		c.b = binary.LittleEndian.AppendUint16(c.b, *v)
	}
}

func (c *carrier) u32(v *uint32) {
	if c.read {
		*v = binary.LittleEndian.Uint32(c.next(4))
	} else {
		c.b = binary.LittleEndian.AppendUint32(c.b, *v)
	}
}

func (c *carrier) u64(v *uint64) {
	if c.read {
		*v = binary.LittleEndian.Uint64(c.next(8))
	} else {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
	}
}

func (c *carrier) int(v *int) {
	n := uint64(*v)
	c.u64(&n)
	*v = int(n)
}

func (c *carrier) bool(v *bool) {
	n := uint8(0)
	if *v {
		n = 1
	}
	number8(c, &n)
	*v = n != 0
}

func (c *carrier) bytes(b []byte) {
	if c.read {
		copy(b, c.next(len(b)))
	} else {
		c.b = append(c.b, b...)
	}
}

func (c *carrier) buf(b *arena.Buf) {
	n := uint32(b.Len())
	c.u32(&n)
	if !c.read {
		c.b = append(c.b, c.a.Bytes(*b)...)
		return
	}
	if uint64(n) > uint64(len(c.b)) || !c.a.Append(b, c.b[:n]) {
		c.bad = true
		return
	}
	c.b = c.b[n:]
}

func (c *carrier) side(s *side) {
	number8(c, &s.progress)
	c.buf(&s.head)
	for _, v := range [...]*uint16{&s.line, &s.skip, &s.fieldsAt, &s.parsed, &s.shown, &s.shownLen} {
		c.u16(v)
	}
	for i := range s.part {
		c.u16(&s.part[i].from)
		c.u16(&s.part[i].to)
	}
	c.buf(&s.fields)
	c.buf(&s.table)
	c.buf(&s.uri)
	c.buf(&s.body)
	for _, v := range [...]*uint64{&s.bodyOff, &s.inspected, &s.total} {
		c.u64(v)
	}
	c.bool(&s.complete)
	if c.read && !s.sound() {
		c.bad = true
	}
}

// sound reports whether the places in s are within its buffers: what Buffer slices by without asking.
func (s *side) sound() bool {
	n := s.head.Len()
	for _, v := range s.part {
		if v.from > v.to || int(v.to) > n {
			return false
		}
	}
	return s.progress <= Done && int(s.line) <= n && int(s.skip) <= n && int(s.fieldsAt) <= n && int(s.parsed) <= n &&
		int(s.shownLen) <= s.fields.Len() && n <= maxHead && s.fields.Len() <= maxHead && s.bodyOff <= s.total+1<<20 && s.total < 1<<62
}

func (c *carrier) tx(t *Tx) {
	c.u64(&t.ID)
	c.u16(&t.Status)
	number8(c, &t.method)
	c.bool(&t.simple)
	c.bool(&t.unseen)
	c.side(&t.side[0])
	c.side(&t.side[1])
}

func (c *carrier) layer(l *layer) {
	number8(c, &l.kind)
	c.u16(&l.n)
	if l.n > replayMax {
		c.bad = true
		return
	}
	c.bytes(l.head[:l.n])
	number8(c, &l.flags)
	c.u16(&l.skip)
	c.u32(&l.made)
	if c.read && (l.kind > spent || l.kind == unsure && l.n >= headBytes) {
		c.bad = true
	}
}

func (c *carrier) inflater(z *inflater) {
	c.u32(&z.at)
	c.bool(&z.full)
	c.u64(&z.bits)
	n := uint32(z.n)
	c.u32(&n)
	z.n = uint(n)
	number8(c, &z.state)
	c.bool(&z.final)
	for _, v := range [...]*int{&z.length, &z.dist, &z.nlit, &z.ndist, &z.nclen, &z.have} {
		c.int(v)
	}
	e := uint32(z.extra)
	c.u32(&e)
	z.extra = uint(e)
	c.bytes(z.lens[:])
	c.bytes(z.clens[:])
	if c.read && !z.sound() {
		c.bad = true
		return
	}
	if z.full {
		c.bytes(z.window[:])
	} else {
		c.bytes(z.window[:z.at])
	}
	if c.read {
		z.rebuild()
	}
}

// sound reports whether an inflater's numbers are such as it makes itself.
func (z *inflater) sound() bool {
	return z.at <= 1<<15 && z.n <= 64 && z.state <= broken && z.length >= 0 && z.length <= 1<<16 && z.dist >= 0 && z.dist <= 1<<15 &&
		z.extra <= 13 && z.nlit >= 0 && z.nlit <= 288 && z.ndist >= 0 && z.ndist <= 32 && z.nclen >= 0 && z.nclen <= 19 &&
		z.have >= 0 && z.have <= 320 && (z.state != match || z.full || z.dist <= int(z.at)) && (z.state != codeLengths || z.have < z.nclen)
}

// rebuild makes the tables of the state again: they follow from the lengths that were read.
func (z *inflater) rebuild() {
	for i := range z.lens {
		z.lens[i] &= 15
	}
	for i := range z.clens {
		z.clens[i] &= 7
	}
	switch z.state {
	case symbol, lengthExtra, distance, distanceExtra, match:
		if !z.tables() {
			z.state = broken
		}
	case tableLengths:
		if !z.lit.build(z.clens[:], false) {
			z.state = broken
		}
	}
}

// AppendState appends all that is known of flow, as versioned bytes, to b. It appends nothing if nothing is known. Bodies
// make it large: at the most the limits of Config for each transaction, and 33 KiB for each encoding that is being undone.
func (p *Parser) AppendState(flow uint32, b []byte) []byte {
	cn := p.conns.Get(flow)
	if cn == nil {
		return b
	}
	c := carrier{b: append(b, stateVersion), a: p.arena}
	c.u64(&cn.nextID)
	c.u32(&cn.count)
	for s := cn.first; s != None; s = p.txs[s].next {
		c.tx(&p.txs[s])
	}
	for d := range cn.way {
		w := &cn.way[d]
		which := None // the transaction that is read, by its place in the list
		k := uint32(0)
		for s := cn.first; s != None; s = p.txs[s].next {
			if s == w.tx {
				which = k
			}
			k++
		}
		p.carryWay(&c, w, &which)
	}
	return c.b
}

func (p *Parser) carryWay(c *carrier, w *way, which *uint32) {
	number8(c, &w.state)
	c.bool(&w.closed)
	c.bool(&w.bad)
	c.u32(which)
	c.u64(&w.left)
	c.buf(&w.line)
	depth := uint8(0)
	if w.chain != 0 {
		depth = p.chains[w.chain-1].depth
	}
	number8(c, &depth)
	if c.read && (depth > maxLayers || w.state > waiting) {
		c.bad = true
		return
	}
	if depth == 0 || c.read && !p.newChain(w) {
		c.bad = c.bad || depth > 0
		return
	}
	h := &p.chains[w.chain-1]
	h.depth = depth
	for i := range h.layers[:depth] {
		l := &h.layers[i]
		c.layer(l)
		has := l.z != 0
		c.bool(&has)
		if c.bad || (l.kind == deflating || l.kind == guessing) && !has {
			c.bad = true
			return
		}
		if has {
			if c.read && !p.startInflate(l) {
				c.bad = true
				return
			}
			c.inflater(p.inflaters[l.z-1])
		}
	}
}

// ApplyState replaces what is known of flow by what AppendState wrote. It reports false, and knows nothing of the flow afterwards,
// if state is not well-formed or there is no room.
func (p *Parser) ApplyState(flow uint32, state []byte) bool {
	p.Forget(flow)
	if len(state) == 0 || state[0] != stateVersion || p.connOf(flow) == nil {
		return false
	}
	if !p.apply(flow, state[1:]) {
		p.Forget(flow)
		return false
	}
	return true
}

func (p *Parser) apply(flow uint32, b []byte) bool {
	cn := p.conns.Get(flow)
	c := carrier{b: b, read: true, a: p.arena}
	var nextID uint64
	var count uint32
	c.u64(&nextID)
	c.u32(&count)
	if count > uint32(p.cfg.PerFlow) {
		return false
	}
	for range count {
		slot := p.newTx(cn)
		if slot == None {
			return false
		}
		if c.tx(&p.txs[slot]); c.bad {
			return false
		}
	}
	cn.nextID = nextID
	for d := range cn.way {
		w := &cn.way[d]
		which := None
		p.carryWay(&c, w, &which)
		if c.bad {
			return false
		}
		w.tx = None
		for s := cn.first; s != None && which != None; s = p.txs[s].next {
			if which == 0 {
				w.tx = s
				break
			}
			which--
		}
	}
	return len(c.b) == 0
}
