package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// Ports is a set of ports: sorted ranges.
type Ports struct {
	Any   bool
	Spans []PortSpan
}

// PortSpan is the ports Lo to Hi, both included.
type PortSpan struct{ Lo, Hi uint16 }

// Contains reports whether p is in the set.
func (s *Ports) Contains(p uint16) bool {
	if s.Any {
		return true
	}
	for _, r := range s.Spans {
		if p <= r.Hi {
			return p >= r.Lo
		}
	}
	return false
}

// portBits is a set of ports while it is made.
type portBits [1024]uint64

func (b *portBits) fill(lo, hi uint16) {
	for p := int(lo); p <= int(hi); p++ {
		b[p>>6] |= 1 << (p & 63)
	}
}

func (b *portBits) spans() (out []PortSpan) {
	open := -1
	for p := 0; p <= 65536; p++ {
		in := p < 65536 && b[p>>6]>>(p&63)&1 != 0
		if in && open < 0 {
			open = p
		}
		if !in && open >= 0 {
			out = append(out, PortSpan{uint16(open), uint16(p - 1)})
			open = -1
		}
	}
	return out
}

func (v *Vars) portSet(text string) (Ports, error) {
	b, err := v.ports(text, 0)
	if err != nil {
		return Ports{}, err
	}
	s := Ports{Spans: b.spans()}
	switch {
	case len(s.Spans) == 0:
		return s, fmt.Errorf("%q matches no port", text)
	case s.Spans[0] == PortSpan{0, 65535}:
		return Ports{Any: true}, nil
	}
	return s, nil
}

// ports reads a port, a range a:b open at either end, a [list] of those, a $VARIABLE, any of them behind a '!'.
func (v *Vars) ports(text string, depth int) (*portBits, error) {
	text = bracketed(strings.TrimSpace(text))
	b := new(portBits)
	switch {
	case depth > maxNesting:
		return b, fmt.Errorf("lists or variables are nested deeper than %d", maxNesting)
	case text == "":
		return b, fmt.Errorf("a port is missing")
	case text[0] == '!':
		in, err := v.ports(text[1:], depth+1)
		for i := range b {
			b[i] = ^in[i]
		}
		return b, err
	case strings.EqualFold(text, "any"):
		b.fill(0, 65535)
		return b, nil
	case text[0] == '$':
		value, ok := v.Port[text[1:]]
		if !ok {
			return b, fmt.Errorf("port variable %s is not defined; set it in the option vars.port", text)
		}
		return v.ports(value, depth+1)
	case text[0] == '[':
		return v.portList(text, depth)
	}
	lo, hi, ranged := strings.Cut(text, ":")
	if !ranged {
		hi = lo
	}
	if lo == "" {
		lo = "0"
	}
	if hi == "" {
		hi = "65535"
	}
	l, err1 := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	h, err2 := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	if err1 != nil || err2 != nil || l > h {
		return b, fmt.Errorf("%q is no port, range, list or variable", text)
	}
	b.fill(uint16(l), uint16(h))
	return b, nil
}

func (v *Vars) portList(text string, depth int) (*portBits, error) {
	var in, out portBits
	items, err := list(text)
	if err != nil {
		return &in, err
	}
	positive := false
	for _, it := range items {
		to := &in
		if strings.HasPrefix(it, "!") {
			it, to = it[1:], &out
		} else {
			positive = true
		}
		b, err := v.ports(it, depth+1)
		if err != nil {
			return b, err
		}
		for i := range to {
			to[i] |= b[i]
		}
	}
	if !positive {
		in.fill(0, 65535)
	}
	for i := range in {
		in[i] &^= out[i]
	}
	return &in, nil
}
