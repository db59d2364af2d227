package program

import (
	"encoding/binary"
	"hash/fnv"
)

// Identity tells rule sets apart: a counter's number means nothing under other rules.
func (p *Program) Identity() uint64 {
	h := fnv.New64a()
	var b [8]byte
	word := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	for _, c := range p.Counters {
		h.Write([]byte(c.File))
		word(uint64(c.Line))
	}
	for _, l := range p.Limits {
		word(l.Rate)
		word(l.Period)
		word(l.Burst)
	}
	word(uint64(len(p.rules)))
	return h.Sum64()
}
