package chain

import (
	"strings"
	"unicode/utf8"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// relocate gives problems about files that can't be read the place where the configuration names the file: the file
// itself has no line to point at. unread are the names asked for in vain.
func relocate(problems nf.Problems, functions []nf.BundleNF, unread map[string]bool) {
	for i := range problems {
		p := &problems[i]
		if p.Line != 0 || !unread[p.File] {
			continue
		}
		for _, f := range functions {
			at := strings.Index(f.Options, p.File)
			if at < 0 {
				continue // named by another file
			}
			before := f.Options[:at]
			p.Message = p.File + ": " + p.Message
			p.File, p.Line, p.Column = f.File, f.Line, f.Column+utf8.RuneCountInString(before)
			if n := strings.LastIndexByte(before, '\n'); n >= 0 {
				p.Line += strings.Count(before, "\n")
				p.Column = utf8.RuneCountInString(before[n+1:]) + 1
			}
			break
		}
	}
}
