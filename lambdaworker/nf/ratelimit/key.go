package ratelimit

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// KeyLimiter holds each source or destination, or the prefix that it is in, or all of them together to a rate.
type KeyLimiter struct {
	limiter
	total   bool
	dst     bool         // the address is the packet's destination
	mask    [2][2]uint64 // of IPv4 and IPv6
	keys    *state.Table
	buckets []bucket // by key

	dirty   []bool // by key: it stands in changed
	changed []change
}

// change is a bucket that a delta has to tell of, and the sub-flow of the last packet that changed it.
type change struct {
	key uint32
	sub uint16
}

// Needs depends on whose bucket it is: all packets that share one have to meet at one worker.
func (l *KeyLimiter) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Affinity: l.affinity}
}

// Process lets packets pass as long as their bucket holds enough.
func (l *KeyLimiter) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		if !l.from[p.From&1] || p.Kind == packet.NotIP {
			continue
		}
		who := l.key(p)
		key, fresh := l.keys.Get(&who, p.Time)
		if key == state.None {
			continue // there is no room to know it, and it passes
		}
		if fresh {
			l.keys.SetClass(key, state.Established) // so that of two the one that is quiet goes
		}
		k := &l.buckets[key]
		if l.pass(k, p) {
			l.touch(key, p.Sub)
			continue
		}
		b.Drop(i, nf.DropRate)
		if l.tell(b, k, p, func(line []byte) []byte { return l.appendKey(line, &who) }) {
			l.touch(key, p.Sub)
		}
	}
}

func (l *KeyLimiter) touch(key uint32, sub uint16) {
	if !l.dirty[key] {
		l.dirty[key] = true
		l.changed = append(l.changed, change{key, sub})
	}
}

// own marks the key of an entry as none of a flow's: word 4 has nothing else.
const own = 1 << 9

// key is the address that p is limited by, as words 0 and 1; IPv4 mapped into IPv6.
func (l *KeyLimiter) key(p *nf.Packet) [6]uint64 {
	if l.total {
		return [6]uint64{4: own}
	}
	a := p.Src(p.Data)
	if l.dst {
		a = p.Dst(p.Data)
	}
	if p.Kind == packet.IPv4 {
		return [6]uint64{0, (0xffff<<32 | uint64(binary.BigEndian.Uint32(a))) & l.mask[0][1], 4: own}
	}
	return [6]uint64{binary.BigEndian.Uint64(a) & l.mask[1][0], binary.BigEndian.Uint64(a[8:]) & l.mask[1][1], 4: own}
}

// appendKey writes a key for people: an address, or a prefix.
func (l *KeyLimiter) appendKey(dst []byte, key *[6]uint64) []byte {
	if l.total {
		return append(dst, "total"...)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:], key[0])
	binary.BigEndian.PutUint64(a[8:], key[1])
	addr, m, whole := netip.AddrFrom16(a), l.mask[1], 128
	if addr.Is4In6() {
		addr, m, whole = addr.Unmap(), l.mask[0], 32
	}
	dst = addr.AppendTo(dst)
	bits := ones(m) - (128 - whole)
	if bits < whole {
		dst = strconv.AppendInt(append(dst, '/'), int64(bits), 10)
	}
	return dst
}

func ones(m [2]uint64) (n int) {
	for _, w := range m {
		for ; w != 0; w <<= 1 {
			n++
		}
	}
	return n
}

// Report adds those that were limited most.
func (l *KeyLimiter) Report(r *nf.Report) {
	l.limiter.Report(r)
	list := []Limited{}
	l.keys.Each(func(key uint32) {
		list = worst(list, l.buckets[key].limited, func() string { return string(l.appendKey(nil, l.keys.Key(key))) })
	})
	r.Top = list
}

// StateVersion is 2: that of a bucket; the entry's key is the address.
func (l *KeyLimiter) StateVersion() uint16 { return 2 }

// AppendEntries appends the buckets that something was taken out of.
func (l *KeyLimiter) AppendEntries(dst []byte, function uint8) []byte {
	for _, c := range l.changed {
		l.dirty[c.key] = false
		if !l.keys.Used(c.key) {
			continue
		}
		k := &l.buckets[c.key]
		start := len(dst)
		dst = state.Begin(dst, &state.Entry{Kind: state.Flow, NF: function, Version: l.StateVersion(), Sub: c.sub, Key: *l.keys.Key(c.key), Seen: k.full})
		data := len(dst)
		dst = state.End(k.append(dst), start, data)
	}
	l.changed = l.changed[:0]
	return dst
}

// ApplyEntry takes a bucket over; of two that workers had of one address the emptier.
func (l *KeyLimiter) ApplyEntry(e *state.Entry) error {
	if e.Key[2] != 0 || e.Key[3] != 0 || e.Key[4] != own || e.Key[5] != 0 {
		return errState
	}
	if len(e.Data) == 0 {
		return nil
	}
	k, err := decode(e.Data)
	if err != nil {
		return err
	}
	if key := l.keys.Put(&e.Key, k.full); key != state.None {
		l.keys.SetClass(key, state.Established)
		x := &l.buckets[key]
		x.full, x.told = max(x.full, k.full), max(x.told, k.told)
	}
	return nil
}

// ForgetEntries keeps everything: another sub-flow may have the same address, and what is not used is soon full again.
func (l *KeyLimiter) ForgetEntries(func(sub uint16) bool) {}
