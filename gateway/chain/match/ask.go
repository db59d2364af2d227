package match

import "encoding/binary"

// answer is what a test says of a packet. short is that of a test that reached past the captured bytes: it ends the
// whole expression, as a load past the end ends a BPF program.
type answer uint8

const (
	no answer = iota
	yes
	short
)

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

// test is a question about a frame that was wire bytes long.
type test interface {
	ask(frame []byte, wire uint32) answer
}

type (
	both   struct{ a, b test }
	either struct{ a, b test }
	not    struct{ a test }
)

func (t both) ask(f []byte, w uint32) answer {
	if a := t.a.ask(f, w); a != yes {
		return a
	}
	return t.b.ask(f, w)
}

func (t either) ask(f []byte, w uint32) answer {
	if a := t.a.ask(f, w); a != no {
		return a
	}
	return t.b.ask(f, w)
}

func (t not) ask(f []byte, w uint32) answer {
	switch t.a.ask(f, w) {
	case yes:
		return no
	case no:
		return yes
	}
	return short
}

func allOf(ts ...test) test {
	all := ts[0]
	for _, t := range ts[1:] {
		all = both{all, t}
	}
	return all
}

func anyOf(ts ...test) test {
	all := ts[0]
	for _, t := range ts[1:] {
		all = either{all, t}
	}
	return all
}

// load reads size bytes, 1, 2 or 4, at offset at.
func load(f []byte, at, size uint32) (v uint32, ok bool) {
	if n := uint32(len(f)); at >= n || size > n-at {
		return 0, false
	}
	switch size {
	case 1:
		return uint32(f[at]), true
	case 2:
		return uint32(binary.BigEndian.Uint16(f[at:])), true
	}
	return binary.BigEndian.Uint32(f[at:]), true
}

// field asks whether size bytes at a fixed place, under a mask, are within low..high.
type field struct {
	at, size, mask uint32
	low, high      uint32
}

func (t field) ask(f []byte, _ uint32) answer {
	v, ok := load(f, t.at, t.size)
	if !ok {
		return short
	}
	v &= t.mask
	return answerOf(t.low <= v && v <= t.high)
}

func equal(at, size, value uint32) test { return field{at, size, ^uint32(0), value, value} }

// behindIPv4 asks whether the two bytes at offset of the header behind the IPv4 header at ip are within low..high.
type behindIPv4 struct {
	ip, offset uint32
	low, high  uint32
}

func (t behindIPv4) ask(f []byte, _ uint32) answer {
	size, ok := headerLen(f, t.ip)
	if !ok {
		return short
	}
	v, ok := load(f, t.ip+size+t.offset, 2)
	if !ok {
		return short
	}
	return answerOf(t.low <= v && v <= t.high)
}

// headerLen returns the length of the IPv4 header at ip by its own word.
func headerLen(f []byte, ip uint32) (size uint32, ok bool) {
	v, ok := load(f, ip, 1)
	return v & 15 * 4, ok
}

// bytesAt asks for bytes under a mask, both of the same length.
type bytesAt struct {
	at          uint32
	value, mask []byte
}

func (t bytesAt) ask(f []byte, _ uint32) answer {
	n := uint32(len(f))
	if t.at >= n || uint32(len(t.value)) > n-t.at {
		return short
	}
	for i, v := range t.value {
		if f[t.at+uint32(i)]&t.mask[i] != v {
			return no
		}
	}
	return yes
}

// wireLen asks whether the frame was low to high bytes long.
type wireLen struct{ low, high uint32 }

func (t wireLen) ask(_ []byte, w uint32) answer { return answerOf(t.low <= w && w <= t.high) }
