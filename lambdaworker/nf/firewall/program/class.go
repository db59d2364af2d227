package program

import (
	"math/bits"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Rules are found by bit vectors (Lakshman and Stiliadis 1998): for each field, values that the same rules accept form a class,
// and a class has a row with a bit for each rule; the rules that can match a packet are the AND of its rows. Two things
// keep that fast when rules are many. Rows are stored sparse: of each block of up to 4,096 rules two words say which of
// the block's words hold some bits, and which hold all; only the rest is kept and read (after the summaries of Baboescu
// and Varghese 2001). And within a block bits stand not in the order of rules but by what rules ask for, so that the
// rules which accept any source, say, fill words of their own: with 8,000 rules in file order nearly every word of
// every row had a bit, and 125 words of five rows were read for a packet (1 us); now it is about ten.

// rows are the rows of one field.
type rows struct {
	blocks int
	heads  []head   // blocks of them a class
	packed []uint64 // words that hold some bits and not all
}

// head is what a row says of one block.
type head struct {
	some uint64 // words with a bit
	full uint64 // words with all bits
	at   uint64 // where in packed its other words begin
}

func (r *rows) row(class uint32) []head {
	at := int(class) * r.blocks
	return r.heads[at : at+r.blocks : at+r.blocks]
}

// word returns word w of the block that h heads, which has some bits.
func (r *rows) word(h *head, w int) uint64 {
	if h.full>>w&1 != 0 {
		return ^uint64(0)
	}
	return r.packed[int(h.at)+bits.OnesCount64(h.some&^h.full&(1<<w-1))]
}

// layout says where the bit of each rule stands.
type layout struct {
	blocks []block
	place  []int // bit of each rule; 64 bits a word, words of all blocks in a row
	words  int
}

// block is some rules of one chain, in a row.
type block struct {
	first int      // first rule
	rules int      // at most maxBlock
	word  int      // first word
	back  []uint16 // rule, counted from first, of each bit
}

// maxBlock is how many rules' words one head can tell apart. A chain's first block is smaller: a packet is often decided early.
const (
	maxBlock   = 64 * 64
	firstBlock = 1024
)

// arrange makes blocks of the chains' rules. keys tells what each rule asks for.
func arrange(chains []extent, keys []ruleKey) (l layout, of []extent) {
	l.place = make([]int, len(keys))
	for _, c := range chains {
		from := len(l.blocks)
		for at, size := c.from, firstBlock; at < c.to; size = maxBlock {
			b := block{first: at, rules: min(size, c.to-at), word: l.words}
			b.back = make([]uint16, (b.rules+63)/64*64)
			for i := range b.rules {
				b.back[i] = uint16(i)
			}
			slices.SortStableFunc(b.back[:b.rules], func(i, j uint16) int { return keys[at+int(i)].compare(&keys[at+int(j)]) })
			for bit, i := range b.back[:b.rules] {
				l.place[at+int(i)] = b.word*64 + bit
			}
			l.words += len(b.back) / 64
			l.blocks = append(l.blocks, b)
			at += b.rules
		}
		of = append(of, extent{from, len(l.blocks)})
	}
	return l, of
}

// valid is the bits of word w of b that stand for rules.
func (b *block) valid(w int) uint64 {
	if n := b.rules - w*64; n < 64 {
		return 1<<n - 1
	}
	return ^uint64(0)
}

// ruleKey is what a rule asks of the classed fields: which, and for which values from.
type ruleKey struct {
	asks uint16
	from [len(keyFields)]ruleset.U128
}

// keyFields is the order in which rules of one kind are sorted: protocols, which leave out half of the words, then the fields
// that tell most rules apart.
var keyFields = [...]ruleset.Field{ruleset.MetaNFProto, ruleset.MetaL4Proto, ruleset.IP4Src, ruleset.IP6Src, ruleset.IP4Dst, ruleset.IP6Dst, ruleset.TransportDst, ruleset.TransportSrc}

func (k *ruleKey) compare(o *ruleKey) int {
	if k.asks != o.asks {
		return int(k.asks) - int(o.asks)
	}
	for i := range k.from {
		if c := k.from[i].Cmp(o.from[i]); c != 0 {
			return c
		}
	}
	return 0
}

func (k *ruleKey) ask(f ruleset.Field, s ruleset.Spans) {
	for i, x := range keyFields {
		if x != f {
			continue
		}
		if k.asks |= 1 << i; len(s) > 0 {
			k.from[i] = s[0].Lo
		}
	}
}

// constraint is the values of a field that one rule accepts.
type constraint struct {
	rule   int
	values ruleset.Spans // normal
}

// partition is a field's range cut where classes begin: class[i] holds from from[i] to the next.
type partition struct {
	from  []ruleset.U128
	class []uint32
}

// classes cuts the range 0 to top by the constraints of rules; rules without one accept everything. The class of a field
// that is not there, where only those match, is returned too.
func (l *layout) classes(constraints []constraint, top ruleset.U128) (part partition, r rows, absent uint32) {
	b := builder{layout: l, rows: rows{blocks: len(l.blocks)}, known: map[[2]uint64]uint32{}}
	b.now = make([]uint64, l.words)
	for i := range l.place {
		b.flip(i)
	}
	for _, w := range constraints {
		b.flip(w.rule)
	}
	absent = b.class()
	type edge struct {
		at   ruleset.U128
		rule int
	}
	n := 0
	for _, w := range constraints {
		n += len(w.values)
	}
	edges := make([]edge, 0, 2*n)
	for _, w := range constraints {
		for _, s := range w.values {
			edges = append(edges, edge{s.Lo, w.rule})
			if s.Hi.Cmp(top) < 0 {
				edges = append(edges, edge{s.Hi.Next(), w.rule})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Cmp(b.at) })
	part.from, part.class = make([]ruleset.U128, 1, len(edges)+1), make([]uint32, 1, len(edges)+1)
	part.class[0] = absent
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			b.flip(edges[i].rule)
		}
		c := b.class()
		if at == (ruleset.U128{}) {
			part.class[0] = c
		} else if c != part.class[len(part.class)-1] {
			part.from, part.class = append(part.from, at), append(part.class, c)
		}
	}
	return part, b.rows, absent
}

// builder collects rows while an edge moves through a field's range.
type builder struct {
	layout *layout
	rows   rows
	now    []uint64 // bits of the class that is being built
	key    [2]uint64
	known  map[[2]uint64]uint32
}

// flip turns the bit of a rule, and the key by what stands for that rule: classes are found again by key, without
// reading their rows (128 bits of a mixing function: two rows of one key don't happen).
func (b *builder) flip(rule int) {
	at := b.layout.place[rule]
	b.now[at/64] ^= 1 << (at % 64)
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
	for i := range b.layout.blocks {
		bl := &b.layout.blocks[i]
		h := head{at: uint64(len(b.rows.packed))}
		for w, bits := range b.now[bl.word : bl.word+len(bl.back)/64] {
			switch bits {
			case 0:
			case bl.valid(w):
				h.some |= 1 << w
				h.full |= 1 << w
			default:
				h.some |= 1 << w
				b.rows.packed = append(b.rows.packed, bits)
			}
		}
		b.rows.heads = append(b.rows.heads, h)
	}
	return c
}
