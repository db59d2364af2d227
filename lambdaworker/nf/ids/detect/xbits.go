package detect

import (
	"encoding/binary"
	"math/bits"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// xbits are the bits of xbits and hostbits: state of an address, or of a pair of them, that spans flows. Each is a register that the last
// writer decides, by the time of the packet that wrote it, so that what workers tell each other may come in any order, and twice. The table is
// fixed; where it is full, what expires first among a few gives way.
type xbits struct {
	mask    uint32
	entries []xbit
	changed []uint32 // entries that others do not know
	full    uint64
}

type xbit struct {
	key   xbitKey
	at    int64 // when it was written, ns
	until int64 // when it expires, ns; 0 where it was unset
	used  bool
	dirty bool // listed in changed
}

type xbitKey struct {
	name uint32
	a, b [16]byte // b is of a pair's
}

// xbitOp is a compiled rule.XBit.
type xbitOp struct {
	op     rule.BitsOp
	name   uint32
	track  rule.HostTrack
	expire int64 // ns
}

func compileXBits(in []rule.XBit) (ops []xbitOp) {
	for _, x := range in {
		ops = append(ops, xbitOp{op: x.Op, name: nameID(x.Name), track: x.Track, expire: int64(x.Expire) * 1e9})
	}
	return ops
}

func newXBits(sigs []*Signature, n int) *xbits {
	x := &xbits{}
	for _, s := range sigs {
		if len(s.xbits) > 0 && x.entries == nil {
			size := uint32(1) << bits.Len32(uint32(max(n, 64))-1)
			x.mask = size - 1
			x.entries = make([]xbit, size)
			x.changed = make([]uint32, 0, size)
		}
	}
	return x
}

// keys returns the keys of the bits that an operation is about, one or two.
func (o *xbitOp) keys(p *Packet) (k [2]xbitKey, n int) {
	k[0].name, k[1].name = o.name, o.name
	switch o.track {
	case rule.OfSource:
		copy(k[0].a[:], p.Src)
	case rule.OfDestination:
		copy(k[0].a[:], p.Dst)
	case rule.OfPair:
		lo, hi := p.Src, p.Dst
		if string(lo) > string(hi) {
			lo, hi = hi, lo
		}
		copy(k[0].a[:], lo)
		copy(k[0].b[:], hi)
	case rule.OfEither:
		copy(k[0].a[:], p.Src)
		copy(k[1].a[:], p.Dst)
		return k, 2
	}
	return k, 1
}

func (k *xbitKey) hash() uint32 {
	l := limitKey{gid: k.name, a: k.a, b: k.b}
	return l.hash()
}

// find returns the entry of k; with make, one that is new where there is none.
func (x *xbits) find(k *xbitKey, make bool) (e *xbit, place uint32) {
	h := k.hash()
	var victim *xbit
	for i := range uint32(probes) {
		at := (h + i) & x.mask
		e := &x.entries[at]
		if e.used && e.key == *k {
			return e, at
		}
		if victim == nil || victim.used && (!e.used || e.until < victim.until) {
			victim, place = e, at
		}
	}
	if !make {
		return nil, 0
	}
	if victim.used {
		x.full++
	}
	*victim = xbit{key: *k, used: true, dirty: victim.dirty}
	return victim, place
}

func (x *xbits) isSet(k *xbitKey, now int64) bool {
	e, _ := x.find(k, false)
	return e != nil && now < e.until
}

// holds reports whether the conditions among ops hold.
func (x *xbits) holds(ops []xbitOp, p *Packet) bool {
	for i := range ops {
		o := &ops[i]
		if o.op != rule.BitsIsSet && o.op != rule.BitsIsNotSet {
			continue
		}
		k, n := o.keys(p)
		set := x.isSet(&k[0], p.Now) || n == 2 && x.isSet(&k[1], p.Now)
		if set != (o.op == rule.BitsIsSet) {
			return false
		}
	}
	return true
}

// apply makes the changes among ops.
func (x *xbits) apply(ops []xbitOp, p *Packet) {
	for i := range ops {
		o := &ops[i]
		if o.op == rule.BitsIsSet || o.op == rule.BitsIsNotSet {
			continue
		}
		k, n := o.keys(p)
		for j := range k[:n] {
			set := o.op == rule.BitsSet || o.op == rule.BitsToggle && !x.isSet(&k[j], p.Now)
			e, place := x.find(&k[j], set)
			if e == nil {
				continue // nothing to unset
			}
			if e.at, e.until = p.Now, 0; set {
				e.until = p.Now + o.expire
			}
			if !e.dirty {
				e.dirty = true
				x.changed = append(x.changed, place)
			}
		}
	}
}

// xbitBytes is the size of one exported entry.
const xbitBytes = 4 + 16 + 16 + 8 + 8

// AppendXBits appends what changed of the bits of addresses since the last call.
func (e *Engine) AppendXBits(dst []byte) []byte {
	x := e.xbits
	dst = binary.AppendUvarint(dst, uint64(len(x.changed)))
	for _, i := range x.changed {
		b := &x.entries[i]
		dst = binary.LittleEndian.AppendUint32(dst, b.key.name)
		dst = append(append(dst, b.key.a[:]...), b.key.b[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.at))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.until))
		b.dirty = false
	}
	x.changed = x.changed[:0]
	return dst
}

// ApplyXBits merges what another engine appended, and returns what follows.
func (e *Engine) ApplyXBits(data []byte) (rest []byte, err error) {
	n, k := binary.Uvarint(data)
	if k <= 0 || n > uint64(len(data)-k)/xbitBytes {
		return data, errShort
	}
	data = data[k:]
	for ; n > 0; n-- {
		key := xbitKey{name: binary.LittleEndian.Uint32(data)}
		copy(key.a[:], data[4:])
		copy(key.b[:], data[20:])
		at, until := int64(binary.LittleEndian.Uint64(data[36:])), int64(binary.LittleEndian.Uint64(data[44:]))
		data = data[xbitBytes:]
		if e.xbits.entries == nil {
			continue
		}
		if b, _ := e.xbits.find(&key, true); at > b.at || at == b.at && until > b.until {
			b.at, b.until = at, until
		}
	}
	return data, nil
}
