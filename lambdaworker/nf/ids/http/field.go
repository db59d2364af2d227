package http

// field is one header field as it stands in a head: its value still has folds.
type field struct {
	name       []byte
	value      []byte // the first line's part
	from, next int    // the value's first byte, and where the next field begins
	folded     bool
}

// found is what nextField came upon.
type found uint8

const (
	more found = iota // the bytes end before it can be said
	one               // a field
	end               // the end of the head
)

// nextField reads the field at offset i of head. Responses are read as browsers do, where CR alone and LF CR end a line as
// well; requests as servers do. all says that no bytes will follow. Folded values are put together in join, which is grown.
//
// The grammar is that of the model's header parser, with its odd ends of line ("\n\r\r\n" before another, "\r\n\r" and
// blanks) and its one ambiguity: a folded line that looks like "name:" is a field of its own in a response.
func nextField(head []byte, i int, response, all bool, join []byte) (f field, joined []byte, what found) {
	joined = join[:0]
	n, ok := lineEnd(head, i, response, all)
	if !ok {
		return f, joined, more
	}
	if n > 0 {
		f.next = i + n
		return f, joined, end
	}
	colon, ok := nameEnd(head, i, response, all)
	if !ok {
		return f, joined, more
	}
	at := i
	if colon >= 0 {
		f.name = trim(head[i:colon])
		at = colon + 1
		for at < len(head) && (head[at] == ' ' || head[at] == '\t') {
			at++
		}
	}
	f.from = at
	for folds := 0; ; folds++ {
		e, ok := valueEnd(head, at, response, all)
		if !ok {
			return f, joined, more
		}
		part := head[at:e]
		if folds == 0 {
			f.value = part
		}
		n, fold, ok := terminator(head, e, response, all)
		if !ok {
			return f, joined, more
		}
		if folds > 0 {
			if len(joined) > 0 {
				joined = append(joined, head[at-1])
			}
			if len(part) == 0 && n == 1 && !(e+n < len(head) && head[e+n] == '\n') {
				// A line of blanks with a bare LF: what the blanks hide is the end of the head.
				f.next = at
				f.value, f.folded = trim(joined), true
				return f, joined, one
			}
			joined = append(joined, part...)
		}
		f.next = e + n
		if !fold || folds == maxFolds {
			break
		}
		if folds == 0 {
			joined = append(joined, part...)
			f.folded = true
		}
		at = e + n + 1 // behind the blank that folds
		if response {
			isName, ok := looksLikeName(head, at, all)
			if !ok {
				return f, joined, more
			}
			if isName {
				f.next = at
				break
			}
		}
	}
	if f.folded {
		f.value = joined
	}
	f.value = trim(f.value)
	return f, joined, one
}

// maxFolds bounds the lines of one value: each new segment could add one, and the value is read again.
const maxFolds = 128

// lineEnd returns the length of the end of line at offset i, 0 if there is none; not ok asks for more bytes.
func lineEnd(b []byte, i int, response, all bool) (n int, ok bool) {
	if i >= len(b) {
		return 0, all
	}
	switch b[i] {
	case '\r':
		if i+1 >= len(b) {
			return 1, all
		}
		if b[i+1] == '\n' {
			return 2, true
		}
		if response {
			return 1, true
		}
	case '\n':
		return 1, true
	}
	return 0, true
}

// nameEnd returns the place of the colon that ends the name at i, or -1 if the line ends before one.
func nameEnd(b []byte, i int, response, all bool) (colon int, ok bool) {
	ended := byte(0)
	for k := i; k < len(b); k++ {
		c := b[k]
		switch {
		case ended == 0:
			if c == ':' {
				return k, true
			}
			if c == '\n' || response && c == '\r' {
				ended = c
			}
		case c == ' ': // a fold within the name
			ended = 0
		case c == '\n' && ended == '\r':
			ended = c
		default:
			return -1, true
		}
	}
	return -1, all
}

// valueEnd returns where the line from at on ends, before its CR if it has one.
func valueEnd(b []byte, at int, response, all bool) (e int, ok bool) {
	for e = at; e < len(b); e++ {
		if c := b[e]; c == '\n' || response && c == '\r' {
			if c == '\n' && e > at && b[e-1] == '\r' {
				e--
			}
			return e, true
		}
	}
	return e, all
}

// terminator returns the length of the end of line at e, which follows a value, and whether the next line continues it.
func terminator(b []byte, e int, response, all bool) (n int, fold, ok bool) {
	if e >= len(b) {
		return 0, false, all
	}
	at := func(k int) (byte, bool) { // byte k behind e
		if e+k < len(b) {
			return b[e+k], true
		}
		return 0xff, all
	}
	c1, ok := at(1)
	if !ok {
		return 0, false, false
	}
	n = 1
	if b[e] == '\r' && c1 == '\n' || response && b[e] == '\n' && c1 == '\r' {
		n = 2
	}
	if b[e] == '\n' && c1 == '\r' {
		// "\n\r\r\n" and "\n\r" are one end of line if another follows; else the CR belongs to it only in a response.
		c2, ok2 := at(2)
		c3, ok3 := at(3)
		if !ok2 {
			return 0, false, false
		}
		if c2 == '\r' {
			c4, ok4 := at(4)
			c5, ok5 := at(5)
			if !ok3 || c3 == '\n' && (!ok4 || c4 == '\r' && !ok5) {
				return 0, false, false
			}
			if c3 == '\n' && (c4 == '\n' || c4 == '\r' && c5 == '\n') {
				return 4, false, true
			}
		}
		if !response && c2 == '\r' && c3 == '\n' {
			return 2, false, true
		}
		if c2 == '\n' && response { // "\n" and then "\r\n", the end of the head
			return 1, false, true
		}
	}
	next, ok := at(n)
	if !ok {
		return 0, false, false
	}
	if isBlank(next) && e+n < len(b) {
		return n, true, true
	}
	if response && n == 2 && b[e] == '\r' && next == '\r' {
		// "\r\n\r", blanks, perhaps "\n": a line of nothing within the head, unless an end of line follows.
		k := 3
		for {
			c, ok := at(k)
			if !ok {
				return 0, false, false
			}
			if c != '\r' && c != ' ' && c != '\t' || e+k >= len(b) {
				break
			}
			k++
		}
		if k > 3 {
			if c, _ := at(k); c == '\n' {
				k++
			}
			c, ok := at(k)
			d, ok2 := at(k + 1)
			if !ok || c == '\r' && !ok2 {
				return 0, false, false
			}
			if c != '\n' && !(c == '\r' && d == '\n') {
				return k, false, true
			}
		}
	}
	return n, false, true
}

// looksLikeName reports whether blanks, a token, blanks and a colon stand at i.
func looksLikeName(b []byte, i int, all bool) (is, ok bool) {
	skip := func() {
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
	}
	skip()
	from := i
	for i < len(b) && isToken(b[i]) {
		i++
	}
	token := i > from
	skip()
	if i >= len(b) {
		return false, all
	}
	return token && b[i] == ':', true
}
