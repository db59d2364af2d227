package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// IntOp is what a flowint keyword does.
type IntOp uint8

// Operations on a flow's variables.
const (
	IntSet IntOp = iota
	IntAdd
	IntSubtract
	IntIsSet
	IntIsNotSet
	IntCompare
)

// Changes reports whether the operation gives the variable a value, rather than asking for it.
func (o IntOp) Changes() bool { return o <= IntSubtract }

// Int is one flowint keyword.
type Int struct {
	Op      IntOp
	Compare RangeOp // of IntCompare
	Name    string
	Value   uint32
	Other   string // the variable whose value stands for Value, if not empty
}

var intOps = map[string]Int{
	"=": {Op: IntSet}, "+": {Op: IntAdd}, "-": {Op: IntSubtract}, "isset": {Op: IntIsSet}, "notset": {Op: IntIsNotSet}, "isnotset": {Op: IntIsNotSet},
	"==": {Op: IntCompare, Compare: Equal}, "!=": {Op: IntCompare, Compare: NotEqual}, "<": {Op: IntCompare, Compare: Less},
	"<=": {Op: IntCompare, Compare: LessEqual}, ">": {Op: IntCompare, Compare: Greater}, ">=": {Op: IntCompare, Compare: GreaterEqual},
}

// flowInt is  name, +, 1  or  name, ==, other  or  name, isset .
func (p *parser) flowInt(arg string, _ int) error {
	w := commas(arg)
	if !isVariable(w[0]) {
		return fmt.Errorf("%q is no name of a variable; a letter, then letters, digits and _ . / are", w[0])
	}
	if len(w) < 2 {
		return fmt.Errorf("%q says nothing about the variable; it is of the form name, +, 1 or name, isset", w[0])
	}
	i, ok := intOps[w[1]]
	if !ok {
		return fmt.Errorf("%q is no operation; = + - == != < <= > >= isset notset isnotset are", w[1])
	}
	i.Name = w[0]
	if asks := i.Op == IntIsSet || i.Op == IntIsNotSet; asks && len(w) != 2 || !asks && len(w) != 3 {
		return fmt.Errorf("%q: = + - and comparisons have a value, isset and notset have none", strings.TrimSpace(arg))
	}
	if len(w) == 3 {
		n, err := strconv.ParseUint(w[2], 10, 32)
		switch {
		case err == nil:
			i.Value = uint32(n)
		case isVariable(w[2]):
			i.Other = w[2]
		default:
			return fmt.Errorf("%q is neither a number from 0 to %d nor a variable", w[2], uint32(1<<32-1))
		}
	}
	p.rule.Ints = append(p.rule.Ints, i)
	return nil
}

func isVariable(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte("_./", c) < 0) {
			return false
		}
	}
	return s != ""
}
