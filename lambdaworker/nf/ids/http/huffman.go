package http

import "math/bits"

const fastBits = 10

// huffman decodes one canonical code: short codes by one look into fast, long ones by counting.
type huffman struct {
	fast   [1 << fastBits]uint16 // symbol<<4 | length, 0 where the code is longer
	count  [16]uint16
	symbol [288]uint16
}

// build makes the code of lens and reports whether it is one. An incomplete code is allowed if it has one symbol, or
// none (a block without matches), and partial is set.
func (h *huffman) build(lens []uint8, partial bool) bool {
	h.count = [16]uint16{}
	for _, l := range lens {
		h.count[l]++
	}
	h.count[0] = 0
	left, used := 1, 0
	for l := 1; l < 16; l++ {
		left = left<<1 - int(h.count[l])
		if left < 0 {
			return false
		}
		used += int(h.count[l])
	}
	if left > 0 && (!partial && used != 1 || used > 1 && !(len(lens) == 30)) {
		return false
	}
	var offs, code [16]uint16
	for l := 1; l < 15; l++ {
		offs[l+1] = offs[l] + h.count[l]
		code[l+1] = (code[l] + h.count[l]) << 1
	}
	clear(h.fast[:])
	for s, l := range lens {
		if l == 0 {
			continue
		}
		h.symbol[offs[l]] = uint16(s)
		offs[l]++
		c := code[l]
		code[l]++
		if l > fastBits {
			continue
		}
		for i := bits.Reverse16(c) >> (16 - l); i < 1<<fastBits; i += 1 << l {
			h.fast[i] = uint16(s)<<4 | uint16(l)
		}
	}
	return true
}

// quick is decode where there are bits enough for any code; length 0 is no code.
func (h *huffman) quick(v uint64) (sym int, length uint) {
	if e := h.fast[v&(1<<fastBits-1)]; e != 0 {
		return int(e >> 4), uint(e & 15)
	}
	if sym, length = h.decode(v, 15); sym < 0 {
		return 0, 0
	}
	return sym, length
}

// decode returns the symbol that the n bits in v begin with, and the length of its code; length 0 asks for more bits, and
// symbol -1 is no code.
func (h *huffman) decode(v uint64, n uint) (sym int, length uint) {
	if e := h.fast[v&(1<<fastBits-1)]; e != 0 {
		if l := uint(e & 15); l <= n {
			return int(e >> 4), l
		}
		return 0, 0
	}
	code, first, index := 0, 0, 0
	for l := uint(1); l < 16; l++ {
		if l > n {
			return 0, 0
		}
		code |= int(v >> (l - 1) & 1)
		c := int(h.count[l])
		if code-c < first {
			return int(h.symbol[index+code-first]), l
		}
		index += c
		first = (first + c) << 1
		code <<= 1
	}
	return -1, 15
}
