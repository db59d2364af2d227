package http

import (
	"bytes"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// response takes bytes to the client and returns those that it left.
func (p *Parser) response(c *conn, w *way, data []byte) []byte {
	t, s := p.reading(w, proto.ToClient)
	if t == nil && w.state != idle && w.state != after && w.state != extra && w.state != ignoring {
		if !p.unasked(c, w) {
			return nil
		}
		t, s = p.reading(w, proto.ToClient)
		s.progress = BodyProgress
	}
	switch w.state {
	case idle:
		return p.responseStart(c, w, data)
	case after:
		return p.afterResponse(c, w, s, data)
	case extra:
		return p.extraLine(w, s, proto.ToClient, data)
	case simple:
		return p.simpleResponse(w, s, data)
	case firstLine:
		return p.responseLine(w, t, s, data)
	case headers:
		rest, done := p.readHead(w, s, proto.ToClient, data)
		if done {
			p.responseHead(c, w, t, s)
		}
		return rest
	case bodyKnown, bodyClose, chunkLength, chunkData, chunkEnd, trailer:
		return p.readBody(c, w, s, proto.ToClient, data)
	}
	return nil
}

// unasked makes a transaction for a response that nobody asked for.
func (p *Parser) unasked(c *conn, w *way) bool {
	if w.tx = p.newTx(c); w.tx == None {
		w.bad = true
		return false
	}
	t := &p.txs[w.tx]
	t.unseen = true
	t.side[proto.ToServer].progress, t.side[proto.ToServer].complete = Done, true
	return true
}

// responseStart finds the oldest request without a response.
func (p *Parser) responseStart(c *conn, w *way, data []byte) []byte {
	slot := c.first
	for slot != None && (p.txs[slot].side[proto.ToClient].progress != NotStarted || p.txs[slot].unseen) {
		slot = p.txs[slot].next
	}
	if w.tx = slot; slot == None && !p.unasked(c, w) {
		return nil
	}
	t := &p.txs[w.tx]
	q := &c.way[proto.ToServer]
	if q.state == simple && q.tx == w.tx { // the server answers: there will be no fields
		p.endSimple(q, t)
		p.arena.Free(&q.line)
	}
	t.side[proto.ToClient].progress = LineProgress
	w.state = firstLine
	if t.simple {
		w.state = simple
	}
	return data
}

// maybeStatus says whether b begins like a status line, as browsers see it: blanks, NULs, "http" in any case.
func maybeStatus(b []byte) (is, ok bool) {
	for len(b) > 0 && (isSpace(b[0]) || b[0] == 0) {
		b = b[1:]
	}
	n := min(len(b), 4)
	if !hasPrefix(b[:n], "http"[:n]) {
		return false, true
	}
	return n == 4, n == 4
}

// simpleResponse reads the answer to an HTTP/0.9 request: all of it is body, unless the server speaks a newer version all the same.
func (p *Parser) simpleResponse(w *way, s *side, data []byte) []byte {
	n := min(len(data), 64)
	if !p.keepLine(w, data[:n]) {
		return nil
	}
	is, ok := maybeStatus(p.arena.Bytes(w.line))
	if !ok && w.line.Len() < 512 {
		return data[n:]
	}
	all := p.unread(p.arena.Bytes(w.line), data[n:])
	p.arena.Free(&w.line)
	if w.state = firstLine; !is {
		s.progress, w.state = BodyProgress, bodyClose
	}
	return all
}

// responseLine reads up to an end of line, which may be a lone CR; it looks two bytes further, to tell what to do with a line that is no status line.
func (p *Parser) responseLine(w *way, t *Tx, s *side, data []byte) []byte {
	n := min(len(data), piece)
	if !p.keepHead(w, s, data[:n]) {
		return nil
	}
	head := p.arena.Bytes(s.head)
	used, ok := p.statusLine(w, t, s, head, false)
	if !ok {
		if len(head)-int(s.skip) > p.cfg.HeaderLimit { // no line of any kind
			p.moveToBody(w, s, head[s.skip:], true)
			p.arena.Truncate(&s.head)
			s.skip = 0
		}
		return data[n:]
	}
	return p.giveBack(s, head, used, data, n)
}

// giveBack returns the bytes of head from offset used on, which are not of the line, with what is left of data.
func (p *Parser) giveBack(s *side, head []byte, used int, data []byte, n int) []byte {
	over := len(head) - used
	if over > n {
		data = p.unread(head[used:], data[n:])
		n = over
	}
	p.arena.Resize(&s.head, used)
	return data[n-over:]
}

// statusLine looks at the line that begins at s.skip of head, and returns where it ends. Not ok asks for more bytes, unless all is set.
func (p *Parser) statusLine(w *way, t *Tx, s *side, head []byte, all bool) (used int, ok bool) {
	b := head[s.skip:]
	i := bytes.IndexAny(b, "\r\n")
	next := 0
	switch {
	case i < 0 && !all:
		return 0, false
	case i < 0:
		i, next = len(b), len(b)
	case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
		next = i + 2
	case i+1 >= len(b) && !all:
		return 0, false
	case b[i] == '\n':
		// LF CR is an end of line, unless the CR begins another: the end of the head.
		for next = i + 1; next < len(b) && b[next] == '\r'; next++ {
			if next+1 >= len(b) && !all {
				return 0, false
			}
			if next+1 < len(b) && b[next+1] == '\n' {
				break
			}
		}
	default:
		next = i + 1
	}
	if i == 0 {
		s.skip += uint16(next)
		if int(s.skip) > maxSkip {
			p.desync(w, s)
		}
		return int(s.skip), true
	}
	line := b[:i]
	if is, _ := maybeStatus(line); is {
		used = int(s.skip) + next
		s.line = s.skip + uint16(i)
		s.fieldsAt, s.parsed = uint16(used), uint16(used)
		p.parseStatusLine(t, s, line)
		s.progress = HeadersProgress
		w.state = headers
		return used, true
	}
	if !all && len(b) < next+2 {
		return 0, false
	}
	if len(b) > next+1 && (b[next] == 'H' || i <= 2) { // noise before the status line
		s.skip += uint16(next)
		if int(s.skip) > maxSkip {
			p.desync(w, s)
		}
		return int(s.skip), true
	}
	// Browsers show it: it is body, and so is what follows.
	used = int(s.skip)
	s.progress, w.state = BodyProgress, bodyClose
	return used, true
}

// moveToBody makes b body of unknown length.
func (p *Parser) moveToBody(w *way, s *side, b []byte, open bool) {
	s.progress = BodyProgress
	if open {
		w.state = bodyClose
	}
	p.bodyBytes(w, s, proto.ToClient, b)
}

// parseStatusLine finds protocol, status and message.
func (p *Parser) parseStatusLine(t *Tx, s *side, line []byte) {
	at := int(s.skip)
	i := 0
	word := func() span {
		from := i
		for i < len(line) && !isSpace(line[i]) {
			i++
		}
		return span{uint16(at + from), uint16(at + i)}
	}
	for i < len(line) && (isSpace(line[i]) || line[i] == 0) {
		i++
	}
	s.part[0] = word()
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	s.part[1] = word()
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	s.part[2] = span{uint16(at + i), uint16(at + len(line))}
	status := trim(line[int(s.part[1].from)-at : int(s.part[1].to)-at])
	t.Status = 0
	if len(status) == 3 {
		if n, ok := number(status); ok && n >= 100 && status[0] != '0' && status[2] >= '0' && status[2] <= '9' && status[1] >= '0' && status[1] <= '9' {
			t.Status = uint16(n)
		}
	}
}

// responseHead decides what follows the fields of a response (RFC 9112 section 6.3, as browsers have it).
func (p *Parser) responseHead(c *conn, w *way, t *Tx, s *side) {
	p.finishHead(s, proto.ToClient)
	te, hasTE := p.getLax(s, "transfer-encoding")
	chunked := hasTE && contains(te, "chunked")
	length, hasLength := p.getLax(s, "content-length")
	n, valid := number(length)
	s.progress = BodyProgress
	q := &c.way[proto.ToServer]
	switch {
	case t.method == connectMethod && !t.unseen && t.Status >= 200 && t.Status < 300:
		p.finish(w, proto.ToClient)
		c.tunnel = true
		return
	case t.method == connectMethod && q.state == waiting:
		q.state = after // refused: the client may ask again
	case t.Status == 101 && !hasTE && !hasLength:
		p.finish(w, proto.ToClient)
		w.state, q.state = tunnel, tunnel
		return
	case t.Status == 100 && !hasTE && !(hasLength && valid && n > 0):
		p.again(w, s)
		return
	}
	switch {
	case t.method == headMethod && !t.unseen:
		p.finish(w, proto.ToClient)
		return
	case (t.Status >= 100 && t.Status < 200 || t.Status == 204 || t.Status == 304) && !hasTE && !hasLength:
		p.finish(w, proto.ToClient)
		return
	}
	p.startLayers(w, s)
	switch {
	case chunked:
		w.state = chunkLength
	case hasLength && valid && n == 0:
		p.finish(w, proto.ToClient)
	case hasLength && valid:
		w.state, w.left = bodyKnown, n
	default: // a length that is no number is no length
		w.state = bodyClose
	}
}

// again makes room for the response that follows an interim one (100 Continue).
func (p *Parser) again(w *way, s *side) {
	p.arena.Free(&s.head)
	p.arena.Free(&s.fields)
	p.arena.Free(&s.table)
	*s = side{progress: LineProgress}
	w.state = firstLine
}

// afterResponse reads what follows a response on the same connection: the next one, or more body than was promised, which
// browsers may show.
func (p *Parser) afterResponse(c *conn, w *way, s *side, data []byte) []byte {
	n := min(len(data), 64)
	if !p.keepLine(w, data[:n]) {
		return nil
	}
	is, ok := maybeStatus(p.arena.Bytes(w.line))
	if !ok && w.line.Len() < 512 {
		return data[n:]
	}
	all := p.unread(p.arena.Bytes(w.line), data[n:])
	p.arena.Free(&w.line)
	if is || s == nil {
		w.state, w.tx = idle, None
		return all
	}
	w.state = extra
	return all
}

// extraLine takes a line of body that was not promised.
func (p *Parser) extraLine(w *way, s *side, dir proto.Dir, data []byte) []byte {
	end := bytes.IndexByte(data, '\n') + 1
	if end > 0 {
		w.state = after
	} else {
		end = len(data)
	}
	if s != nil {
		p.bodyBytes(w, s, dir, data[:end])
	}
	return data[end:]
}

// closeResponse ends what a response was waiting for.
func (p *Parser) closeResponse(c *conn, w *way) {
	t, s := p.reading(w, proto.ToClient)
	if t == nil {
		return
	}
	switch w.state {
	case firstLine:
		for w.state == firstLine && s.head.Len() > int(s.skip) && !w.bad {
			head := p.arena.Bytes(s.head)
			if _, ok := p.statusLine(w, t, s, head, true); !ok {
				break
			}
			if w.state == bodyClose {
				p.bodyBytes(w, s, proto.ToClient, head[s.skip:])
			}
		}
	case headers:
		p.walk(w, s, proto.ToClient, true)
		p.finishHead(s, proto.ToClient)
	case simple:
		p.moveToBody(w, s, p.arena.Bytes(w.line), true)
	case after:
		if w.line.Len() > 0 {
			if is, _ := maybeStatus(p.arena.Bytes(w.line)); !is {
				p.bodyBytes(w, s, proto.ToClient, p.arena.Bytes(w.line))
			}
		}
	case chunkLength:
		if w.line.Len() > 0 {
			p.bodyBytes(w, s, proto.ToClient, p.arena.Bytes(w.line))
		}
	}
	if s.progress != NotStarted {
		p.stats.Responses++
	}
}
