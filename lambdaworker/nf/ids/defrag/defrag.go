package defrag

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// Config is how a Defragmenter works. The zero value of every field but Arena stands for its default, in parentheses.
type Config struct {
	Arena     *arena.Arena // where fragments wait
	Datagrams int          // put together at once (1024); the one that waited longest gives way
	Fragments int          // waiting fragments of all datagrams together (8192)
	Timeout   int64        // ns after the first fragment of a datagram until it is given up (60 s)

	Flows   int               // handles are below it; 0 where nothing is to move
	Changed func(flow uint32) // told of the flows whose AppendState says something else now; may be nil
}

// maxPerDatagram bounds the fragments of one datagram: lists are walked.
const maxPerDatagram = 1024

// Stats are counters of a Defragmenter since its start.
type Stats struct {
	Fragments uint64
	Datagrams uint64 // put together
	Overlaps  uint64 // fragments with bytes that overlap others
	TimedOut  uint64
	Evicted   uint64 // gave way to newer ones: Datagrams or Fragments were used up
	NoMemory  uint64 // fragments that found no room in the arena
	Bad       uint64 // fragments whose offsets or lengths can't be, or that are not carried whole
}

// key names a datagram: addresses, identification, protocol (IPv4 only) and VLAN ids.
type key struct {
	a, b [16]byte
	id   uint32
	vlan [2]uint16
	v6   bool
	prot uint8
}

// datagram is one that is being put together.
type datagram struct {
	key          key
	began        int64
	total        int       // bytes of data, -1 until the last fragment is there
	head         arena.Buf // link header and unfragmentable part of the fragment at offset 0
	hasHead      bool
	l3           uint16 // where the network header begins in head
	next         uint8  // IPv6: protocol behind the fragment header
	patch        uint16 // IPv6: where in head that goes
	data         arena.Buf
	first        uint32 // fragments by start, then end: records of the pool + 1
	count        int
	older, newer uint32 // by age, record + 1
	chain        uint32 // next of the same bucket, record + 1
	flow         uint32 // that of its first fragment
	above, below uint32 // the newer and the older one of the same flow, record + 1
	used         bool
}

type fragment struct {
	from, to int
	next     uint32
}

// Defragmenter puts datagrams together. It is used by one goroutine.
type Defragmenter struct {
	cfg            Config
	arena          *arena.Arena
	all            []datagram
	free           uint32
	buckets        []uint32
	oldest, newest uint32
	of             []uint32 // by flow: its newest datagram, record + 1
	pool           []fragment
	freeFragment   uint32
	mixed          []byte
	frame          []byte
	info           packet.Info
	stats          Stats
}

// New makes a defragmenter.
func New(cfg Config) *Defragmenter {
	if cfg.Datagrams == 0 {
		cfg.Datagrams = 1024
	}
	if cfg.Fragments == 0 {
		cfg.Fragments = 8192
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 60e9
	}
	d := &Defragmenter{cfg: cfg, arena: cfg.Arena, all: make([]datagram, cfg.Datagrams), pool: make([]fragment, cfg.Fragments)}
	size := 16
	for size < 2*cfg.Datagrams {
		size *= 2
	}
	d.buckets, d.of = make([]uint32, size), make([]uint32, cfg.Flows)
	for i := range d.all {
		d.all[i].chain = uint32(i)
	}
	d.free = uint32(len(d.all))
	for i := range d.pool {
		d.pool[i].next = uint32(i)
	}
	d.freeFragment = uint32(len(d.pool))
	d.mixed = make([]byte, 1<<16)
	d.frame = make([]byte, 0, 2<<16)
	return d
}

// Stats returns the counters.
func (d *Defragmenter) Stats() Stats { return d.stats }

// Waiting returns the number of datagrams that are being put together.
func (d *Defragmenter) Waiting() (n int) {
	for i := d.oldest; i != 0; i = d.all[i-1].newer {
		n++
	}
	return n
}

