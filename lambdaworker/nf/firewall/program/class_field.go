package program

import (
	"net/netip"

	"github.com/gaissmai/bart"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// smallField finds the class of a value below 64 Ki by table.
type smallField struct {
	rows
	class  []uint32
	absent uint32
}

func newSmallField(l *layout, constraints []constraint, size int) smallField {
	part, r, absent := l.classes(constraints, ruleset.Num(uint64(size-1)))
	f := smallField{rows: r, class: make([]uint32, size), absent: absent}
	for i, from := range part.from {
		to := uint64(size)
		if i+1 < len(part.from) {
			to = part.from[i+1].Lo
		}
		for v := from.Lo; v < to; v++ {
			f.class[v] = part.class[i]
		}
	}
	return f
}

// addr4Field finds the class of an IPv4 address in at most three steps, of 16, 8 and 8 bits. An entry with the top
// bit set names a block of 256 entries for the next step. Where rules name so many addresses far apart that blocks would
// take more than maxBlocks, a search among the edges of classes, which lie close together within 16 bits, stands in for them.
type addr4Field struct {
	rows
	root   []uint32
	blocks []uint32
	absent uint32

	from  []uint32 // edges, nil where blocks serve; root[a>>16] is then the last edge at or below a's first 16 bits followed by zeros
	class []uint32
}

// maxBlocks is 16 MiB of them; with more edges than maxEdges blocks are not even tried.
const (
	maxBlocks = 16 << 10
	maxEdges  = 64 << 10
)

const blockBit = 1 << 31

func newAddr4Field(l *layout, constraints []constraint) addr4Field {
	part, r, absent := l.classes(constraints, ruleset.Ones(32))
	f := addr4Field{rows: r, root: make([]uint32, 1<<16), absent: absent}
	if len(part.from) > maxEdges {
		f.search(part)
		return f
	}
	for i, from := range part.from {
		to := uint64(1) << 32
		if i+1 < len(part.from) {
			to = part.from[i+1].Lo
		}
		if f.fill(-1, 16, from.Lo, to-1, part.class[i]); len(f.blocks) > maxBlocks*256 {
			f.search(part)
			break
		}
	}
	return f
}

// search makes f one that searches.
func (f *addr4Field) search(part partition) {
	f.blocks, f.from, f.class = nil, make([]uint32, len(part.from)), part.class
	for i, from := range part.from {
		f.from[i] = uint32(from.Lo)
	}
	at := uint32(0)
	for i := range f.root {
		for int(at)+1 < len(f.from) && f.from[at+1] <= uint32(i)<<16 {
			at++
		}
		f.root[i] = at
	}
}

// at returns the entries of block n, -1 for the root.
func (f *addr4Field) at(n int) []uint32 {
	if n < 0 {
		return f.root
	}
	return f.blocks[n*256 : n*256+256]
}

// fill gives the addresses lo to hi, within block n, their class. An entry of the block stands for 1<<shift addresses.
func (f *addr4Field) fill(n int, shift uint, lo, hi uint64, class uint32) {
	mask := uint64(len(f.at(n)) - 1)
	for lo <= hi {
		last := lo | (1<<shift - 1)
		i := lo >> shift & mask
		if lo&(1<<shift-1) == 0 && last <= hi {
			f.at(n)[i] = class
		} else {
			e := f.at(n)[i]
			if e&blockBit == 0 {
				inner := len(f.blocks) / 256
				f.blocks = append(f.blocks, make([]uint32, 256)...)
				for k := range f.at(inner) {
					f.at(inner)[k] = e
				}
				e = uint32(inner) | blockBit
				f.at(n)[i] = e
			}
			f.fill(int(e&^blockBit), shift-8, lo, min(last, hi), class)
		}
		lo = last + 1
	}
}

func (f *addr4Field) lookup(a uint32) uint32 {
	e := f.root[a>>16]
	if f.from != nil {
		return f.class[f.edge(a, e)]
	}
	if e&blockBit != 0 {
		e = f.blocks[e<<8|a>>8&0xff]
		if e&blockBit != 0 {
			e = f.blocks[e<<8|a&0xff]
		}
	}
	return e
}

// edge returns the last edge at or below a, which is lo or one behind it.
func (f *addr4Field) edge(a, lo uint32) uint32 {
	hi := uint32(len(f.from))
	if a>>16 < 0xffff {
		hi = f.root[a>>16+1] + 1
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; f.from[mid] <= a {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// addr6Field finds the class of an IPv6 address by longest prefix: the edges of classes cut into prefixes.
type addr6Field struct {
	rows
	table  bart.Table[uint32]
	absent uint32
}

func newAddr6Field(l *layout, constraints []constraint) *addr6Field {
	part, r, absent := l.classes(constraints, ruleset.Ones(128))
	f := &addr6Field{rows: r, absent: absent}
	for i, from := range part.from {
		to := ruleset.Ones(128)
		if i+1 < len(part.from) {
			to = part.from[i+1].Prev()
		}
		if part.class[i] == absent && i > 0 {
			// Addresses that no rule names are most of the range; a miss stands for them.
			continue
		}
		if i == 0 && part.class[i] == absent {
			continue
		}
		eachPrefix(ruleset.Span{Lo: from, Hi: to}, func(p netip.Prefix) { f.table.Insert(p, part.class[i]) })
	}
	return f
}

// eachPrefix calls f for the fewest prefixes that make up s.
func eachPrefix(s ruleset.Span, f func(netip.Prefix)) {
	for lo := s.Lo; ; {
		n := min(lo.TrailingZeros(), 128)
		for n > 0 && lo.Or(ruleset.Ones(n)).Cmp(s.Hi) > 0 {
			n--
		}
		f(netip.PrefixFrom(netip.AddrFrom16(lo.As16()), 128-n))
		last := lo.Or(ruleset.Ones(n))
		if last == s.Hi {
			return
		}
		lo = last.Next()
	}
}

func (f *addr6Field) lookup(a []byte) uint32 {
	if c, ok := f.table.Lookup(netip.AddrFrom16([16]byte(a))); ok {
		return c
	}
	return f.absent
}
