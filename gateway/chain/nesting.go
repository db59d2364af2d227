package chain

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// maxNesting is how deep a configuration may be nested. The parser calls itself once a level and keeps what it read at each: 200 KB of opening brackets
// cost it gigabytes. What this gateway understands has no more than ten levels.
const maxNesting = 100

// tooDeep finds, without parsing, the place at which text is nested more than maxNesting deep: by brackets, by list dashes and explicit keys at the
// beginning of a line, or by indentation. Brackets count wherever they stand: text that has so many open ones in a quotation or a comment is refused, too.
func tooDeep(text string) (line, column int, deep bool) {
	brackets := 0
	var indents [maxNesting + 1]int // of the blocks that are open
	open := 0
	for line = 1; len(text) > 0; line++ {
		l, rest, _ := strings.Cut(text, "\n")
		text = rest
		if brackets == 0 && strings.TrimSpace(l) != "" {
			indent := len(l) - len(strings.TrimLeft(l, " "))
			for open > 0 && indents[open-1] >= indent {
				open--
			}
			if open > maxNesting {
				return line, indent + 1, true
			}
			indents[open] = indent
			open++
			marks := 0
			for at := indent; at < len(l); at++ {
				switch l[at] {
				case ' ', '\t':
					continue
				case '-', '?', ':':
					if marks++; marks > maxNesting {
						return line, at + 1, true
					}
					continue
				}
				break
			}
		}
		for i := range len(l) {
			switch l[i] {
			case '[', '{':
				if brackets++; brackets > maxNesting {
					return line, i + 1, true
				}
			case ']', '}':
				brackets = max(brackets-1, 0)
			}
		}
	}
	return 0, 0, false
}

// bounded notes a problem and reports false where the text is none that the parser should see.
func (r *reader) bounded() bool {
	if len(r.text) > maxConfig {
		r.problem(nil, "found %d bytes; expected at most %d: move rules into files of their own", len(r.text), maxConfig)
		return false
	}
	if line, column, deep := tooDeep(r.text); deep {
		r.problem(&token.Token{Position: &token.Position{Line: line, Column: column}}, "found more than %d levels of nesting; expected fewer: close brackets, and take indentation back", maxNesting)
		return false
	}
	return true
}

// decodeText takes a byte order mark from the beginning; a file in another encoding is none that YAML readers agree on.
func decodeText(text []byte) (string, error) {
	switch s := string(text); {
	case strings.HasPrefix(s, "\xef\xbb\xbf"):
		return s[3:], nil
	case strings.HasPrefix(s, "\xff\xfe"), strings.HasPrefix(s, "\xfe\xff"):
		return "", fmt.Errorf("found UTF-16; expected UTF-8: save it so")
	default:
		return s, nil
	}
}
