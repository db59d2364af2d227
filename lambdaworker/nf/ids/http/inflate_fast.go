package http

import "encoding/binary"

// longest is the most bytes that a match makes.
const longest = 258

// fast does what step does in the state symbol, for as long as there are eight bytes of input and room for a match: nothing has to be asked
// for again then, and nothing wraps. It returns the input that it left, and stops where step has to go on.
func (z *inflater) fast(in []byte) []byte {
	bits, n, at := z.bits, z.n, int(z.at)
	w := &z.window
	for len(in) >= 8 && at <= len(w)-longest {
		bits |= binary.LittleEndian.Uint64(in) << (n & 63)
		in = in[(63-n)>>3:]
		n |= 56 // the longest length and distance with their extra bits have 48
		s, k := z.lit.quick(bits)
		if k == 0 || s > 285 { // no code
			break
		}
		if s < 256 {
			w[at] = byte(s)
			at++
			bits >>= k
			n -= k
			if s, k = z.lit.quick(bits); k != 0 && s < 256 { // another one: they come in runs
				w[at] = byte(s)
				at++
				bits >>= k
				n -= k
			}
			continue
		}
		if s == 256 {
			bits >>= k
			n -= k
			z.state = blockHead
			break
		}
		b, m := bits>>k, n-k
		length := int(lengthBase[s-257]) + int(b&(1<<lengthBits[s-257]-1))
		b >>= lengthBits[s-257]
		m -= uint(lengthBits[s-257])
		d, k := z.dst.quick(b)
		if k == 0 || d > 29 {
			break
		}
		b >>= k
		m -= k
		dist := int(distBase[d]) + int(b&(1<<distBits[d]-1))
		if !z.full && dist > at {
			break
		}
		bits, n = b>>distBits[d], m-uint(distBits[d])
		z.copyMatch(at, dist, length)
		at += length
	}
	z.bits, z.n, z.at = bits&(1<<n-1), n, uint32(at)
	return in
}

// copyMatch makes length bytes at place at, for which there is room, of those dist before them.
func (z *inflater) copyMatch(at, dist, length int) {
	w := &z.window
	switch from := at - dist; {
	case from >= 0 && dist >= length:
		copy(w[at:at+length], w[from:])
	case from >= 0 && dist == 1:
		c := w[from]
		to := w[at : at+length]
		for i := range to {
			to[i] = c
		}
	default:
		for i := range length {
			w[at+i] = w[(from+i)&(len(w)-1)]
		}
	}
}
