package rule

import "strings"

// Problem is why a rule was left out.
type Problem struct {
	File         string
	Line, Column int    // of the keyword that is the cause
	SID          uint32 // 0 if the rule got no further
	Keyword      string // the cause: a keyword, or a part of the header
	Message      string
	Fix          string // the word that was probably meant; empty if none is near
}

// source is one rule on one line of text, and where each part of it stood.
type source struct {
	text  string
	parts []part
	long  bool // it was cut
}

// part is the run of source.text that starts at offset at, and stood at line, column of the file.
type part struct{ at, line, column int }

func (s *source) position(at int) (line, column int) {
	for i := len(s.parts) - 1; i >= 0; i-- {
		if p := s.parts[i]; at >= p.at {
			return p.line, p.column + at - p.at
		}
	}
	return 0, 0
}

// maxRule bounds the text of one rule. The longest of public sets have 8 KB.
const maxRule = 64 << 10

// split cuts a file into rules, one after the other. A line that ends in a backslash goes on in the next one; blank lines and # comments
// are no rules. Of a rule that is too long only the beginning is handed on. It ends where each returns false.
func split(text string, each func(*source) bool) {
	var cur source
	var lines []byte // of a rule of several
	n := -1
	end := func() bool {
		if len(lines) > 0 {
			cur.text = string(lines[:min(len(lines), maxRule)])
		}
		cur.text = cur.text[:min(len(cur.text), maxRule)]
		goOn := each(&cur)
		cur, lines = source{}, lines[:0]
		return goOn
	}
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSuffix(line, "\r")
		trimmed := strings.TrimLeft(line, " \t")
		if len(cur.parts) == 0 && (trimmed == "" || trimmed[0] == '#') {
			continue
		}
		body := strings.TrimRight(line, " \t")
		more := strings.HasSuffix(body, "\\")
		if more {
			body = body[:len(body)-1]
		}
		if !cur.long {
			cur.parts = append(cur.parts, part{len(lines), n + 1, 1})
		}
		switch {
		case len(cur.parts) == 1 && !more:
			cur.text = body
		case !cur.long:
			lines = append(lines, body...)
		}
		cur.long = cur.long || max(len(lines), len(cur.text)) > maxRule
		if !more && !end() {
			return
		}
	}
	if len(cur.parts) > 0 {
		end()
	}
}
