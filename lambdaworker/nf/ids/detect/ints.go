package detect

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// MaxInts is how many variables of flowint a flow may have. More are not set, and counted.
const MaxInts = 8

// Ints are a flow's variables of flowint. One is known by the hash of its name, as a flowbit is.
type Ints struct {
	N      uint8
	IDs    [MaxInts]uint32
	Values [MaxInts]uint32
}

func (v *Ints) get(id uint32) (value uint32, ok bool) {
	for i := range int(v.N) {
		if v.IDs[i] == id {
			return v.Values[i], true
		}
	}
	return 0, false
}

// set returns false where there is no room.
func (v *Ints) set(id, value uint32) bool {
	for i := range int(v.N) {
		if v.IDs[i] == id {
			v.Values[i] = value
			return true
		}
	}
	if v.N == MaxInts {
		return false
	}
	v.IDs[v.N], v.Values[v.N] = id, value
	v.N++
	return true
}

// intOp is a compiled rule.Int.
type intOp struct {
	op       rule.IntOp
	isOther  bool
	id       uint32
	other    uint32     // the variable whose value counts, with isOther
	operand  uint32     // else this does
	compared rule.Range // IntCompare: the comparison; A is filled in
}

func compileInts(ints []rule.Int) (ops []intOp) {
	for _, i := range ints {
		ops = append(ops, intOp{
			op: i.Op, id: nameID(i.Name), isOther: i.Other != "", other: nameID(i.Other), operand: i.Value, compared: rule.Range{Op: i.Compare},
		})
	}
	return ops
}

// value of another variable that is not set is 0.
func (v *Ints) value(o *intOp) uint32 {
	if o.isOther {
		n, _ := v.get(o.other)
		return n
	}
	return o.operand
}

// holds reports whether the conditions among ops hold. A comparison with a variable that is not set does not.
func (v *Ints) holds(ops []intOp) bool {
	for i := range ops {
		o := &ops[i]
		if o.op.Changes() {
			continue
		}
		have, set := v.get(o.id)
		switch o.op {
		case rule.IntIsSet:
			if !set {
				return false
			}
		case rule.IntIsNotSet:
			if set {
				return false
			}
		case rule.IntCompare:
			r := o.compared
			if r.A = uint64(v.value(o)); !set || !r.Holds(uint64(have)) {
				return false
			}
		}
	}
	return true
}

// apply makes the changes among ops in their order and reports whether one found no room. Values wrap as unsigned ones of 32 bits
// do. What is added to a variable that is not set is its value; nothing can be taken from it.
func (v *Ints) apply(ops []intOp) (full bool) {
	for i := range ops {
		o := &ops[i]
		if !o.op.Changes() {
			continue
		}
		have, set := v.get(o.id)
		n := v.value(o)
		switch o.op {
		case rule.IntAdd:
			n += have
		case rule.IntSubtract:
			if !set {
				continue
			}
			n = have - n
		}
		full = !v.set(o.id, n) || full
	}
	return full
}

// Append appends the variables of a flow.
func (v *Ints) Append(dst []byte) []byte {
	dst = append(dst, v.N)
	for i := range int(v.N) {
		dst = binary.LittleEndian.AppendUint32(dst, v.IDs[i])
		dst = binary.LittleEndian.AppendUint32(dst, v.Values[i])
	}
	return dst
}

// Apply replaces the variables by what Append wrote at the beginning of data, and returns what follows.
func (v *Ints) Apply(data []byte) (rest []byte, err error) {
	*v = Ints{}
	if len(data) < 1 || data[0] > MaxInts || len(data) < 1+8*int(data[0]) {
		return data, errShort
	}
	v.N = data[0]
	data = data[1:]
	for i := range int(v.N) {
		v.IDs[i], v.Values[i] = binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
		data = data[8:]
	}
	return data, nil
}
