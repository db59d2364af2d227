package state

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// The data of an entry of kind Change makes a function's new state of a flow from its last one, which the replica has, and from the packets
// of the batch that changed it, which are still parked. It is
//
//	u32 CRC-32C of the new state, then steps: uvarint length<<2 | step, and
//	  step 0: so many bytes of the new state follow
//	  step 1: varint: they stand in the last state, so far behind the place where it is read
//	  step 2: u8 index of a packet in its batch, uvarint place in it
//	  step 3: uvarint: they stand in the new state, so far back
//
// The last state is read from its beginning; step 1 goes on behind what it took, and step 0 passes as many bytes as it brings: a field
// that has changed in its place costs itself and two steps. State that grew by a packet's payload costs no more than six bytes.
const (
	stepBytes = iota
	stepLast
	stepPacket
	stepBack
)

// MaxPatched is the most state that is patched: what a few bytes of a patch may cost the replica.
const MaxPatched = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Patch appends to dst the state that patch makes of last. parked returns packet i of the batch, nil if it is no longer there. It
// reports false, having appended whatever, if that is not the state which the patch was made from.
func Patch(dst, last, patch []byte, parked func(i int) []byte) (next []byte, ok bool) {
	if len(patch) < 4 {
		return dst, false
	}
	sum, start, at := binary.LittleEndian.Uint32(patch), len(dst), 0
	for patch = patch[4:]; len(patch) > 0; {
		head, k := binary.Uvarint(patch)
		n := head >> 2
		if k <= 0 || n == 0 || n > uint64(MaxPatched-(len(dst)-start)) {
			return dst, false
		}
		patch = patch[k:]
		size := int(n)
		switch head & 3 {
		case stepBytes:
			if size > len(patch) {
				return dst, false
			}
			dst, patch = append(dst, patch[:size]...), patch[size:]
			at += size
		case stepLast:
			d, k := binary.Varint(patch)
			if k <= 0 || d < -MaxPatched || d > MaxPatched || at > MaxPatched {
				return dst, false
			}
			patch = patch[k:]
			if at += int(d); at < 0 || at > len(last) || size > len(last)-at {
				return dst, false
			}
			dst = append(dst, last[at:at+size]...)
			at += size
		case stepPacket:
			if len(patch) < 2 {
				return dst, false
			}
			p := parked(int(patch[0]))
			from, k := binary.Uvarint(patch[1:])
			if k <= 0 || from > uint64(len(p)) || n > uint64(len(p))-from {
				return dst, false
			}
			patch = patch[1+k:]
			dst = append(dst, p[from:from+n]...)
		case stepBack:
			back, k := binary.Uvarint(patch)
			if k <= 0 || back == 0 || back > uint64(len(dst)-start) {
				return dst, false
			}
			patch = patch[k:]
			for from := len(dst) - int(back); size > 0; from, size = from+1, size-1 { // it may reach into what it makes
				dst = append(dst, dst[from])
			}
		}
	}
	return dst, crc32.Checksum(dst[start:], castagnoli) == sum
}

// Patcher makes patches. Its zero value is ready; it is used by one goroutine.
type Patcher struct {
	places  [1 << 12]uint32 // of eight bytes, by their hash: a source in the upper four bits, + 1, and where
	indexed bool
	out     []byte
	last    []byte
	next    []byte
	packet  func(i int) []byte
	packets []int
	cursor  int // where Patch reads last
	literal int // bytes of next from here on are in no step yet
}

const (
	worth  = 4  // bytes that a step has to save
	found  = 12 // and one that is looked for
	stride = 16
)

