package http

import (
	"bytes"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// maxFiles is how many files of one body are shown.
const maxFiles = 32

// formPlace is where in a body the search for its next file goes on: files are asked for one after the other, and a body is read once.
type formPlace struct {
	flow  uint32
	tx    uint64
	total uint64 // bytes of the body
	next  int    // the file to come
	at    int
}

// File returns the i-th file of a request: the body of a PUT or POST, or, where that is a form in parts (RFC 7578), of each part
// that has a file's name, as much as is there. Other requests have none.
func (p *Parser) File(tx *Tx, i int) (name, data []byte, ok bool) {
	s := &tx.side[proto.ToServer]
	if tx.unseen || tx.method != postMethod {
		return nil, nil, false
	}
	body := p.arena.Bytes(s.body)
	boundary := p.boundary(tx)
	if boundary == nil || s.bodyOff > 0 {
		return p.arena.Bytes(s.uri), body, i == 0 && len(body) > 0
	}
	if i >= maxFiles {
		return nil, nil, false
	}
	m := append(append(p.made[madeBoundary][:0], "\r\n--"...), boundary...)
	p.made[madeBoundary] = m
	var rest []byte
	here := formPlace{flow: tx.Flow, tx: tx.ID, total: s.total, next: i, at: p.form.at}
	switch {
	case i > 0 && p.form == here && here.at <= len(body): // the last one shown was the one before
		rest, i = body[here.at:], 0
	case bytes.HasPrefix(body, m[2:]):
		rest = body[len(m)-2:]
	default:
		rest = behind(body, m)
	}
	for len(rest) > 0 && !bytes.HasPrefix(rest, []byte("--")) {
		head, content, whole := bytes.Cut(rest, []byte("\r\n\r\n"))
		if !whole {
			break
		}
		end := bytes.Index(content, m)
		if end < 0 {
			end = len(content)
			if !s.complete { // the boundary may have begun
				end = max(end-len(m)+1, 0)
			}
			rest = nil
		} else {
			rest = content[end+len(m):]
		}
		if name, ok = fileName(head); !ok {
			continue
		}
		if i == 0 {
			here.next, here.at = here.next+1, len(body)-len(rest)
			p.form = here
			return name, content[:end], true
		}
		i--
	}
	return nil, nil, false
}

// InParts reports whether a request's body is a form in parts, each of which may be a file.
func (p *Parser) InParts(tx *Tx) bool { return tx.method == postMethod && p.boundary(tx) != nil }

// boundary is what stands between the parts of a request's body, nil where it has none (RFC 2046, section 5.1.1).
func (p *Parser) boundary(tx *Tx) []byte {
	v, _ := p.get(&tx.side[proto.ToServer], "content-type")
	if !hasPrefix(v, "multipart/form-data") {
		return nil
	}
	b, ok := param(v, "boundary")
	if !ok || len(b) == 0 || len(b) > 200 {
		return nil
	}
	return b
}

func behind(b, what []byte) []byte {
	i := bytes.Index(b, what)
	if i < 0 {
		return nil
	}
	return b[i+len(what):]
}

// fileName is that of a part's Content-Disposition.
func fileName(head []byte) (name []byte, ok bool) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if hasPrefix(line, "content-disposition:") {
			return param(line, "filename")
		}
	}
	return nil, false
}

// param is the value of a parameter of a field, in quotes or not.
func param(v []byte, name string) (value []byte, ok bool) {
	for {
		i := bytes.IndexByte(v, ';')
		if i < 0 {
			return nil, false
		}
		for v = v[i+1:]; len(v) > 0 && isSpace(v[0]); {
			v = v[1:]
		}
		if !hasPrefix(v, name) || len(v) == len(name) || v[len(name)] != '=' {
			continue
		}
		v = v[len(name)+1:]
		if len(v) > 0 && v[0] == '"' {
			v = v[1:]
			if end := bytes.IndexByte(v, '"'); end >= 0 {
				v = v[:end]
			}
			return v, true
		}
		if end := bytes.IndexByte(v, ';'); end >= 0 {
			v = v[:end]
		}
		return trim(v), true
	}
}
