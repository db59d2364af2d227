package rule

import (
	"fmt"
	"strings"
	"time"
)

var dateForms = []string{"2006-01", "2006-01-02", "2006-01-02 15", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006"}

// date reads >DATE, <DATE, DATE<>DATE or DATE into seconds since the Unix epoch.
func (p *parser) date(b Buffer, arg string, at int) error {
	s := strings.Trim(strings.TrimSpace(arg), `"`)
	one := func(s string) (uint64, error) {
		for _, f := range dateForms {
			if t, err := time.Parse(f, strings.TrimSpace(s)); err == nil {
				return uint64(max(t.Unix(), 0)), nil
			}
		}
		return 0, fmt.Errorf("%q is no date of the form 2006-01-02T15:04:05, or a beginning of it", s)
	}
	r := Range{Op: Equal}
	var err error
	if lo, hi, ok := strings.Cut(s, "<>"); ok {
		r.Op = Between
		if r.A, err = one(lo); err == nil {
			r.B, err = one(hi)
		}
	} else {
		switch {
		case strings.HasPrefix(s, "<"):
			r.Op, s = Less, s[1:]
		case strings.HasPrefix(s, ">"):
			r.Op, s = Greater, s[1:]
		}
		r.A, err = one(s)
	}
	if err != nil {
		return err
	}
	return p.addValue(b, at, &Item{Kind: Compare, Range: r})
}
