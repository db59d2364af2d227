package http

import (
	"bytes"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// maxLayers bounds Config.DecompressLayers.
const maxLayers = 8

// chain are the content encodings of one body.
type chain struct {
	depth  uint8
	layers [maxLayers]layer
}

// layer is one content encoding that is being undone.
type layer struct {
	kind  layerKind
	z     uint32          // its inflater + 1
	head  [replayMax]byte // the first bytes, as long as nothing came out of them
	n     uint16
	flags uint8  // of a gzip header
	skip  uint16 // bytes of it to pass over
	made  uint32
}

// layerKind is what a layer has found its bytes to be.
type layerKind uint8

const (
	unsure    layerKind = iota // too few bytes to tell
	guessing                   // no header that would say so: DEFLATE, or no compression at all
	gzipExtra                  // within a gzip header
	gzipExtraData
	gzipName
	gzipComment
	gzipSum
	deflating
	plain // no compression that is known: passed on as it is
	spent // ended: the rest is dropped
)

// headBytes is as long as a gzip header without options.
const headBytes = 10

// replayMax is how many bytes are kept to be shown as they are when they turn out to be no compression. The tables of a first
// block may take 290 before they are seen to be none, and of text that is read as codes hardly any gets as far as this.
const replayMax = 512

// maxMade bounds what one layer may make: a few segments of zeros are gigabytes two layers up.
const maxMade = 8 << 20

// startLayers reads Content-Encoding. Encodings are undone from the last to the first; what is not known is passed over.
func (p *Parser) startLayers(w *way, s *side) {
	p.endLayers(w)
	ce, ok := p.getLax(s, "content-encoding")
	if !ok {
		return
	}
	limit := min(p.cfg.DecompressLayers, maxLayers)
	for seen := 0; len(ce) > 0; {
		n := bytes.IndexAny(ce, ", ")
		word := ce
		if n >= 0 {
			word, ce = ce[:n], ce[n+1:]
		} else {
			ce = nil
		}
		if len(word) == 0 {
			continue
		}
		if seen++; seen > limit {
			return
		}
		if !contains(word, "gzip") && !contains(word, "deflate") {
			continue
		}
		if w.chain == 0 && !p.newChain(w) {
			p.stats.NoInflater++
			return
		}
		c := &p.chains[w.chain-1]
		c.layers[c.depth] = layer{}
		c.depth++
	}
}

func (p *Parser) newChain(w *way) bool {
	switch {
	case len(p.freeChain) > 0:
		w.chain = p.freeChain[len(p.freeChain)-1] + 1
		p.freeChain = p.freeChain[:len(p.freeChain)-1]
	case len(p.chains) < p.cfg.Inflaters:
		p.chains = append(p.chains, chain{})
		w.chain = uint32(len(p.chains))
	default:
		return false
	}
	p.chains[w.chain-1] = chain{}
	return true
}

// endLayers gives the chain and its inflaters back.
func (p *Parser) endLayers(w *way) {
	if w.chain == 0 {
		return
	}
	c := &p.chains[w.chain-1]
	for i := range c.layers[:c.depth] {
		if z := c.layers[i].z; z != 0 {
			p.freeZ = append(p.freeZ, z-1)
		}
	}
	*c = chain{}
	p.freeChain = append(p.freeChain, w.chain-1)
	w.chain = 0
}

// decode gives bytes to layer i; what comes out goes to the layer before it, or into the body.
func (p *Parser) decode(c *chain, s *side, dir proto.Dir, i int, b []byte) {
	if i < 0 {
		p.appendBody(s, dir, b)
		return
	}
	l := &c.layers[i]
	for len(b) > 0 {
		switch l.kind {
		case unsure:
			n := copy(l.head[l.n:headBytes], b)
			l.n += uint16(n)
			b = b[n:]
			p.identify(l)
			if l.kind == unsure {
				continue
			}
			if !p.startInflate(l) {
				p.stats.NoInflater++
				p.showPlain(c, s, dir, i)
			} else if l.kind != guessing { // the stream begins behind the header
				p.gzipOptions(l)
			}
		case guessing:
			n := copy(l.head[l.n:], b)
			l.n += uint16(n)
			b = b[n:]
			if l.n == replayMax {
				p.guess(c, s, dir, i, false)
			}
		case gzipExtra, gzipSum:
			l.skip = l.skip>>8 | uint16(b[0])<<8 // two bytes, little-endian: a length, or a sum
			b = b[1:]
			if l.n++; l.n == 2 {
				p.nextOption(l)
			}
		case gzipExtraData:
			n := min(int(l.skip), len(b))
			l.skip -= uint16(n)
			b = b[n:]
			if l.skip == 0 {
				p.nextOption(l)
			}
		case gzipName, gzipComment:
			n := bytes.IndexByte(b, 0)
			if n < 0 {
				return
			}
			b = b[n+1:]
			p.nextOption(l)
		case deflating:
			p.inflate(c, s, dir, i, b)
			return
		case plain:
			p.decode(c, s, dir, i-1, b)
			return
		case spent:
			return
		}
	}
}

// isZlib reports whether b begins with a zlib header (RFC 1950 section 2.2).
func isZlib(b []byte) bool {
	return b[0]&15 == 8 && b[0]>>4 <= 7 && (uint(b[0])<<8|uint(b[1]))%31 == 0 && b[1]&0x20 == 0
}

// identify tells gzip, zlib and bare DEFLATE apart by their first bytes, whatever the header field called them: servers
// confuse them and browsers don't mind.
func (p *Parser) identify(l *layer) {
	h := l.head[:l.n]
	switch {
	case h[0] == 0x1f && (len(h) < 2 || h[1] == 0x8b) && (len(h) < 3 || h[2] == 8):
		if len(h) == headBytes {
			l.kind = deflating
		}
	case len(h) >= 2:
		l.kind = guessing
	}
}

// guess decides what the bytes that were kept of layer i are, and goes on with them; end says that there are no others. What
// breaks as DEFLATE is shown as it is. So is what may be either: a few bytes of text can be codes.
func (p *Parser) guess(c *chain, s *side, dir proto.Dir, i int, end bool) {
	l := &c.layers[i]
	z := p.inflaters[l.z-1]
	b := l.head[:l.n]
	zlib := isZlib(b)
	if zlib {
		b = b[2:]
	}
	left, made := z.try(b)
	broken, either := z.state == broken, !zlib && (end && z.state != inflated || left > 0)
	if broken || made == 0 {
		p.stats.BadEncoding++
		p.showPlain(c, s, dir, i)
		return
	}
	if either {
		p.decode(c, s, dir, i-1, l.head[:l.n])
	}
	l.kind, l.n = deflating, 0
	z.reset()
	p.inflate(c, s, dir, i, b)
	if either && l.kind == spent {
		l.kind = plain
	}
}

// showPlain passes on what was kept of layer i, and all that follows, as it is.
func (p *Parser) showPlain(c *chain, s *side, dir proto.Dir, i int) {
	l := &c.layers[i]
	l.kind = plain
	p.decode(c, s, dir, i-1, l.head[:l.n])
	l.n = 0
}

// flushLayers passes on what layers have kept, for no byte will follow.
func (p *Parser) flushLayers(w *way, s *side, dir proto.Dir) {
	if w.chain == 0 || s == nil {
		return
	}
	c := &p.chains[w.chain-1]
	for i := int(c.depth) - 1; i >= 0; i-- {
		switch l := &c.layers[i]; l.kind {
		case unsure:
			p.showPlain(c, s, dir, i)
		case guessing:
			p.guess(c, s, dir, i, true)
		}
	}
}

func (p *Parser) startInflate(l *layer) bool {
	switch {
	case len(p.freeZ) > 0:
		l.z = p.freeZ[len(p.freeZ)-1] + 1
		p.freeZ = p.freeZ[:len(p.freeZ)-1]
	case len(p.inflaters) < p.cfg.Inflaters:
		p.inflaters = append(p.inflaters, new(inflater))
		l.z = uint32(len(p.inflaters))
	default:
		return false
	}
	p.inflaters[l.z-1].reset()
	return true
}

// gzipOptions begins with the optional parts of a gzip header (RFC 1952 section 2.3).
func (p *Parser) gzipOptions(l *layer) {
	l.flags = l.head[3] &^ 1
	l.n = 0
	p.nextOption(l)
}

// nextOption goes to the next part of a gzip header that is there.
func (p *Parser) nextOption(l *layer) {
	if l.kind == gzipExtra && l.skip > 0 {
		l.kind = gzipExtraData
		return
	}
	for _, o := range [...]struct {
		flag uint8
		kind layerKind
	}{{4, gzipExtra}, {8, gzipName}, {16, gzipComment}, {2, gzipSum}} {
		if l.flags&o.flag != 0 {
			l.flags &^= o.flag
			l.kind, l.skip, l.n = o.kind, 0, 0
			return
		}
	}
	l.kind = deflating
}

// inflate gives b to the inflater of layer i.
func (p *Parser) inflate(c *chain, s *side, dir proto.Dir, i int, b []byte) {
	l := &c.layers[i]
	z := p.inflaters[l.z-1]
	for {
		var out []byte
		b, out = z.write(b)
		if len(out) > 0 {
			l.made += uint32(len(out))
			p.decode(c, s, dir, i-1, out)
		}
		if z.state == broken || z.state == inflated || l.made > maxMade || s.complete {
			break
		}
		if len(out) == 0 {
			return
		}
	}
	if z.state != broken {
		l.kind = spent
		return
	}
	p.stats.BadEncoding++
	l.kind = plain // what is behind the damage may be anything
	var ahead [8]byte
	p.decode(c, s, dir, i-1, z.unread(&ahead))
	p.decode(c, s, dir, i-1, b)
}
