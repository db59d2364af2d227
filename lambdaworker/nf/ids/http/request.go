package http

import (
	"bytes"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// request takes bytes to the server and returns those that it left.
func (p *Parser) request(c *conn, w *way, data []byte) []byte {
	t, s := p.reading(w, proto.ToServer)
	if t == nil && w.state != idle && w.state != after && w.state != ignoring && w.state != extra { // released while it was read: its rest is of no interest, but has to be followed
		if w.tx = p.newTx(c); w.tx == None {
			w.bad = true
			return nil
		}
		t, s = p.reading(w, proto.ToServer)
		s.progress = BodyProgress
	}
	switch w.state {
	case idle:
		return p.requestStart(c, w, data)
	case after:
		return p.afterRequest(c, w, s, data)
	case extra:
		return p.extraLine(w, s, proto.ToServer, data)
	case firstLine:
		return p.requestLine(w, t, s, data)
	case simple:
		return p.simpleRequest(w, t, s, data)
	case headers:
		rest, done := p.readHead(w, s, proto.ToServer, data)
		if done {
			p.requestHead(c, w, t, s)
		}
		return rest
	case bodyKnown, chunkLength, chunkData, chunkEnd, trailer:
		return p.readBody(c, w, s, proto.ToServer, data)
	}
	return nil // ignoring
}

func (p *Parser) requestStart(c *conn, w *way, data []byte) []byte {
	if w.tx = p.newTx(c); w.tx == None {
		w.bad = true
		return nil
	}
	p.txs[w.tx].side[proto.ToServer].progress = LineProgress
	w.state = firstLine
	return data
}

// afterRequest reads what follows a request: the next one, or, if it came together with the end of that and begins no method that is
// known, more body than was promised. The latter is the model's reading (libhtp's "unexpected body"), which shows rules on bodies
// what a lax server may take for one; it goes by what came together, since what comes later can be nothing but a request.
func (p *Parser) afterRequest(c *conn, w *way, s *side, data []byte) []byte {
	if w.fresh && s != nil && !beginsMethod(data) {
		w.state = extra
		return data
	}
	return p.requestStart(c, w, data)
}

// requestLine reads up to an LF. Empty lines before a request don't count (RFC 9112 section 2.2).
func (p *Parser) requestLine(w *way, t *Tx, s *side, data []byte) []byte {
	n := bytes.IndexByte(data, '\n') + 1
	take := n
	if n == 0 {
		take = len(data)
	}
	if s.head.Len()-int(s.skip)+take > p.cfg.HeaderLimit {
		p.stats.OverLimit++
		p.desync(w, s)
		return nil
	}
	if !p.keepHead(w, s, data[:take]) {
		return nil
	}
	if n == 0 {
		return nil
	}
	p.endRequestLine(w, t, s)
	return data[n:]
}

func (p *Parser) endRequestLine(w *way, t *Tx, s *side) {
	head := p.arena.Bytes(s.head)
	line := chomp(head[s.skip:])
	if len(line) == 0 {
		s.skip = uint16(len(head))
		if int(s.skip) > maxSkip {
			p.desync(w, s)
		}
		return
	}
	s.line = s.skip + uint16(len(line))
	s.fieldsAt, s.parsed = uint16(len(head)), uint16(len(head))
	p.parseRequestLine(t, s, line)
	s.progress = HeadersProgress
	w.state = headers
	if s.part[2].from == s.part[2].to {
		w.state = simple
	}
}

// maxSkip is how many bytes of empty lines may stand before a message.
const maxSkip = 4096

// parseRequestLine finds method, URI and protocol. The URI reaches to the last space: servers are known to take spaces within.
func (p *Parser) parseRequestLine(t *Tx, s *side, line []byte) {
	at := int(s.skip)
	i := 0
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	m := i
	for i < len(line) && !isSpace(line[i]) {
		i++
	}
	s.part[0] = span{uint16(at + m), uint16(at + i)}
	t.method = methodOf(line[m:i])
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	from, to := i, len(line)
	for to > from && isSpace(line[to-1]) {
		to--
	}
	end, version := to, to
	if sp := bytes.LastIndexByte(line[from:to], ' '); sp >= 0 {
		end, version = from+sp, from+sp+1
	} else if sp := lastSpace(line[from:to]); sp >= 0 {
		end, version = from+sp, from+sp+1
	}
	for end > from && isSpace(line[end-1]) {
		end--
	}
	s.part[1] = span{uint16(at + from), uint16(at + end)}
	s.part[2] = span{uint16(at + version), uint16(at + to)}
	uri := line[from:end]
	if t.method == connectMethod { // an authority, no path: it has no normalised URI
		return
	}
	p.join = normalise(uri, p.join[:0])
	if !p.arena.Append(&s.uri, p.join) {
		p.stats.NoMemory++
	}
}

func lastSpace(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if isSpace(b[i]) {
			return i
		}
	}
	return -1
}

// simpleRequest looks at what follows a request line without a version: fields make it a request whose version was
// forgotten, anything else an HTTP/0.9 one.
func (p *Parser) simpleRequest(w *way, t *Tx, s *side, data []byte) []byte {
	n := min(len(data), 256)
	if !p.keepLine(w, data[:n]) {
		return nil
	}
	data = data[n:]
	is, ok := looksLikeName(p.arena.Bytes(w.line), 0, false)
	if !ok && w.line.Len() < 512 {
		return data
	}
	all := p.unread(p.arena.Bytes(w.line), data)
	p.arena.Free(&w.line)
	if is {
		w.state = headers
		return all
	}
	p.endSimple(w, t)
	return nil
}

// endSimple ends an HTTP/0.9 request; nothing may follow it.
func (p *Parser) endSimple(w *way, t *Tx) {
	t.simple = true
	p.finish(w, proto.ToServer)
	w.state = ignoring
}

// requestHead decides what follows the fields of a request (RFC 9112 section 6).
func (p *Parser) requestHead(c *conn, w *way, t *Tx, s *side) {
	p.finishHead(s, proto.ToServer)
	s.progress = BodyProgress
	te, chunked := p.getLax(s, "transfer-encoding")
	chunked = chunked && contains(te, "chunked")
	length, hasLength := p.getLax(s, "content-length")
	n, valid := number(length)
	p.startLayers(w, s)
	switch {
	case t.method == connectMethod:
		p.finish(w, proto.ToServer)
		w.state = waiting
	case chunked:
		w.state = chunkLength
	case hasLength && valid && n > 0:
		w.state, w.left = bodyKnown, n
	default:
		p.finish(w, proto.ToServer)
	}
}

// closeRequest ends what a request was waiting for.
func (p *Parser) closeRequest(c *conn, w *way) {
	t, s := p.reading(w, proto.ToServer)
	if t == nil {
		return
	}
	switch w.state {
	case firstLine:
		if s.head.Len() > int(s.skip) {
			p.endRequestLine(w, t, s)
			if w.state == simple {
				p.endSimple(w, t)
			}
		} else if s.head.Len() == 0 { // nothing but the beginning of nothing
			p.Release(w.tx)
			w.state = idle
		}
	case simple:
		p.endSimple(w, t)
	case headers:
		p.walk(w, s, proto.ToServer, true)
		if s.parsed > s.fieldsAt {
			p.finishHead(s, proto.ToServer)
		}
	}
}
