package stream

import "encoding/binary"

// options are what is used of a TCP header's options.
type options struct {
	wscale   uint8 // valid if hasScale
	hasScale bool
	hasTime  bool
	fastOpen bool // TFO option, with or without a cookie (RFC 7413; also the experimental kind with its magic)
	tsval    uint32
}

// parseOptions reads TCP options (RFC 9293 section 3.2, RFC 7323, RFC 7413); it stops at the first that is malformed.
func parseOptions(b []byte) (o options) {
	if len(b) == 12 && b[0] == 1 && b[1] == 1 && b[2] == 8 && b[3] == 10 { // what nearly all data segments carry
		o.hasTime, o.tsval = true, binary.BigEndian.Uint32(b[4:])
		return o
	}
	for len(b) > 0 {
		switch b[0] {
		case 0:
			return o
		case 1:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return o
		}
		n := int(b[1])
		switch {
		case b[0] == 3 && n == 3:
			o.wscale, o.hasScale = min(b[2], 14), true
		case b[0] == 8 && n == 10:
			o.hasTime, o.tsval = true, binary.BigEndian.Uint32(b[2:])
		case b[0] == 34 && (n == 2 || n >= 6 && n <= 18 && n%2 == 0):
			o.fastOpen = true
		case (b[0] == 253 || b[0] == 254) && n >= 4 && b[2] == 0xf9 && b[3] == 0x89:
			o.fastOpen = true
		}
		b = b[n:]
	}
	return o
}
