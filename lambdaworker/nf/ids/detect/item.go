package detect

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/pcre"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// item is a compiled rule.Item.
type item struct {
	kind     rule.ItemKind
	negated  bool
	relative bool // counts from the end of the match before
	depends  bool // on matches or variables before it: other places for those may help
	relNext  bool // what follows counts from the end of this match: other places for it must be tried
	// rightward: it is looked for in all that follows the match before, so what is not there is not behind a later match either.
	rightward bool
	find      int // index of inspector.finds, -1: what is found depends on more than where the search begins

	pattern             []byte // lower case if noCase
	noCase              bool
	hasOffset, hasDepth bool
	hasDist, hasWithin  bool
	ends                bool
	offset, depth       rule.Value
	distance, within    rule.Value
	re                  *pcre.Regexp
	byte                rule.ByteOp
	maskShift           uint8
	size                rule.Range
	pick                *rule.Pick // of comparisons
	decode              *decoding
}

// decoding is base64_decode: what it reads, and what base64_data asks of that.
type decoding struct {
	base64 rule.Base64
	items  []item
}

// compileItems compiles the items of one section.
func compileItems(in []*rule.Item) []item {
	out := make([]item, 0, len(in))
	for _, it := range in {
		c := item{kind: it.Kind, negated: it.Negated, relative: it.Relative, byte: it.Byte, size: it.Range}
		switch it.Kind {
		case rule.Content:
			m := &it.Content
			c.pattern, c.noCase = m.Pattern, m.NoCase
			if m.NoCase {
				c.pattern = foldASCII(m.Pattern)
			}
			c.hasOffset, c.hasDepth, c.hasDist, c.hasWithin = m.HasOffset, m.HasDepth, m.HasDistance, m.HasWithin
			c.offset, c.depth, c.distance, c.within = m.Offset, m.Depth, m.Distance, m.Within
			c.ends = m.EndsWith
			c.relative = m.Relative()
			if m.StartsWith {
				c.hasDepth, c.depth = true, rule.Value{N: int64(len(m.Pattern))}
			}
		case rule.PCRE:
			c.re = it.Regex
		case rule.ByteTest, rule.ByteJump, rule.ByteExtract, rule.ByteMath:
			for m := it.Byte.Mask; m != 0 && m&1 == 0; m >>= 1 {
				c.maskShift++
			}
		case rule.Absent:
			continue // the section knows
		case rule.Base64Decode:
			c.decode = &decoding{it.Decode.Base64, compileItems(it.Decode.Section.Items)}
			for i := range c.decode.items {
				c.decode.items[i].find = -1 // of another buffer each time
			}
		case rule.Compare:
			if c.pick = it.Pick; c.pick == nil {
				c.pick = new(rule.Pick)
			}
		}
		c.depends = c.relative
		for _, v := range []rule.Value{c.offset, c.depth, c.distance, c.within, c.byte.Offset, c.byte.Bytes, c.byte.Value, c.byte.PostOffset} {
			c.depends = c.depends || v.Var > 0
		}
		searched := c.kind == rule.Content && !c.negated || c.kind == rule.PCRE && c.re.Floating()
		c.rightward = searched && !c.hasWithin && !c.hasDepth && c.distance.Var == 0 && c.offset.Var == 0
		if c.find = -1; searched && len(out) < maxFinds {
			c.find = len(out)
		}
		out = append(out, c)
	}
	for i := range out {
		out[i].relNext = followed(out[i+1:])
	}
	return out
}

// foldASCII returns b in lower case; bytes outside of ASCII have no case.
func foldASCII(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 32
		}
		out[i] = c
	}
	return out
}

// followed reports whether the next item that moves the position counts from the one before it.
func followed(rest []item) bool {
	for i := range rest {
		if rest[i].relative {
			return true
		}
		switch rest[i].kind {
		case rule.Content, rule.PCRE, rule.ByteJump, rule.ByteExtract, rule.ByteMath:
			return false
		}
	}
	return false
}
