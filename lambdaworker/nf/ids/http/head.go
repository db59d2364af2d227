package http

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// part is a field of a head that is being finished: its name in the head, its value in Parser.values; values of repeated fields are linked.
type part struct {
	name     span
	from, to uint32 // in Parser.values
	again    int32  // the next part of the same name, or -1
	tail     int32  // the last of them
	cookie   bool
	repeat   bool
}

// maxFields is how many fields of a head are read.
const maxFields = 1024

// piece is how much of a segment is added to a head at a time: a body behind it should not be copied.
const piece = 2048

// readHead takes bytes of fields and returns what is behind the head, and whether the head has ended.
func (p *Parser) readHead(w *way, s *side, dir proto.Dir, data []byte) (rest []byte, done bool) {
	for at := 0; at < len(data); {
		n := min(piece, len(data)-at)
		if !p.keepHead(w, s, data[at:at+n]) {
			return nil, false
		}
		at += n
		next, ok := p.walk(w, s, dir, false)
		if w.bad {
			return nil, false
		}
		if ok { // what stands behind the end of the head is not of it
			over := s.head.Len() - next
			if over > at { // some of that came with earlier segments
				data = p.unread(p.arena.Bytes(s.head)[next:], data[at:])
				at = over
			}
			p.arena.Resize(&s.head, next)
			return data[at-over:], true
		}
	}
	return nil, false
}

// unread puts bytes that were kept before data again.
func (p *Parser) unread(kept, data []byte) []byte {
	p.spare ^= 1 // data may be what the last call returned
	b := append(append(p.spill[p.spare][:0], kept...), data...)
	p.spill[p.spare] = b
	return b
}

// walk steps over the fields that are whole, and returns where the head ends, if it does.
func (p *Parser) walk(w *way, s *side, dir proto.Dir, all bool) (next int, done bool) {
	head := p.arena.Bytes(s.head)
	for {
		var f field
		var what found
		f, p.join, what = nextField(head, int(s.parsed), dir == proto.ToClient, all, p.join)
		switch what {
		case more:
			if len(head)-int(s.parsed) > p.cfg.HeaderLimit {
				p.stats.OverLimit++
				p.desync(w, s)
			}
			return 0, false
		case end:
			return f.next, true
		}
		s.parsed = uint16(f.next)
		if all && f.next >= len(head) {
			return f.next, true
		}
	}
}

// finishHead makes fields and table of a head that is whole: up to its byte s.parsed there are fields.
func (p *Parser) finishHead(s *side, dir proto.Dir) {
	head := p.arena.Bytes(s.head)
	p.parts, p.values = p.parts[:0], p.values[:0]
	cookie := cookieField(dir)
	for at := int(s.fieldsAt); at < int(s.parsed) && len(p.parts) < maxFields; {
		var f field
		var what found
		f, p.join, what = nextField(head, at, dir == proto.ToClient, true, p.join)
		if what != one {
			break
		}
		from := len(p.values)
		p.values = append(p.values, f.value...)
		q := part{from: uint32(from), to: uint32(len(p.values)), again: -1, tail: int32(len(p.parts)), cookie: same(f.name, cookie)}
		if len(f.name) > 0 {
			q.name.from = uint16(at + nameOffset(head[at:], f.name))
			q.name.to = q.name.from + uint16(len(f.name))
		}
		p.parts = append(p.parts, q)
		p.joinRepeated(head, len(p.parts)-1)
		at = f.next
	}
	for _, cookies := range [2]bool{false, true} {
		for i := range p.parts {
			if q := &p.parts[i]; q.cookie == cookies && !q.repeat && !p.emit(s, head, q) {
				p.stats.NoMemory++
				return
			}
		}
		if !cookies {
			s.shown, s.shownLen = uint16(s.table.Len()/4), uint16(s.fields.Len())
		}
	}
}

// cookieField is the field, in lower case, that is kept apart from the others.
func cookieField(dir proto.Dir) string {
	if dir == proto.ToClient {
		return "set-cookie"
	}
	return "cookie"
}

// joinRepeated links part i to an earlier one of the same name. A second Content-Length is left out, as browsers do.
func (p *Parser) joinRepeated(head []byte, i int) {
	q := &p.parts[i]
	name := head[q.name.from:q.name.to]
	for k := range p.parts[:i] {
		e := &p.parts[k]
		if e.repeat || e.name.to-e.name.from != q.name.to-q.name.from || !equalFold(head[e.name.from:e.name.to], name) {
			continue
		}
		q.repeat = true
		if !same(name, "content-length") {
			p.parts[e.tail].again = int32(i)
			e.tail = int32(i)
		}
		return
	}
}

// emit appends a field with all its values.
func (p *Parser) emit(s *side, head []byte, q *part) bool {
	a := p.arena
	name := head[q.name.from:q.name.to]
	size := len(name) + 4
	for k := q; ; k = &p.parts[k.again] {
		size += int(k.to-k.from) + 2
		if k.again < 0 {
			break
		}
	}
	if s.fields.Len()+size > maxHead {
		return false
	}
	ok := a.Append(&s.fields, name) && a.Append(&s.fields, []byte(": "))
	n := 0
	for k := q; ; k = &p.parts[k.again] {
		v := p.values[k.from:k.to]
		ok = ok && a.Append(&s.fields, v)
		n += len(v)
		if k.again < 0 {
			break
		}
		ok = ok && a.Append(&s.fields, []byte(", "))
		n += 2
	}
	var e [4]byte
	binary.LittleEndian.PutUint16(e[:], uint16(len(name)))
	binary.LittleEndian.PutUint16(e[2:], uint16(n))
	return ok && a.Append(&s.fields, []byte("\r\n")) && a.Append(&s.table, e[:])
}

// get returns the value of a field of s, whose name is given in lower case.
func (p *Parser) get(s *side, name string) (value []byte, ok bool) {
	p.eachField(s, func(n, line []byte) bool {
		if len(n) == len(name) && same(n, name) {
			value, ok = line[len(n)+2:], true
		}
		return !ok
	})
	return value, ok
}

// getLax is get for fields that decide how a body is read: NULs in a name don't count, as they don't in some browsers.
func (p *Parser) getLax(s *side, name string) (value []byte, ok bool) {
	p.eachField(s, func(n, line []byte) bool {
		if len(n) >= len(name) && sameLax(n, name) {
			value, ok = line[len(n)+2:], true
		}
		return !ok
	})
	return value, ok
}

func sameLax(b []byte, s string) bool {
	for _, c := range b {
		if c == 0 {
			continue
		}
		if s == "" || lower(c) != s[0] {
			return false
		}
		s = s[1:]
	}
	return s == ""
}

func equalFold(a, b []byte) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// nameOffset returns where name, which is a part of field without the blanks around it, begins.
func nameOffset(field, name []byte) int {
	i := 0
	for i < len(field)-len(name) && isSpace(field[i]) {
		i++
	}
	return i
}