// Append appends the patch that makes next of last. Bytes of the packets of the batch whose indices, below 256, are in packets need
// not travel; packet lends packet i as the gateway has it. Both states have MaxPatched bytes at most.
func (d *Patcher) Append(dst, last, next []byte, packets []int, packet func(i int) []byte) []byte {
	d.out = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(next, castagnoli))
	d.last, d.next, d.packets, d.packet = last, next, packets, packet
	d.indexed, d.cursor, d.literal = false, 0, 0
	for j := 0; j < len(next); {
		i := d.cursor + j - d.literal
		n := 0
		if i < len(last) {
			n = common(last[i:], next[j:])
		}
		if n >= worth || n > 0 && j+n == len(next) {
			d.copyLast(i, j, n)
			j += n
			continue
		}
		if len(next)-j >= found {
			if n := d.lookUp(j); n > 0 {
				j += n
				continue
			}
		}
		j++
	}
	d.flush(len(next))
	out := d.out
	d.out, d.last, d.next, d.packets, d.packet = nil, nil, nil, nil, nil
	return out
}

// flush makes a step of the bytes up to j that are in none.
func (d *Patcher) flush(j int) {
	if n := j - d.literal; n > 0 {
		d.out = binary.AppendUvarint(d.out, uint64(n)<<2+stepBytes)
		d.out = append(d.out, d.next[d.literal:j]...)
		d.cursor += n
	}
	d.literal = j
}

func (d *Patcher) copyLast(i, j, n int) {
	d.flush(j)
	d.out = binary.AppendUvarint(d.out, uint64(n)<<2|stepLast)
	d.out = binary.AppendVarint(d.out, int64(i-d.cursor))
	d.cursor, d.literal = i+n, j+n
}

const (
	fromLast   = 1 << 28
	fromPacket = 2 << 28
	fromNext   = 3 << 28
	placeMask  = 1<<28 - 1
)

// lookUp finds the bytes at j of next in last, in a packet or before themselves, makes steps of them, and returns how many there were.
func (d *Patcher) lookUp(j int) int {
	if !d.indexed {
		d.index()
	}
	at := &d.places[hash8(d.next[j:])]
	p := *at
	if j%stride == 0 {
		*at = fromNext | uint32(j)
	}
	var source []byte
	place := int(p & placeMask)
	switch p &^ placeMask {
	case fromLast:
		source = d.last
	case fromPacket:
		source, place = d.packet(place>>16), place&0xffff
	case fromNext:
		source = d.next
	default:
		return 0
	}
	n := common(source[min(place, len(source)):], d.next[j:])
	back := 0
	for back < j-d.literal && back < place && source[place-back-1] == d.next[j-back-1] {
		back++
	}
	if n+back < found {
		return 0
	}
	place, from, size := place-back, j-back, n+back
	switch p &^ placeMask {
	case fromLast:
		d.copyLast(place, from, size)
	case fromPacket:
		d.flush(from)
		d.out = binary.AppendUvarint(d.out, uint64(size)<<2|stepPacket)
		d.out = append(d.out, byte(p&placeMask>>16))
		d.out = binary.AppendUvarint(d.out, uint64(place))
		d.literal = from + size
	case fromNext:
		d.flush(from)
		d.out = binary.AppendUvarint(d.out, uint64(size)<<2|stepBack)
		d.out = binary.AppendUvarint(d.out, uint64(from-place))
		d.literal = from + size
	}
	return n
}

// index notes places of last and of the packets; a packet's are the better ones, since what is new came with it.
func (d *Patcher) index() {
	d.indexed = true
	clear(d.places[:])
	for i := 0; i+8 <= len(d.last) && i < placeMask; i += stride {
		d.places[hash8(d.last[i:])] = fromLast | uint32(i)
	}
	for _, k := range d.packets {
		p := d.packet(k)
		for i := 0; i+8 <= len(p) && i <= 0xffff; i += stride {
			d.places[hash8(p[i:])] = fromPacket | uint32(k)<<16 | uint32(i)
		}
	}
}

func hash8(b []byte) uint64 { return binary.LittleEndian.Uint64(b) * 0x9e3779b97f4a7c15 >> 52 }

// common returns how many bytes a and b begin with alike.
func common(a, b []byte) (n int) {
	a, b = a[:min(len(a), len(b))], b[:min(len(a), len(b))]
	for len(a)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		n += 8
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
