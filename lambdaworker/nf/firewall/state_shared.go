package firewall

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
)

// Shared state is the rules' counters, the verdict counters and the buckets of limits. A delta is
//
//	version, identity of the rules (8 bytes)
//	{ counter number + 1, packets, bytes } ... 0
//	{ limit number + 1, last, used, empty before, empty after } ... 0
//	what stats counts
//
// in unsigned varints (times zigzag). Counters merge exactly, in any order. A bucket that one worker alone draws from merges
// exactly too, since the delta carries where it stood before and after; where several draw, what each took is added up, so
// together they may pass more than the limit between two exchanges, by at most a burst for each further worker.

const sharedVersion = 1

var (
	errShared      = errors.New("a delta of counters is damaged; expected what AppendShared of this version makes")
	errSharedRules = errors.New("a delta of counters belongs to other rules; expected the same rule files at both ends")
)

// identity tells rule sets apart: a counter's number means nothing under other rules.
func (p *program) identity() uint64 {
	h := fnv.New64a()
	var b [8]byte
	word := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	for _, c := range p.counters {
		h.Write([]byte(c.file))
		word(uint64(c.line))
	}
	for _, l := range p.limits {
		word(l.rate)
		word(l.period)
		word(l.burst)
	}
	word(uint64(len(p.rules)))
	return h.Sum64()
}

// AppendShared appends what changed since the last call.
func (f *Firewall) AppendShared(dst []byte) []byte {
	start, changed := len(dst), false
	dst = append(dst, sharedVersion)
	dst = binary.LittleEndian.AppendUint64(dst, f.identity)
	for i, c := range f.counts {
		if d := (count{c.packets - f.exported[i].packets, c.bytes - f.exported[i].bytes}); d != (count{}) {
			dst = binary.AppendUvarint(dst, uint64(i)+1)
			dst = binary.AppendUvarint(dst, d.packets)
			dst = binary.AppendUvarint(dst, d.bytes)
			changed = true
		}
	}
	copy(f.exported, f.counts)
	dst = append(dst, 0)
	for i := range f.limits {
		l := &f.limits[i]
		if l.empty != l.from {
			dst = binary.AppendUvarint(dst, uint64(i)+1)
			dst = binary.AppendVarint(dst, l.last)
			dst = binary.AppendVarint(dst, l.used)
			dst = binary.AppendVarint(dst, l.from)
			dst = binary.AppendVarint(dst, l.empty)
			changed = true
		}
		l.used, l.from = 0, l.empty
	}
	dst = append(dst, 0)
	for i, v := range f.stats {
		dst = binary.AppendUvarint(dst, v-f.told[i])
		changed = changed || v != f.told[i]
	}
	f.told = f.stats
	if !changed {
		return dst[:start]
	}
	return dst
}

// ApplyShared merges a delta of another instance. What it brings is not told again by AppendShared.
func (f *Firewall) ApplyShared(data []byte) error {
	if len(data) < 9 || data[0] != sharedVersion {
		return errShared
	}
	if binary.LittleEndian.Uint64(data[1:]) != f.identity {
		return errSharedRules
	}
	// Twice: the first pass only checks, so that a damaged delta changes nothing.
	if err := f.readShared(data[9:], false); err != nil {
		return err
	}
	return f.readShared(data[9:], true)
}

func (f *Firewall) readShared(data []byte, apply bool) error {
	r := varints{data: data}
	for {
		i := r.uint()
		if i == 0 || r.bad {
			break
		}
		packets, bytes := r.uint(), r.uint()
		if i > uint64(len(f.counts)) || r.bad {
			return errShared
		}
		if apply {
			for _, c := range []*count{&f.counts[i-1], &f.exported[i-1]} {
				c.packets += packets
				c.bytes += bytes
			}
		}
	}
	for {
		i := r.uint()
		if i == 0 || r.bad {
			break
		}
		last, used, from, to := r.int(), r.int(), r.int(), r.int()
		if i > uint64(len(f.limits)) || r.bad || used < 0 || last < 0 || to < bucketStart || last < to-f.limits[i-1].size {
			return errShared
		}
		if apply {
			f.limits[i-1].merge(last, used, from, to)
		}
	}
	for v := range f.stats {
		d := r.uint()
		if apply {
			f.stats[v] += d
			f.told[v] += d
		}
	}
	if r.bad || len(r.data) != 0 {
		return errShared
	}
	return nil
}

// varints reads what binary.AppendUvarint and AppendVarint wrote.
type varints struct {
	data []byte
	bad  bool
}

func (r *varints) uint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *varints) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[n:]
	return v
}
