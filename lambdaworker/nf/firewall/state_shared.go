package firewall

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
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

// AppendShared appends what changed since the last call.
func (f *Firewall) AppendShared(dst []byte) []byte {
	f.countEvictions()
	start, changed := len(dst), false
	dst = append(dst, sharedVersion)
	dst = binary.LittleEndian.AppendUint64(dst, f.identity)
	for i, c := range f.machine.Counts {
		if d := (program.Count{Packets: c.Packets - f.exported[i].Packets, Bytes: c.Bytes - f.exported[i].Bytes}); d != (program.Count{}) {
			dst = binary.AppendUvarint(dst, uint64(i)+1)
			dst = binary.AppendUvarint(dst, d.Packets)
			dst = binary.AppendUvarint(dst, d.Bytes)
			changed = true
		}
	}
	copy(f.exported, f.machine.Counts)
	dst = append(dst, 0)
	for i := range f.machine.Limits {
		if d, drawn := f.machine.Limits[i].Delta(); drawn {
			dst = binary.AppendUvarint(dst, uint64(i)+1)
			dst = binary.AppendVarint(dst, d.Last)
			dst = binary.AppendVarint(dst, d.Used)
			dst = binary.AppendVarint(dst, d.From)
			dst = binary.AppendVarint(dst, d.To)
			changed = true
		}
		f.machine.Limits[i].Exported()
	}
	dst = append(dst, 0)
	for i, v := range f.stats {
		dst = binary.AppendUvarint(dst, v-f.exportedStats[i])
		changed = changed || v != f.exportedStats[i]
	}
	f.exportedStats = f.stats
	if !changed {
		return dst[:start]
	}
	return dst
}

// ApplyShared merges a delta of another instance. What it brings is not exported again by AppendShared.
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
		if i > uint64(len(f.machine.Counts)) || r.bad {
			return errShared
		}
		if apply {
			for _, c := range []*program.Count{&f.machine.Counts[i-1], &f.exported[i-1]} {
				c.Packets += packets
				c.Bytes += bytes
			}
		}
	}
	for {
		i := r.uint()
		if i == 0 || r.bad {
			break
		}
		d := program.BucketDelta{Last: r.int(), Used: r.int(), From: r.int(), To: r.int()}
		if i > uint64(len(f.machine.Limits)) || r.bad || !f.machine.Limits[i-1].Valid(d) {
			return errShared
		}
		if apply {
			f.machine.Limits[i-1].Merge(d)
		}
	}
	for v := range f.stats {
		d := r.uint()
		if apply {
			f.stats[v] += d
			f.exportedStats[v] += d
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
