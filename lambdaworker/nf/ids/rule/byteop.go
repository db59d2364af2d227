package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// ByteOp is byte_test, byte_jump, byte_extract or byte_math: how a number is read, and what for.
type ByteOp struct {
	Bytes      Value
	Offset     Value
	Little     bool
	Base       int // 0 binary; 8, 10, 16 or AnyBase as text
	Mask       uint32
	Multiplier int64

	Op     byte // byte_test: < > = l(<=) g(>=) & ^; byte_math: + - * / l(<<) r(>>)
	Value  Value
	Result int // byte_extract, byte_math: index of the variable

	Align      int  // byte_jump, byte_extract: 0, 2 or 4
	From       byte // byte_jump: 0 here, 'b' beginning, 'e' end
	PostOffset Value
}

// AnyBase is the base of a number as text that says its base itself: 0x12, 012, 12.
const AnyBase = 1

func (p *parser) byteKeyword(kind ItemKind, arg string) (*Item, error) {
	if kind == ByteMath {
		return p.byteMath(arg)
	}
	words := commas(arg)
	it := &Item{Kind: kind}
	b := &it.Byte
	b.Multiplier = 1
	want := map[ItemKind]int{ByteTest: 4, ByteJump: 2, ByteExtract: 3}[kind]
	if len(words) < want {
		return nil, fmt.Errorf("%q has %d values, at least %d are needed", arg, len(words), want)
	}
	var err error
	if b.Bytes, err = p.value(words[0], 0, 23); err != nil {
		return nil, err
	}
	switch kind {
	case ByteTest:
		if err = byteTestOp(it, words[1]); err == nil {
			if b.Value, err = p.value(words[2], -1<<31, 1<<63-1); err == nil {
				b.Offset, err = p.value(words[3], -65535, 65535)
			}
		}
	case ByteJump:
		b.Offset, err = p.value(words[1], -65535, 65535)
	case ByteExtract:
		if b.Offset, err = p.value(words[1], -65535, 65535); err == nil {
			b.Result, err = p.define(words[2])
		}
	}
	if err != nil {
		return nil, err
	}
	for _, w := range words[want:] {
		if err := p.byteOption(it, w); err != nil {
			return nil, err
		}
	}
	if b.Base == 0 && b.Bytes.Var == 0 && (b.Bytes.N < 1 || b.Bytes.N > 8) && !(kind == ByteJump && b.Bytes.N == 0) {
		return nil, fmt.Errorf("%d bytes are no binary number; 1 to 8 are, or say string", b.Bytes.N)
	}
	return it, nil
}

func byteTestOp(it *Item, w string) error {
	if strings.HasPrefix(w, "!") {
		it.Negated = true
		w = strings.TrimSpace(w[1:])
	}
	switch w {
	case "<", ">", "=", "&", "^":
		it.Byte.Op = w[0]
	case "<=":
		it.Byte.Op = 'l'
	case ">=":
		it.Byte.Op = 'g'
	case "":
		it.Byte.Op = '=' // "!" alone
	default:
		return fmt.Errorf("%q is no operator; < > = <= >= & ^ are", w)
	}
	return nil
}

func (p *parser) byteOption(it *Item, w string) (err error) {
	b := &it.Byte
	name, arg, _ := strings.Cut(w, " ")
	arg = strings.TrimSpace(arg)
	switch name {
	case "relative":
		it.Relative = true
	case "big":
	case "little":
		b.Little = true
	case "endian":
		b.Little = arg == "little"
	case "string":
		if b.Base == 0 {
			b.Base = AnyBase
		}
	case "hex":
		b.Base = 16
	case "dec":
		b.Base = 10
	case "oct":
		b.Base = 8
	case "align":
		b.Align = 4
		if arg != "" {
			b.Align, err = strconv.Atoi(arg)
		}
		if err != nil || b.Align != 2 && b.Align != 4 {
			return fmt.Errorf("align %s: 2 or 4 are possible", arg)
		}
	case "multiplier":
		v, err := p.value(arg, 1, 65535)
		if err != nil {
			return err
		}
		b.Multiplier = v.N
	case "from_beginning":
		b.From = 'b'
	case "from_end":
		b.From = 'e'
	case "post_offset":
		b.PostOffset, err = p.value(arg, -65535, 65535)
		return err
	case "bitmask":
		m, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(arg, "0x"), "0X"), 16, 32)
		if err != nil || m == 0 {
			return fmt.Errorf("bitmask %q is no hexadecimal number of up to 32 bits", arg)
		}
		b.Mask = uint32(m)
	default:
		return fmt.Errorf("%q is not supported here", w)
	}
	return nil
}

func (p *parser) byteMath(arg string) (*Item, error) {
	it := &Item{Kind: ByteMath}
	b := &it.Byte
	b.Multiplier = 1
	result, rvalue, bytes := "", "", ""
	for _, w := range commas(arg) {
		name, val, _ := strings.Cut(w, " ")
		val = strings.TrimSpace(val)
		var err error
		switch name {
		case "bytes":
			bytes = val
			b.Bytes, err = p.value(val, 1, 10)
		case "offset":
			b.Offset, err = p.value(val, -65535, 65535)
		case "oper":
			switch val {
			case "+", "-", "*", "/":
				b.Op = val[0]
			case "<<":
				b.Op = 'l'
			case ">>":
				b.Op = 'r'
			default:
				err = fmt.Errorf("%q is no operator; + - * / << >> are", val)
			}
		case "rvalue":
			rvalue = val
			b.Value, err = p.value(val, 0, 1<<32-1)
		case "result":
			result = val
		case "string":
			b.Base = map[string]int{"hex": 16, "oct": 8}[val]
			if b.Base == 0 {
				b.Base = 10
			}
		default:
			err = p.byteOption(it, w)
		}
		if err != nil {
			return nil, err
		}
	}
	if result == "" || rvalue == "" || bytes == "" || b.Op == 0 {
		return nil, fmt.Errorf("bytes, offset, oper, rvalue and result are all needed")
	}
	var err error
	b.Result, err = p.define(result)
	return it, err
}

// value reads a number, decimal or 0x, or the name of a variable that was defined before.
func (p *parser) value(text string, lo, hi int64) (Value, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		// 08 is a number to those who write rules.
		n, err = strconv.ParseInt(text, 10, 64)
	}
	if err == nil {
		if n < lo || n > hi {
			return Value{}, fmt.Errorf("%s is out of range %d to %d", text, lo, hi)
		}
		return Value{N: n}, nil
	}
	for i, name := range p.vars {
		if name == text {
			return Value{Var: i + 1}, nil
		}
	}
	return Value{}, fmt.Errorf("%q is neither a number nor a variable that byte_extract or byte_math defined before", text)
}

// maxVars is how many variables a rule may define.
const maxVars = 16

func (p *parser) define(name string) (int, error) {
	name = strings.TrimSpace(name)
	if name == "" || !(name[0] >= 'a' && name[0] <= 'z' || name[0] >= 'A' && name[0] <= 'Z' || name[0] == '_') {
		return 0, fmt.Errorf("%q is no name of a variable", name)
	}
	for i, v := range p.vars {
		if v == name {
			return i, nil
		}
	}
	if len(p.vars) == maxVars {
		return 0, fmt.Errorf("a rule may define %d variables", maxVars)
	}
	p.vars = append(p.vars, name)
	return len(p.vars) - 1, nil
}

// commas splits at commas and trims.
func commas(s string) []string {
	out := strings.Split(s, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
