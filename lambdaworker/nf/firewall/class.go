package firewall

import (
	"math/bits"
	"slices"
)

// Rules are found by bit vectors (Lakshman and Stiliadis 1998, with the summaries of Baboescu and Varghese 2001): for each
// field, values that the same rules accept form a class, and a class has a row with a bit for each rule. The rules that can
// match a packet are the AND of its rows; each row starts with a summary that has a bit for each of its words, so
// that words without a common bit are never read.

// rows are the rows of one field.
type rows struct {
	stride int // words of a row: summary, then bits
	bits   []uint64
}

func (r *rows) row(class uint32) []uint64 {
	at := int(class) * r.stride
	return r.bits[at : at+r.stride : at+r.stride]
}

// layout is the shape of the rows for n rules.
type layout struct{ rules, words, summary int }

func layoutFor(n int) layout {
	w := (n + 63) / 64
	return layout{n, w, (w + 63) / 64}
}

// wish is the values of a field that one rule accepts.
type wish struct {
	rule   int
	values spans // normal
}

// partition is a field's range cut where classes begin: class[i] holds from from[i] to the next.
type partition struct {
	from  []u128
	class []uint32
}

// classes cuts the range 0 to top by the wishes of rules; rules without a wish accept everything. The class of a field
// that is not there, where only those match, is returned too.
func (l layout) classes(wishes []wish, top u128) (part partition, r rows, absent uint32) {
	b := builder{layout: l, rows: rows{stride: l.summary + l.words}, known: map[[2]uint64]uint32{}}
	b.now = make([]uint64, l.words)
	for i := range l.rules {
		b.flip(i)
	}
	for _, w := range wishes {
		b.flip(w.rule)
	}
	absent = b.class()
	type edge struct {
		at   u128
		rule int
	}
	var edges []edge
	for _, w := range wishes {
		for _, s := range w.values {
			edges = append(edges, edge{s.lo, w.rule})
			if s.hi.cmp(top) < 0 {
				edges = append(edges, edge{s.hi.next(), w.rule})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.cmp(b.at) })
	part.from, part.class = []u128{{}}, []uint32{absent}
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			b.flip(edges[i].rule)
		}
		c := b.class()
		if at == (u128{}) {
			part.class[0] = c
		} else if c != part.class[len(part.class)-1] {
			part.from, part.class = append(part.from, at), append(part.class, c)
		}
	}
	return part, b.rows, absent
}

// builder collects rows while an edge moves through a field's range.
type builder struct {
	layout
	rows  rows
	now   []uint64 // bits of the class that is being built
	key   [2]uint64
	known map[[2]uint64]uint32
}

// flip turns the bit of a rule, and the key by what stands for that rule: classes are found again by key, without
// reading their rows (128 bits of a mixing function: two rows of one key don't happen).
func (b *builder) flip(rule int) {
	b.now[rule/64] ^= 1 << (rule % 64)
	b.key[0] ^= mix(uint64(rule)*2 + 1)
	b.key[1] ^= mix(uint64(rule)*2 + 0x9e3779b97f4a7c15)
}

func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	x = hi ^ lo
	hi, lo = bits.Mul64(x^0x8ebc6af09c88c6e3, 0x589965cc75374cc3)
	return hi ^ lo
}

func (b *builder) class() uint32 {
	if c, ok := b.known[b.key]; ok {
		return c
	}
	c := uint32(len(b.known))
	b.known[b.key] = c
	at := len(b.rows.bits)
	b.rows.bits = append(b.rows.bits, make([]uint64, b.rows.stride)...)
	row := b.rows.bits[at:]
	for i, w := range b.now {
		if w != 0 {
			row[i/64] |= 1 << (i % 64)
		}
	}
	copy(row[b.summary:], b.now)
	return c
}