// Add takes a fragment (in.Frag is set) that arrived at time in flow, the one of addresses and protocol alone. When it completes its datagram, frame is the whole: the link
// header and the network header of the fragment at offset 0 with lengths, fragment fields and IPv4 checksum put right (the IPv6
// fragment header is taken out), and all data; valid until the next Add. info is its parse.
func (d *Defragmenter) Add(flow uint32, in *packet.Info, data []byte, time int64) (frame []byte, info *packet.Info, ok bool) {
	d.stats.Fragments++
	for d.oldest != 0 && time-d.all[d.oldest-1].began > d.cfg.Timeout {
		d.stats.TimedOut++
		d.drop(d.oldest)
	}
	var p piece
	if !p.read(in, data) {
		d.stats.Bad++
		return nil, nil, false
	}
	i := d.find(&p.key)
	if i == 0 {
		i = d.begin(flow, &p.key, time)
	}
	g := &d.all[i-1]
	d.changed(g.flow)
	if !d.insert(i, g, &p) {
		return nil, nil, false
	}
	if !d.complete(g) {
		return nil, nil, false
	}
	frame = d.whole(g)
	outer, l3, et := packet.Info{End: uint32(len(frame)), VLANs: in.VLANs, VLAN: in.VLAN}, int(g.l3), uint16(packet.EtherIPv4)
	if g.key.v6 {
		et = packet.EtherIPv6
	}
	d.drop(i)
	if frame == nil {
		d.stats.Bad++
		return nil, nil, false
	}
	d.stats.Datagrams++
	packet.ParseInner(frame, &outer, et, l3, &d.info)
	return frame, &d.info, true
}

// piece is what a fragment's headers say.
type piece struct {
	key      key
	from, to int // of its data within the datagram's
	body     []byte
	last     bool
	head     []byte // link header and unfragmentable part
	l3       int
	next     uint8
	patch    int
}

// read finds a fragment's place and reports whether it can be one.
func (p *piece) read(in *packet.Info, frame []byte) bool {
	if int(in.End) > len(frame) || in.L4 == 0 {
		return false
	}
	p.l3 = int(in.L3)
	copy(p.key.a[:], in.Src(frame))
	copy(p.key.b[:], in.Dst(frame))
	for i := range in.VLAN {
		p.key.vlan[i] = in.VLAN[i] & 0xfff
	}
	be := binary.BigEndian
	if in.Kind == packet.IPv4 {
		h := frame[in.L3:]
		p.key.id, p.key.prot = uint32(be.Uint16(h[4:])), h[9]
		p.from = int(be.Uint16(h[6:])&0x1fff) * 8
		p.last = h[6]&0x20 == 0
		p.body = frame[in.L4:datagramEnd(in, frame)]
		p.head = frame[:in.L4]
	} else {
		at, patch, ok := fragmentHeader(frame, p.l3, int(in.End))
		if !ok {
			return false
		}
		f := frame[at : at+8]
		p.key.id, p.key.v6 = be.Uint32(f[4:]), true
		p.from, p.last = int(be.Uint16(f[2:])&^7), f[3]&1 == 0
		p.next, p.patch = f[0], patch
		p.body = frame[at+8 : datagramEnd(in, frame)]
		p.head = frame[:at]
		if !p.last && len(p.body)%8 != 0 { // RFC 8200 section 4.5
			return false
		}
	}
	p.to = p.from + len(p.body)
	return len(p.body) > 0 && p.to+len(p.head)-p.l3 <= 0xffff
}

// datagramEnd is the end by the network header alone: a parse of the first fragment may have cut at a UDP length.
func datagramEnd(in *packet.Info, frame []byte) int {
	return min(int(in.L3)+int(in.IPLen), len(frame))
}

// fragmentHeader walks to the first IPv6 fragment header, and returns where it is and where its protocol number stands before it.
func fragmentHeader(frame []byte, l3, end int) (at, patch int, ok bool) {
	patch, at = l3+6, l3+40
	for proto := frame[patch]; at+8 <= end; {
		size := 8 + int(frame[at+1])*8
		switch proto {
		case packet.ProtoFragment:
			return at, patch, true
		case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDstOpts, packet.ProtoMobility:
		case packet.ProtoAH:
			size = 8 + int(frame[at+1])*4
		default:
			return 0, 0, false
		}
		patch, proto = at, frame[at]
		at += size
	}
	return 0, 0, false
}

