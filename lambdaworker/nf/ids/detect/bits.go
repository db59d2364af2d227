package detect

import "github.com/granule-nf/granule/lambdaworker/nf/ids/rule"

// MaxBits is how many flowbits may be set in a flow at once. More are not set, and counted.
const MaxBits = 24

// Bits are the flowbits that are set in a flow. A bit is known by the hash of its name, so that it means the same after a
// reload and at another worker.
type Bits struct {
	N   uint8
	IDs [MaxBits]uint32
}

func (b *Bits) has(id uint32) int {
	for i := range int(b.N) {
		if b.IDs[i] == id {
			return i
		}
	}
	return -1
}

// set returns false where there is no room.
func (b *Bits) set(id uint32) bool {
	if b.has(id) >= 0 {
		return true
	}
	if b.N == MaxBits {
		return false
	}
	b.IDs[b.N] = id
	b.N++
	return true
}

func (b *Bits) unset(id uint32) {
	if i := b.has(id); i >= 0 {
		b.N--
		b.IDs[i] = b.IDs[b.N]
	}
}

// bitOp is a compiled rule.Bits.
type bitOp struct {
	op  rule.BitsOp
	ids []uint32
}

// nameID is FNV-1a of a flowbit's name.
func nameID(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// holds reports whether the conditions among ops hold.
func (b *Bits) holds(ops []bitOp) bool {
	for i := range ops {
		o := &ops[i]
		switch o.op {
		case rule.BitsIsSet:
			any := false
			for _, id := range o.ids {
				any = any || b.has(id) >= 0
			}
			if !any {
				return false
			}
		case rule.BitsIsNotSet:
			any := false
			for _, id := range o.ids {
				any = any || b.has(id) < 0
			}
			if !any {
				return false
			}
		}
	}
	return true
}

// apply makes the changes among ops and reports whether there was one, and whether one found no room.
func (b *Bits) apply(ops []bitOp) (changed, full bool) {
	for i := range ops {
		o := &ops[i]
		switch o.op {
		case rule.BitsSet:
			full = !b.set(o.ids[0]) || full
		case rule.BitsUnset:
			b.unset(o.ids[0])
		case rule.BitsToggle:
			if b.has(o.ids[0]) >= 0 {
				b.unset(o.ids[0])
			} else {
				full = !b.set(o.ids[0]) || full
			}
		default:
			continue
		}
		changed = true
	}
	return changed, full
}
