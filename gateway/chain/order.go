package chain

import (
	"fmt"
	"strings"
)

// order reads in which order packets from outside meet the functions.
func (r *reader) order(p pair, ch *Chain) {
	s, _ := plain(p.value)
	switch s {
	case "symmetric":
	case "fixed":
		ch.Fixed = true
	default:
		if s == "" {
			s = kind(p.value)
		}
		r.problem(r.valueToken(p), "order: found %s; expected symmetric (packets from outside meet the functions in reverse) or fixed (in the same order as those from inside)", s)
	}
}

// checkOrder refuses translators in a chain of fixed order: behind one, the two directions of a connection would be strangers to each other.
func (c *Compiled) checkOrder() error {
	if !c.Fixed {
		return nil
	}
	for i := range c.Stages {
		s := &c.Stages[i]
		for j := range s.Bundle.NFs {
			if f := &s.Bundle.NFs[j]; s.Pipeline.NeedsOf(j).Translates {
				return Place{File: f.File, Line: f.Line, Column: f.Column}.Problem(
					"%s translates addresses, which order: fixed of chain %s does not allow: functions on either side of it would see each direction of a connection as another flow; take order out, or say symmetric", f.Name, c.Name)
			}
		}
	}
	return nil
}

// Paths are the ways of packets through the chain, from inside and from outside: functions in the order in which they are met, with a bar
// between stages.
func (c *Compiled) Paths() (fromInside, fromOutside string) {
	var there, back []string
	for i := range c.Stages {
		for j := range c.Stages[i].Bundle.NFs {
			name := c.Stages[i].Bundle.NFs[j].Name
			sep := ", "
			if j == 0 {
				sep = " | "
			}
			there = append(there, sep, name)
		}
	}
	there = there[min(1, len(there)):]
	for i := len(there) - 1; i >= 0; i-- {
		back = append(back, there[i])
	}
	fromInside, fromOutside = strings.Join(there, ""), strings.Join(back, "")
	if c.Fixed {
		fromOutside = fromInside
	}
	return fmt.Sprintf("inside > %s > outside", fromInside), fmt.Sprintf("outside > %s > inside", fromOutside)
}
