package http

import (
	"bytes"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// readBody takes bytes of a body and returns those behind what it could take in one go.
func (p *Parser) readBody(c *conn, w *way, s *side, dir proto.Dir, data []byte) []byte {
	switch w.state {
	case bodyKnown, chunkData:
		n := int(min(w.left, uint64(len(data))))
		p.bodyBytes(w, s, dir, data[:n])
		if w.left -= uint64(n); w.left == 0 {
			p.bodyLeft(c, w, dir)
		}
		return data[n:]
	case bodyClose:
		p.bodyBytes(w, s, dir, data)
		return nil
	case chunkLength:
		return p.chunkLine(w, s, dir, data)
	case chunkEnd:
		n := bytes.IndexByte(data, '\n')
		if n < 0 {
			return nil
		}
		w.state = chunkLength
		return data[n+1:]
	}
	return p.readTrailer(w, s, dir, data)
}

// bodyLeft says that the last byte of a known length was read.
func (p *Parser) bodyLeft(c *conn, w *way, dir proto.Dir) {
	if w.state == chunkData {
		w.state = chunkEnd
		return
	}
	p.finish(w, dir)
}

// chunkLine reads the line with a chunk's length (RFC 9112 section 7.1). To the client, what can't be a length makes the
// rest of the connection body, as it does for browsers.
func (p *Parser) chunkLine(w *way, s *side, dir proto.Dir, data []byte) []byte {
	n := bytes.IndexByte(data, '\n') + 1
	if n == 0 {
		if !p.keepLine(w, data) {
			return nil
		}
		if dir == proto.ToClient && junk(p.arena.Bytes(w.line)) {
			return p.unchunk(w, s, nil)
		}
		return nil
	}
	if !p.keepLine(w, data[:n]) {
		return nil
	}
	line := p.arena.Bytes(w.line)
	v, what := chunkSize(line)
	switch what {
	case noSize:
		p.arena.Truncate(&w.line)
	case badSize:
		if dir == proto.ToClient {
			return p.unchunk(w, s, data[n:])
		}
		p.desync(w, s)
		return nil
	case goodSize:
		p.arena.Truncate(&w.line)
		if w.left, w.state = v, chunkData; v == 0 {
			w.state, s.progress = trailer, TrailerProgress
		}
	}
	return data[n:]
}

// unchunk makes the line that was no length, and all that follows, body.
func (p *Parser) unchunk(w *way, s *side, rest []byte) []byte {
	all := p.unread(p.arena.Bytes(w.line), rest)
	p.arena.Free(&w.line)
	w.state = bodyClose
	return all
}

// junk reports whether b, the beginning of a length line, can't become one.
func junk(b []byte) bool {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return len(b) > 0 && hexDigit(b[0]) < 0
}

type sizeKind uint8

const (
	noSize sizeKind = iota // an empty line
	goodSize
	badSize
)

// chunkSize reads the length at the beginning of a line; what follows it, an extension perhaps, is of no interest.
func chunkSize(line []byte) (v uint64, k sizeKind) {
	for len(line) > 0 && isSpace(line[0]) {
		line = line[1:]
	}
	if len(line) == 0 {
		return 0, noSize
	}
	i := 0
	for ; i < len(line) && hexDigit(line[i]) >= 0; i++ {
		if v >= 1<<60 {
			return 0, badSize
		}
		v = v<<4 | uint64(hexDigit(line[i]))
	}
	switch {
	case i == 0:
		return 0, badSize
	case v > 1<<31-1:
		return 0, noSize // as the model: the line is passed over
	}
	return v, goodSize
}

// readTrailer reads the fields behind the last chunk, up to an empty line. They are not shown.
func (p *Parser) readTrailer(w *way, s *side, dir proto.Dir, data []byte) []byte {
	n := bytes.IndexByte(data, '\n') + 1
	if n == 0 {
		p.keepLine(w, data)
		return nil
	}
	if !p.keepLine(w, data[:n]) {
		return nil
	}
	empty := len(chomp(p.arena.Bytes(w.line))) == 0
	p.arena.Truncate(&w.line)
	if empty {
		p.finish(w, dir)
	}
	return data[n:]
}

// bodyBytes takes body bytes as they are on the wire but for chunks, and undoes their encodings.
func (p *Parser) bodyBytes(w *way, s *side, dir proto.Dir, b []byte) {
	if len(b) == 0 {
		return
	}
	if s.progress < BodyProgress {
		s.progress = BodyProgress
	}
	if w.chain != 0 {
		c := &p.chains[w.chain-1]
		p.decode(c, s, dir, int(c.depth)-1, b)
		return
	}
	p.appendBody(s, dir, b)
}

// appendBody keeps bytes of a body, up to the limit of its direction.
func (p *Parser) appendBody(s *side, dir proto.Dir, b []byte) {
	limit := uint64(p.cfg.RequestBodyLimit)
	if dir == proto.ToClient {
		limit = uint64(p.cfg.ResponseBodyLimit)
	}
	all := len(b)
	if s.total >= limit {
		b = nil
	} else if left := limit - s.total; uint64(len(b)) > left {
		b = b[:left]
	}
	if len(b) > 0 && !p.arena.Append(&s.body, b) {
		p.stats.NoMemory++
		p.arena.Truncate(&s.body)
		s.bodyOff = s.total + uint64(all)
		s.inspected = s.bodyOff
	}
	s.total += uint64(all)
	if s.total >= limit {
		s.complete = true
	}
}

// Body is the kept part of a body.
type Body struct {
	Data     []byte // valid until the parser is used again
	Offset   uint64 // of Data[0] within the body, after decompression
	Fresh    int    // Data[Fresh:] was not inspected yet
	Complete bool   // nothing more will come: the message ended, or the limit is reached
}

// Body returns what is kept of a direction's body.
func (p *Parser) Body(tx *Tx, dir proto.Dir) Body {
	s := &tx.side[dir]
	d := p.arena.Bytes(s.body)
	fresh := 0
	if s.inspected > s.bodyOff {
		fresh = int(min(s.inspected-s.bodyOff, uint64(len(d))))
	}
	return Body{Data: d, Offset: s.bodyOff, Fresh: fresh, Complete: s.complete}
}

// BodyReady reports whether a look at the body is due: it has bytes not inspected, and enough of them (Config.MinInspect) or will get no more.
func (p *Parser) BodyReady(tx *Tx, dir proto.Dir) bool {
	s := &tx.side[dir]
	have := s.bodyOff + uint64(s.body.Len())
	if have <= s.inspected {
		return false
	}
	if !p.cfg.Inline && !s.complete && s.inspected == 0 && have < uint64(p.cfg.MinInspect[dir]) {
		return false
	}
	if dir == proto.ToServer && !s.complete && p.InParts(tx) {
		// Files are looked at from their beginning: not again for every few bytes, or small packets would cost much.
		part := uint64(8)
		if p.cfg.Inline {
			part = 64
		}
		return (have-s.inspected)*part >= have
	}
	return true
}

// maxParts is how many bytes of a body in parts are kept; of a larger one the files are no longer told apart.
const maxParts = 1 << 20

// BodyInspected says that all of Body was looked at; only a window of it is kept for the next look.
func (p *Parser) BodyInspected(tx *Tx, dir proto.Dir) {
	s := &tx.side[dir]
	s.inspected = s.bodyOff + uint64(s.body.Len())
	if dir == proto.ToServer && p.InParts(tx) && s.body.Len() < maxParts { // files are found from the beginning on
		return
	}
	if cut := s.body.Len() - p.cfg.InspectWindow[dir]; cut > p.cfg.InspectWindow[dir] { // not for every few bytes
		p.arena.Cut(&s.body, cut)
		s.bodyOff += uint64(cut)
	}
}
