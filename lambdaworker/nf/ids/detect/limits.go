package detect

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// limits counts for threshold and detection_filter: one entry for each rule and whatever it tracks by. The table is
// fixed; where it is full the entry whose window began first among a few gives way.
type limits struct {
	mask    uint32
	entries []limit
	changed []uint32  // entries that others do not know all of
	ports   []portSet // distinct ports of unique_on, by entry
	full    uint64
}

type limit struct {
	key   limitKey
	start int64 // of the window, ns
	count uint32
	sent  uint32 // of count, what other workers know
	next  uint32 // backoff: count at which the next alert is due
	set   int16  // index + 1 into ports
	used  bool
	dirty bool // listed in changed
}

type limitKey struct {
	gid, sid uint32
	filter   bool
	a, b     [16]byte
}

type portSet [1024]uint64

// maxPortSets is how many entries can tell ports apart; more count each packet.
const maxPortSets = 32

func newLimits(sigs []*Signature, n int) *limits {
	need, unique := false, false
	for _, s := range sigs {
		need = need || s.Rule.Limit != nil || s.Rule.Filter != nil
		unique = unique || s.Rule.Filter != nil && s.Rule.Filter.Unique != 0
	}
	l := &limits{}
	if need {
		size := uint32(1) << bits.Len32(uint32(max(n, 64))-1)
		l.mask = size - 1
		l.entries = make([]limit, size)
		l.changed = make([]uint32, 0, size)
	}
	if unique {
		l.ports = make([]portSet, 0, maxPortSets)
	}
	return l
}

func (k *limitKey) hash() uint32 {
	h := uint64(k.gid)<<32 | uint64(k.sid)
	for _, w := range [4]uint64{
		binary.LittleEndian.Uint64(k.a[:]), binary.LittleEndian.Uint64(k.a[8:]),
		binary.LittleEndian.Uint64(k.b[:]), binary.LittleEndian.Uint64(k.b[8:]),
	} {
		hi, lo := bits.Mul64(h^w^0x9e3779b97f4a7c15, 0xa0761d6478bd642f)
		h = hi ^ lo
	}
	return uint32(h)
}

// probes is how far an entry may stand from its place.
const probes = 8

// find returns the entry of k, and whether it is new.
func (t *limits) find(k *limitKey) (e *limit, fresh bool) {
	h := k.hash()
	var victim *limit
	place := uint32(0)
	for i := range uint32(probes) {
		at := (h + i) & t.mask
		e := &t.entries[at]
		if e.used && e.key == *k {
			t.note(e, at)
			return e, false
		}
		if victim == nil || victim.used && (!e.used || e.start < victim.start) {
			victim, place = e, at
		}
	}
	if victim.used {
		t.full++
	}
	// A set of ports stays with its place; the new window empties it.
	*victim = limit{key: *k, used: true, set: victim.set, dirty: victim.dirty}
	t.note(victim, place)
	return victim, true
}

func (t *limits) note(e *limit, at uint32) {
	if !e.dirty {
		e.dirty = true
		t.changed = append(t.changed, at)
	}
}

// judgement is what a threshold says of a match.
type judgement uint8

const (
	ignore judgement = iota // as if it had not matched
	silent                  // do what the action says, without an alert
	raise
)

func key(s *Signature, l *rule.Limit, p *Packet) limitKey {
	k := limitKey{gid: s.Rule.GID, sid: s.Rule.SID, filter: l.Kind == rule.KindFilter}
	switch l.Track {
	case rule.BySrc:
		copy(k.a[:], p.Src)
	case rule.ByDst:
		copy(k.a[:], p.Dst)
	case rule.ByBoth, rule.ByFlow:
		lo, hi := p.Src, p.Dst
		if string(lo) > string(hi) {
			lo, hi = hi, lo
		}
		copy(k.a[:], lo)
		copy(k.b[:], hi)
		if l.Track == rule.ByFlow {
			x, y := p.Info.SrcPort, p.Info.DstPort
			if string(p.Src) > string(p.Dst) {
				x, y = y, x
			}
			k.a[15] ^= p.Info.Proto
			k.b[12] ^= byte(x >> 8)
			k.b[13] ^= byte(x)
			k.b[14] ^= byte(y >> 8)
			k.b[15] ^= byte(y)
		}
	}
	return k
}