// insert keeps a fragment's data. Where it overlaps others, its bytes win over fragments that begin behind it, and lose to the
// others.
func (d *Defragmenter) insert(i uint32, g *datagram, p *piece) bool {
	if g.total >= 0 && (p.to > g.total || p.last && p.to != g.total) { // ends differ
		d.stats.Bad++
		return false
	}
	if d.freeFragment == 0 && d.oldest != i {
		d.stats.Evicted++
		d.drop(d.oldest)
	}
	if d.freeFragment == 0 || g.count >= maxPerDatagram {
		d.stats.Evicted++
		d.drop(i)
		return false
	}
	if g.data.Len() < p.to && !d.arena.Resize(&g.data, p.to) {
		d.stats.NoMemory++
		return false
	}
	if p.from == 0 && !g.hasHead {
		if !d.arena.Append(&g.head, p.head) {
			d.stats.NoMemory++
			return false
		}
		g.hasHead, g.l3, g.next, g.patch = true, uint16(p.l3), p.next, uint16(p.patch)
	}
	if p.last {
		g.total = p.to
	}
	buf := d.arena.Bytes(g.data)
	mixed := d.mixed[:copy(d.mixed, p.body)]
	after, overlaps := uint32(0), false
	for k := g.first; k != 0; k = d.pool[k-1].next {
		f := &d.pool[k-1]
		lo, hi := max(f.from, p.from), min(f.to, p.to)
		if lo < hi {
			overlaps = true
			if f.from <= p.from {
				copy(mixed[lo-p.from:], buf[lo:hi])
			}
		}
		if f.from <= p.from {
			after = k
		}
	}
	if overlaps {
		d.stats.Overlaps++
	}
	copy(buf[p.from:], mixed)
	d.link(g, after, p.from, p.to)
	return true
}

// link notes a fragment of g behind the one of record after - 1, and returns its record + 1.
func (d *Defragmenter) link(g *datagram, after uint32, from, to int) uint32 {
	k := d.freeFragment
	f := &d.pool[k-1]
	d.freeFragment = f.next
	f.from, f.to = from, to
	if after == 0 {
		f.next, g.first = g.first, k
	} else {
		f.next, d.pool[after-1].next = d.pool[after-1].next, k
	}
	g.count++
	return k
}

// complete reports whether all data up to the end is there.
func (d *Defragmenter) complete(g *datagram) bool {
	if g.total < 0 || !g.hasHead {
		return false
	}
	edge := 0
	for k := g.first; k != 0; k = d.pool[k-1].next {
		f := &d.pool[k-1]
		if f.from > edge {
			return false
		}
		edge = max(edge, f.to)
	}
	return edge >= g.total
}

// whole builds the frame of a complete datagram, nil if its headers make it too long.
func (d *Defragmenter) whole(g *datagram) []byte {
	b := append(d.frame[:0], d.arena.Bytes(g.head)...)
	b = append(b, d.arena.Bytes(g.data)[:g.total]...)
	d.frame = b
	h := b[g.l3:]
	be := binary.BigEndian
	if g.key.v6 {
		if len(h)-40 > 0xffff {
			return nil
		}
		be.PutUint16(h[4:], uint16(len(h)-40))
		b[g.patch] = g.next
		return b
	}
	if len(h) > 0xffff {
		return nil
	}
	be.PutUint16(h[2:], uint16(len(h)))
	h[6], h[7] = h[6]&0x40, 0
	h[10], h[11] = 0, 0
	be.PutUint16(h[10:], headerSum(h[:int(h[0]&15)*4]))
	return b
}

// headerSum is the Internet checksum of an IPv4 header (RFC 1071).
func headerSum(h []byte) uint16 {
	var s uint32
	for ; len(h) >= 2; h = h[2:] {
		s += uint32(h[0])<<8 | uint32(h[1])
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
