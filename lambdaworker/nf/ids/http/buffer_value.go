package http

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// fieldNames are the buffers that are the value of one field, in lower case.
var fieldNames = [NumBuffers]string{
	HostRaw: "host", UserAgent: "user-agent", Referer: "referer", Accept: "accept", AcceptEncoding: "accept-encoding",
	AcceptLanguage: "accept-language", Server: "server", Location: "location", ContentLength: "content-length",
	ContentType: "content-type", Connection: "connection",
}

// Scratch of buffers that are put together on demand, so that one doesn't overwrite another.
const (
	madeHost = iota
	madeNames
	madeStart
	madeBoundary
)

// Buffer returns a buffer of a transaction, and whether the message has it at all: a header that is there and empty is
// empty and true. The bytes are valid until the parser is used again; those of Host, HeaderNames and Start until that
// buffer is asked for again.
func (p *Parser) Buffer(tx *Tx, dir proto.Dir, b Buffer) ([]byte, bool) {
	if d, fixed := b.Dir(); fixed {
		dir = d
	}
	s := &tx.side[dir]
	if name := fieldNames[b]; name != "" && b != HostRaw {
		return p.get(s, name)
	}
	head := p.arena.Bytes(s.head)
	switch b {
	case Method:
		return partOf(head, s.part[0])
	case URI:
		if tx.unseen || s.progress < HeadersProgress {
			return nil, false
		}
		return p.arena.Bytes(s.uri), tx.method != connectMethod
	case URIRaw:
		if tx.unseen || s.progress < HeadersProgress {
			return nil, false
		}
		return head[s.part[1].from:s.part[1].to], true
	case HostRaw, Host:
		// The authority of the request's target comes before the field (RFC 9112, section 3.2.2).
		target := head[s.part[1].from:s.part[1].to]
		if tx.method != connectMethod {
			_, target = cutAuthority(target)
		}
		if len(target) > 0 {
			return p.host(target), true
		}
		raw, ok := p.get(s, "host")
		if !ok || b == HostRaw {
			return raw, ok
		}
		return p.host(raw), true
	case RequestLine, ResponseLine:
		return head[s.skip:max(s.line, s.skip)], s.line > s.skip
	case StatCode:
		return partOf(head, s.part[1])
	case StatMsg:
		return partOf(head, s.part[2])
	case Protocol:
		if dir == proto.ToClient {
			return partOf(head, s.part[0])
		}
		return partOf(head, s.part[2])
	case Cookie:
		if dir == proto.ToClient {
			return p.get(s, "set-cookie")
		}
		return p.get(s, "cookie")
	case Header:
		return p.arena.Bytes(s.fields)[:s.shownLen], s.shownLen > 0
	case HeaderRaw:
		if s.progress < BodyProgress || s.line <= s.skip {
			return nil, false
		}
		return head[s.fieldsAt:], len(head) > int(s.fieldsAt)
	case HeaderNames:
		return p.headerNames(s, dir)
	case Start:
		if s.line <= s.skip {
			return nil, false
		}
		m := append(p.made[madeStart][:0], head[s.skip:s.line]...)
		m = append(m, "\r\n"...)
		p.made[madeStart] = append(m, head[s.fieldsAt:]...)
		return p.made[madeStart], true
	case RequestBody, ResponseBody, FileData:
		d := p.arena.Bytes(s.body)
		return d, len(d) > 0
	}
	return nil, false
}

func partOf(head []byte, s span) ([]byte, bool) { return head[s.from:s.to], s.to > s.from }

// host is lower case, without port and final dots.
func (p *Parser) host(raw []byte) []byte {
	m := p.made[madeHost][:0]
	bracket := len(raw) > 0 && raw[0] == '['
	for _, c := range raw {
		if c == ':' && !bracket {
			break
		}
		m = append(m, lower(c))
		if c == ']' {
			bracket = false
		}
	}
	m = trim(m)
	for len(m) > 0 && m[len(m)-1] == '.' {
		m = m[:len(m)-1]
	}
	p.made[madeHost] = m
	return m
}

// headerNames are the names in the order of the wire. The table has them in the order in which each first came, but cookies last.
func (p *Parser) headerNames(s *side, dir proto.Dir) ([]byte, bool) {
	cookie := cookieField(dir)
	m := append(p.made[madeNames][:0], "\r\n"...)
	head := p.arena.Bytes(s.head)
	at, seen := int(s.fieldsAt), false
	p.eachField(s, func(name, _ []byte) bool {
		for !seen && at < int(s.parsed) { // up to this name; a cookie may stand before it
			var f field
			var what found
			f, p.join, what = nextField(head, at, dir == proto.ToClient, true, p.join)
			if what != one {
				break
			}
			at = f.next
			if seen = same(f.name, cookie); seen {
				m = append(append(m, f.name...), "\r\n"...)
			}
			if len(f.name) == len(name) && equalFold(f.name, name) {
				break
			}
		}
		if !same(name, cookie) {
			m = append(append(m, name...), "\r\n"...)
		}
		return true
	})
	m = append(m, "\r\n"...)
	p.made[madeNames] = m
	return m, s.table.Len() > 0
}

// eachField calls f for the fields of a head, repeated ones once, until it returns false.
func (p *Parser) eachField(s *side, f func(name, line []byte) bool) {
	table, fields := p.arena.Bytes(s.table), p.arena.Bytes(s.fields)
	for ; len(table) >= 4; table = table[4:] {
		n, v := int(binary.LittleEndian.Uint16(table)), int(binary.LittleEndian.Uint16(table[2:]))
		if n+v+4 > len(fields) || !f(fields[:n], fields[:n+v+2]) {
			return
		}
		fields = fields[n+v+4:]
	}
}

// Headers returns the i-th header of a direction as "Name: value", for http.request_header and http.response_header.
func (p *Parser) Headers(tx *Tx, dir proto.Dir, i int) (line []byte, ok bool) {
	p.eachField(&tx.side[dir], func(_, l []byte) bool {
		if i == 0 {
			line, ok = l, true
			return false
		}
		i--
		return true
	})
	return line, ok
}

// URILen returns the lengths that urilen tests: of the normalised and of the raw URI.
func (p *Parser) URILen(tx *Tx) (normalised, raw int) {
	s := &tx.side[proto.ToServer]
	return s.uri.Len(), int(s.part[1].to - s.part[1].from)
}