// judge counts a match.
func (t *limits) judge(s *Signature, l *rule.Limit, p *Packet, now int64) judgement {
	k := key(s, l, p)
	e, fresh := t.find(&k)
	if fresh || l.Kind != rule.KindBackoff && now-e.start > int64(l.Seconds)*1e9 {
		e.start, e.count, e.sent, e.next = now, 0, 0, l.Count
		if e.set > 0 {
			t.ports[e.set-1] = portSet{}
		}
	}
	if l.Unique != 0 && t.known(e, l, p) {
		if e.count > l.Count {
			return raise
		}
		return ignore
	}
	e.count++
	switch l.Kind {
	case rule.KindLimit:
		if e.count <= l.Count {
			return raise
		}
		return silent
	case rule.KindThreshold:
		if e.count%l.Count == 0 { // every Count-th; the count only grows, so that deltas add up
			return raise
		}
		return ignore
	case rule.KindBoth:
		if e.count == l.Count {
			return raise
		}
		if e.count > l.Count {
			return silent
		}
		return ignore
	case rule.KindBackoff:
		if e.count == e.next {
			e.next *= max(l.Multiplier, 1)
			return raise
		}
		return silent
	}
	if e.count > l.Count {
		return raise
	}
	return ignore
}

// known reports whether the packet's port was counted before in the window, and notes it.
func (t *limits) known(e *limit, l *rule.Limit, p *Packet) bool {
	port := p.Info.SrcPort
	if l.Unique == 2 {
		port = p.Info.DstPort
	}
	if e.set == 0 {
		if len(t.ports) == cap(t.ports) {
			return false
		}
		t.ports = t.ports[:len(t.ports)+1]
		e.set = int16(len(t.ports))
		t.ports[e.set-1] = portSet{}
	}
	w, bit := &t.ports[e.set-1][port>>6], uint64(1)<<(port&63)
	had := *w&bit != 0
	*w |= bit
	return had
}

// entryBytes is the size of one exported entry.
const entryBytes = 4 + 4 + 1 + 16 + 16 + 8 + 4 + 4

// export appends the entries that changed since the last call: key, window, count to add, next alert of a
// backoff. A window that began anew replaces the older one at the receiver.
func (t *limits) export(dst []byte) []byte {
	for _, i := range t.changed {
		e := &t.entries[i]
		dst = e.append(dst, e.count-e.sent)
		e.sent, e.dirty = e.count, false
	}
	t.changed = t.changed[:0]
	return dst
}

func (e *limit) append(dst []byte, n uint32) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, e.key.gid)
	dst = binary.LittleEndian.AppendUint32(dst, e.key.sid)
	f := byte(0)
	if e.key.filter {
		f = 1
	}
	dst = append(dst, f)
	dst = append(append(dst, e.key.a[:]...), e.key.b[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.start))
	dst = binary.LittleEndian.AppendUint32(dst, n)
	return binary.LittleEndian.AppendUint32(dst, e.next)
}

// merge adds what another instance counted. Of two windows the later one counts: the earlier is over.
func (t *limits) merge(data []byte) error {
	if len(data)%entryBytes != 0 {
		return errors.New("ids: a delta of thresholds is cut short")
	}
	if len(t.entries) == 0 {
		return nil
	}
	for ; len(data) > 0; data = data[entryBytes:] {
		k := limitKey{gid: binary.LittleEndian.Uint32(data), sid: binary.LittleEndian.Uint32(data[4:]), filter: data[8] == 1}
		copy(k.a[:], data[9:])
		copy(k.b[:], data[25:])
		start, n := int64(binary.LittleEndian.Uint64(data[41:])), binary.LittleEndian.Uint32(data[49:])
		e, fresh := t.find(&k)
		switch {
		case fresh || start > e.start:
			e.start, e.count, e.sent, e.next = start, n, n, binary.LittleEndian.Uint32(data[53:])
		case start == e.start:
			e.count += n
			e.sent += n // whoever counted it has told the others
			e.next = max(e.next, binary.LittleEndian.Uint32(data[53:]))
		}
	}
	return nil
}
