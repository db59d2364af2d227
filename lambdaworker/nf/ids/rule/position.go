package rule

import "strings"

// Problem is why a rule was left out.
type Problem struct {
	File         string
	Line, Column int    // of the keyword that is the cause
	SID          uint32 // 0 if the rule got no further
	Keyword      string // the cause: a keyword, or a part of the header
	Message      string
	Rule         string // the rule's text
}

// source is one rule on one line of text, and where each part of it stood.
type source struct {
	text  string
	parts []part
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

// split cuts a file into rules. A line that ends in a backslash goes on in the next one; blank lines and # comments
// are no rules.
func split(text string) []source {
	var out []source
	var cur source
	for n, line := range strings.Split(text, "\n") {
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
		cur.parts = append(cur.parts, part{len(cur.text), n + 1, 1})
		cur.text += body
		if !more {
			out = append(out, cur)
			cur = source{}
		}
	}
	if len(cur.parts) > 0 {
		out = append(out, cur)
	}
	return out
}
