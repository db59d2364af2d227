package fragment

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
)

// What marking a fragment's bytes as seen found.
type marking uint8

const (
	fresh       marking = iota
	repeated            // all of them had been seen
	contradicts         // some had, or they lie beyond the end, or move it
)

// mark notes the bytes of a fragment as seen.
func (e *Entry) mark(in *packet.Info) marking {
	if e.state == spoiled {
		return repeated
	}
	size := in.FragmentLen()
	from, to := int(in.FragOff)/8, (int(in.FragOff)+size+7)/8
	if size == 0 || int(in.FragOff)+size > 0xffff || in.MoreFrags && size%8 != 0 {
		return contradicts // RFC 8200 section 4.5; no sender makes one
	}
	had := 0
	e.words(from, to, func(w *uint64, mask uint64) { had += bits.OnesCount64(*w & mask) })
	switch {
	case had == to-from && (in.MoreFrags || int(e.end) == to):
		return repeated
	case had > 0, e.end != 0 && (to > int(e.end) || !in.MoreFrags && to != int(e.end)), !in.MoreFrags && e.highest() > to:
		return contradicts
	}
	e.words(from, to, func(w *uint64, mask uint64) { *w |= mask })
	e.units += uint16(to - from)
	if !in.MoreFrags {
		e.end = uint16(to)
	}
	return fresh
}

// words calls f with each word that has bits from from to to, and a mask of these.
func (e *Entry) words(from, to int, f func(w *uint64, mask uint64)) {
	for from < to {
		n := min(to, (from/64+1)*64) - from
		mask := ^uint64(0) >> (64 - n) << (from % 64)
		f(&e.seen[from/64], mask)
		from += n
	}
}

// highest is behind the last unit seen.
func (e *Entry) highest() int {
	for i := len(e.seen) - 1; i >= 0; i-- {
		if e.seen[i] != 0 {
			return i*64 + bits.Len64(e.seen[i])
		}
	}
	return 0
}

// complete reports whether every byte of the datagram has been seen.
func (e *Entry) complete() bool { return e.end != 0 && e.units == e.end }
