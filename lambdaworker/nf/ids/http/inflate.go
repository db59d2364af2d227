package http

// inflater undoes DEFLATE (RFC 1951) as bytes come: it can stop after any of them and go on with the next, which
// compress/flate can't. It is a fixed record of about 40 KiB.
type inflater struct {
	window [1 << 15]byte
	at     uint32 // next place in window
	from   uint32 // what was made since the last call begins here
	full   bool   // window has wrapped: every distance is backed by bytes
	bits   uint64
	n      uint // bits in bits
	state  inflateState
	final  bool
	length int // bytes left of a stored block or of a match
	dist   int
	extra  uint // bits to read for length or dist
	nlit   int
	ndist  int
	nclen  int
	have   int
	lens   [320]uint8
	clens  [19]uint8 // of the code that lens is written in
	lit    huffman
	dst    huffman
}

type inflateState uint8

const (
	blockHead inflateState = iota
	storedHead
	storedData
	tableHead
	codeLengths
	tableLengths
	symbol
	lengthExtra
	distance
	distanceExtra
	match
	inflated
	broken
)

func (z *inflater) reset() {
	z.at, z.from, z.full = 0, 0, false
	z.bits, z.n, z.state, z.final, z.have = 0, 0, blockHead, false, 0
}

var (
	codeOrder  = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthBits = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase   = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distBits   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// write takes in, and returns what is left of it and what it made so far. It is called again while it makes something
// or leaves something; out is valid until then.
func (z *inflater) write(in []byte) (rest, out []byte) {
	if z.at == uint32(len(z.window)) {
		z.at, z.full = 0, true
	}
	z.from = z.at
	for z.at < uint32(len(z.window)) {
		if z.state == symbol && len(in) >= 8 {
			in = z.fast(in)
		}
		for z.n <= 48 && len(in) > 0 {
			z.bits |= uint64(in[0]) << z.n
			z.n += 8
			in = in[1:]
		}
		if !z.step() {
			if len(in) > 0 && z.state != inflated && z.state != broken {
				continue
			}
			break
		}
	}
	return in, z.window[z.from:z.at]
}

// try reads b from the beginning of a stream, and returns how many bytes are behind the stream's end and how many it made.
func (z *inflater) try(b []byte) (left, made int) {
	z.reset()
	for {
		rest, out := z.write(b)
		made += len(out)
		if z.state == broken || z.state == inflated || len(out) == 0 {
			return len(rest) + int(z.n/8), made
		}
		b = rest
	}
}

// unread returns the bytes that write took but did not use.
func (z *inflater) unread(b *[8]byte) []byte {
	bits := z.bits >> (z.n % 8)
	for i := range b {
		b[i], bits = byte(bits), bits>>8
	}
	return b[:z.n/8]
}

// take returns the next k bits, if there are as many.
func (z *inflater) take(k uint) (int, bool) {
	if z.n < k {
		return 0, false
	}
	v := int(z.bits & (1<<k - 1))
	z.bits >>= k
	z.n -= k
	return v, true
}

func (z *inflater) put(c byte) {
	z.window[z.at] = c
	z.at++
}

func (z *inflater) fail() bool {
	z.state = broken
	return false
}

// step does one thing and reports whether it could: false asks for more bits, or is the end.
func (z *inflater) step() bool {
	switch z.state {
	case blockHead:
		if z.final {
			z.state = inflated
			return false
		}
		v, ok := z.take(3)
		if !ok {
			return false
		}
		z.final = v&1 != 0
		switch v >> 1 {
		case 0:
			z.take(z.n % 8)
			z.state = storedHead
		case 1:
			z.fixed()
			z.state = symbol
		case 2:
			z.state = tableHead
		default:
			return z.fail()
		}
	case storedHead:
		if z.n < 32 {
			return false
		}
		size, _ := z.take(16)
		not, _ := z.take(16)
		if size^not != 0xffff {
			return z.fail()
		}
		z.length, z.state = size, storedData
	case storedData:
		if z.length == 0 {
			z.state = blockHead
			return true
		}
		v, ok := z.take(8)
		if !ok {
			return false
		}
		z.put(byte(v))
		z.length--
	case tableHead:
		v, ok := z.take(14)
		if !ok {
			return false
		}
		z.nlit, z.ndist, z.nclen = v&31+257, v>>5&31+1, v>>10+4
		if z.nlit > 286 {
			return z.fail()
		}
		z.lens = [320]uint8{}
		z.have, z.state = 0, codeLengths
	case codeLengths:
		v, ok := z.take(3)
		if !ok {
			return false
		}
		z.lens[codeOrder[z.have]] = uint8(v)
		if z.have++; z.have == z.nclen {
			if !z.lit.build(z.lens[:19], false) {
				return z.fail()
			}
			copy(z.clens[:], z.lens[:19])
			z.have, z.state = 0, tableLengths
			z.lens = [320]uint8{}
		}
	case tableLengths:
		return z.tableLength()
	case symbol:
		s, k := z.lit.decode(z.bits, z.n)
		if k == 0 {
			return false
		}
		if s < 0 || s > 285 {
			return z.fail()
		}
		z.take(k)
		switch {
		case s < 256:
			z.put(byte(s))
		case s == 256:
			z.state = blockHead
		default:
			z.length, z.extra, z.state = int(lengthBase[s-257]), uint(lengthBits[s-257]), lengthExtra
		}
	case lengthExtra:
		v, ok := z.take(z.extra)
		if !ok {
			return false
		}
		z.length += v
		z.state = distance
	case distance:
		s, k := z.dst.decode(z.bits, z.n)
		if k == 0 {
			return false
		}
		if s < 0 || s > 29 {
			return z.fail()
		}
		z.take(k)
		z.dist, z.extra, z.state = int(distBase[s]), uint(distBits[s]), distanceExtra
	case distanceExtra:
		v, ok := z.take(z.extra)
		if !ok {
			return false
		}
		z.dist += v
		if !z.full && z.dist > int(z.at) {
			return z.fail()
		}
		z.state = match
	case match:
		for z.length > 0 && z.at < uint32(len(z.window)) {
			z.put(z.window[(z.at-uint32(z.dist))&(1<<15-1)])
			z.length--
		}
		if z.length == 0 {
			z.state = symbol
		}
	default:
		return false
	}
	return true
}

// tableLength reads one code length, or a repetition, of a dynamic block's tables.
func (z *inflater) tableLength() bool {
	s, k := z.lit.decode(z.bits, z.n)
	if k == 0 {
		return false
	}
	var prev uint8
	repeat, more := 0, uint(0)
	switch {
	case s < 0:
		return z.fail()
	case s < 16:
		repeat, prev = 1, uint8(s)
	case s == 16:
		if z.have == 0 {
			return z.fail()
		}
		prev, repeat, more = z.lens[z.have-1], 3, 2
	case s == 17:
		repeat, more = 3, 3
	default:
		repeat, more = 11, 7
	}
	if z.n < k+more {
		return false
	}
	z.take(k)
	v, _ := z.take(more)
	repeat += v
	if z.have+repeat > z.nlit+z.ndist {
		return z.fail()
	}
	for ; repeat > 0; repeat-- {
		z.lens[z.have] = prev
		z.have++
	}
	if z.have < z.nlit+z.ndist {
		return true
	}
	if z.lens[256] == 0 || !z.tables() {
		return z.fail()
	}
	z.state = symbol
	return true
}

// tables builds both tables from lens.
func (z *inflater) tables() bool {
	return z.lit.build(z.lens[:z.nlit], true) && z.dst.build(z.lens[z.nlit:z.nlit+z.ndist], true)
}

// fixed sets the tables of RFC 1951 section 3.2.6.
func (z *inflater) fixed() {
	for i := range 288 {
		switch {
		case i < 144:
			z.lens[i] = 8
		case i < 256:
			z.lens[i] = 9
		case i < 280:
			z.lens[i] = 7
		default:
			z.lens[i] = 8
		}
	}
	for i := 288; i < 318; i++ {
		z.lens[i] = 5
	}
	z.nlit, z.ndist = 288, 30
	z.lit.build(z.lens[:288], true)
	z.dst.build(z.lens[288:318], true)
}
