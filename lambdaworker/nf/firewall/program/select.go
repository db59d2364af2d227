package program

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
)

// selection is the rows of one packet, and the rules of one block that are in all of them.
type selection struct {
	shape, src, dst, sport, dport []head
	srcRows, dstRows              *rows

	block, last int    // the block that found is of, and the chain's last one
	some        uint64 // words of found that hold something
	found       [64]uint64
}

func (p *Program) classify(v *View, s *selection) {
	s.shape = p.shape.row(p.shape.class[v.shape()])
	if v.Packet.Kind == packet.IPv4 {
		h := v.Data[v.Packet.L3 : v.Packet.L3+20]
		s.src = p.src4.row(p.src4.lookup(be32(h[12:])))
		s.dst = p.dst4.row(p.dst4.lookup(be32(h[16:])))
		s.srcRows, s.dstRows = &p.src4.rows, &p.dst4.rows
	} else {
		h := v.Data[v.Packet.L3 : v.Packet.L3+40]
		s.src = p.src6.row(p.src6.lookup(h[8:24]))
		s.dst = p.dst6.row(p.dst6.lookup(h[24:40]))
		s.srcRows, s.dstRows = &p.src6.rows, &p.dst6.rows
	}
	c := p.sport.absent
	if v.sport >= 0 {
		c = p.sport.class[v.sport]
	}
	s.sport = p.sport.row(c)
	c = p.dport.absent
	if v.dport >= 0 {
		c = p.dport.class[v.dport]
	}
	s.dport = p.dport.row(c)
}

func be32(b []byte) uint32 {
	return uint32(b[3]) | uint32(b[2])<<8 | uint32(b[1])<<16 | uint32(b[0])<<24
}

// enter makes ready for the rules of a chain from pos on.
func (p *Program) enter(s *selection, chain int32, pos int) {
	of := p.blocks[chain]
	s.block, s.last, s.some = of.from, of.to-1, 0
	if s.block > s.last {
		return
	}
	for b := &p.layout.blocks[s.block]; pos >= b.first+b.rules; b = &p.layout.blocks[s.block] {
		if s.block++; s.block > s.last {
			return
		}
	}
	p.collect(s)
	if skip := pos - p.layout.blocks[s.block].first; skip > 0 {
		s.some &^= 1<<(skip>>6) - 1
		if w := skip >> 6; s.some>>w&1 != 0 {
			if s.found[w] = s.found[w] >> (skip & 63) << (skip & 63); s.found[w] == 0 {
				s.some &^= 1 << w
			}
		}
	}
}

// collect finds the rules of the current block that the packet's rows have in common, in the order of rules.
func (p *Program) collect(s *selection) {
	k := s.block
	shape, src, dst, sport, dport := &s.shape[k], &s.src[k], &s.dst[k], &s.sport[k], &s.dport[k]
	s.some = 0
	b := &p.layout.blocks[k]
	for words := shape.some & src.some & dst.some & sport.some & dport.some; words != 0; words &= words - 1 {
		w := bits.TrailingZeros64(words)
		x := s.srcRows.word(src, w) & s.dstRows.word(dst, w)
		if x == 0 {
			continue
		}
		x &= p.dport.word(dport, w) & p.shape.word(shape, w) & p.sport.word(sport, w)
		if w == len(b.back)/64-1 {
			x &= b.valid(w)
		}
		for ; x != 0; x &= x - 1 {
			i := b.back[w<<6|bits.TrailingZeros64(x)]
			at := i >> 6
			if s.some>>at&1 == 0 {
				s.some |= 1 << at
				s.found[at] = 0
			}
			s.found[at] |= 1 << (i & 63)
		}
	}
}

// next returns the next rule that can match, or -1 at the chain's end.
func (p *Program) next(s *selection) int {
	for s.some == 0 {
		if s.block >= s.last {
			return -1
		}
		s.block++
		p.collect(s)
	}
	w := bits.TrailingZeros64(s.some)
	x := s.found[w]
	i := w<<6 | bits.TrailingZeros64(x)
	if s.found[w] = x & (x - 1); s.found[w] == 0 {
		s.some &= s.some - 1
	}
	return p.layout.blocks[s.block].first + i
}
