package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// PickMode says which of several values of a transaction a comparison is about, as Suricata's multi-integers have it.
type PickMode uint8

// Modes.
const (
	PickAny         PickMode = iota // one of them
	PickOrAbsent                    // one of them, or there is none
	PickAll                         // all of them, and there is one
	PickAllOrAbsent                 // all of them
	PickCount                       // as many as Count says
	PickAt                          // the Index-th; behind a minus from the end
	PickAtOrOut                     // the Index-th, or there are fewer
	PickNumber                      // Count compares how many there are, whatever they are
)

// Pick is which of several values a comparison is about. The values are those from From up to To, both from the end if negative; a
// To of 0 is the end.
type Pick struct {
	Mode     PickMode
	Index    int
	Count    Range
	From, To int
}

// picks are the modes that take no number.
var picks = map[string]PickMode{"any": PickAny, "or_absent": PickOrAbsent, "all": PickAll, "all_or_absent": PickAllOrAbsent}

// multi reads  comparison[,which[,from:to]]  or  count comparison .
func multi(arg string, max uint64, names map[string]uint64) (Range, Pick, error) {
	words := commas(arg)
	var p Pick
	if rest, ok := strings.CutPrefix(words[0], "count"); ok && len(words) == 1 {
		p.Mode = PickNumber
		var err error
		p.Count, err = number(rest, 1<<32-1, nil)
		return Range{}, p, err
	}
	r, err := number(words[0], max, names)
	if err == nil && len(words) > 3 {
		err = fmt.Errorf("%q has more than a comparison, an index and a slice", arg)
	}
	if err == nil && len(words) > 1 {
		err = p.which(words[1])
	}
	if err == nil && len(words) > 2 {
		err = p.slice(words[2])
	}
	return r, p, err
}

func (p *Pick) which(w string) (err error) {
	if m, ok := picks[w]; ok {
		p.Mode = m
		return nil
	}
	if rest, ok := strings.CutPrefix(w, "nb"); ok {
		p.Mode = PickCount
		p.Count, err = number(rest, 1<<32-1, nil)
		return err
	}
	p.Mode = PickAt
	n, ok := strings.CutPrefix(w, "oob_or")
	if ok {
		p.Mode = PickAtOrOut
	}
	if p.Index, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
		return fmt.Errorf("%q is no index; any all all_or_absent or_absent nb<comparison> oob_or<number> and a number are", w)
	}
	return nil
}

func (p *Pick) slice(w string) error {
	from, to, ok := strings.Cut(w, ":")
	var err1, err2 error
	if from != "" {
		p.From, err1 = strconv.Atoi(from)
	}
	if to != "" {
		p.To, err2 = strconv.Atoi(to)
	}
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("%q is no slice; from:to is one", w)
	}
	return nil
}

// Holds reports whether the values at(0), at(1)... up to the first that isn't there satisfy r as p says.
func (p *Pick) Holds(r Range, at func(i int) (uint64, bool)) bool {
	n := 0
	for _, ok := at(n); ok; _, ok = at(n) {
		n++
	}
	if p.Mode == PickNumber {
		return p.Count.Holds(uint64(n))
	}
	from, to := p.From, p.To
	if from < 0 {
		from += n
	}
	if to <= 0 {
		to += n
	}
	if from < 0 || to > n || from > to {
		from, to = 0, 0
	}
	n = to - from
	if p.Mode == PickAt || p.Mode == PickAtOrOut {
		i := p.Index
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return p.Mode == PickAtOrOut
		}
		x, _ := at(from + i)
		return r.Holds(x)
	}
	hits := 0
	for i := from; i < to; i++ {
		if x, _ := at(i); r.Holds(x) {
			hits++
		}
	}
	switch p.Mode {
	case PickOrAbsent:
		return hits > 0 || n == 0
	case PickAll:
		return hits == n && n > 0
	case PickAllOrAbsent:
		return hits == n
	case PickCount:
		return p.Count.Holds(uint64(hits))
	}
	return hits > 0
}
