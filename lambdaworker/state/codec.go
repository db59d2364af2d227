package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Deltas and snapshots are sequences of entries, one behind the other; two of them in a row are one. An entry is
//
//	 0       1        2           4                8       10
//	+-------+--------+-----------+----------------+-------+----------+---------------+-------+------ - -
//	| kind  |   nf   |  version  |  data length   | mask  | sub-flow | key halves    | seen  | data
//	+-------+--------+-----------+----------------+-------+----------+---------------+-------+------ - -
//	   u8      u8       u16           u32            u16      u16      4 a bit of mask   i64
//
// little-endian. kind has the format's version, 2, in its upper half. mask has a bit for each 32-bit half of the key that is not zero, the
// lower half of word 0 first; an IPv4 flow takes 36 bytes and not 68. Entries of kind Shared have no mask, sub-flow, key
// and seen.
const format = 2

// Kind says what an entry is about.
type Kind uint8

// Kinds of entries.
const (
	Flow   Kind = 1 // a function's state of a flow; no data where it has none any more
	Shared Kind = 2 // a function's delta of state across flows
	Gone   Kind = 3 // a flow that the worker forgot: all functions' state of it; nf, version and data mean nothing
	Change Kind = 4 // what makes a function's state of a flow of the last one that was sent: see Patch
)

const headSize = 8

// MaxData is the most data an entry may hold.
const MaxData = 16 << 20

// Entry is one piece of state on its way.
type Entry struct {
	Kind    Kind
	NF      uint8 // index of the function in its stage
	Version uint16
	Sub     uint16 // sub-flow of the flow's packets
	Key     [6]uint64
	Seen    int64  // when the flow had its last packet, ns since the Unix epoch
	Data    []byte // within the buffer that was read
}

// Begin appends the front of an entry, whose data the caller appends; End completes it. e.Data is not looked at.
func Begin(dst []byte, e *Entry) []byte {
	dst = append(dst, format<<4|byte(e.Kind), e.NF)
	dst = binary.LittleEndian.AppendUint16(dst, e.Version)
	dst = append(dst, 0, 0, 0, 0)
	if e.Kind == Shared {
		return dst
	}
	mask := uint16(0)
	for i, w := range e.Key {
		if uint32(w) != 0 {
			mask |= 1 << (2 * i)
		}
		if w>>32 != 0 {
			mask |= 2 << (2 * i)
		}
	}
	dst = binary.LittleEndian.AppendUint16(dst, mask)
	dst = binary.LittleEndian.AppendUint16(dst, e.Sub)
	for i, w := range e.Key {
		if mask&(1<<(2*i)) != 0 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(w))
		}
		if mask&(2<<(2*i)) != 0 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(w>>32))
		}
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(e.Seen))
}

// End completes the entry that Begin started at dst[start:] and whose data begins at dst[data:].
func End(dst []byte, start, data int) []byte {
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(len(dst)-data))
	return dst
}

// Append appends a whole entry.
func Append(dst []byte, e *Entry) []byte {
	start := len(dst)
	dst = Begin(dst, e)
	data := len(dst)
	return End(append(dst, e.Data...), start, data)
}

// ErrFormat is what errors about bytes that are no entries wrap.
var ErrFormat = errors.New("state: not a delta or snapshot of this version")

// Reader takes entries off a delta or snapshot.
type Reader struct {
	data []byte
	at   int
	err  error
}

// Read starts reading data, which is not copied.
func Read(data []byte) Reader { return Reader{data: data} }

// Err returns what was wrong when Next reported false, nil at the end of the data. It wraps ErrFormat.
func (r *Reader) Err() error { return r.err }

// Offset returns where the next entry starts: between two calls of Next, data[before:after] is the entry in between.
func (r *Reader) Offset() int { return r.at }

// Next fills e with the next entry and reports whether there was one.
func (r *Reader) Next(e *Entry) bool {
	b := r.data[r.at:]
	if len(b) == 0 || r.err != nil {
		return false
	}
	if len(b) < headSize {
		return r.fail("%d bytes left, an entry has at least %d", len(b), headSize)
	}
	kind := Kind(b[0] & 15)
	if b[0]>>4 != format || kind < Flow || kind > Change {
		return r.fail("entry starts with %#02x", b[0])
	}
	*e = Entry{Kind: kind, NF: b[1], Version: binary.LittleEndian.Uint16(b[2:])}
	size := binary.LittleEndian.Uint32(b[4:])
	if size > MaxData {
		return r.fail("entry of %d bytes, at most %d are possible", size, MaxData)
	}
	p := headSize
	if kind != Shared {
		if len(b) < p+4 {
			return r.fail("entry ends in its key")
		}
		mask := binary.LittleEndian.Uint16(b[p:])
		e.Sub = binary.LittleEndian.Uint16(b[p+2:])
		p += 4
		if mask>>12 != 0 || len(b) < p+4*bits.OnesCount16(mask)+8 {
			return r.fail("key of mask %#04x in %d bytes", mask, len(b)-p)
		}
		for i := range e.Key {
			if mask&(1<<(2*i)) != 0 {
				e.Key[i] = uint64(binary.LittleEndian.Uint32(b[p:]))
				p += 4
			}
			if mask&(2<<(2*i)) != 0 {
				e.Key[i] |= uint64(binary.LittleEndian.Uint32(b[p:])) << 32
				p += 4
			}
		}
		e.Seen = int64(binary.LittleEndian.Uint64(b[p:]))
		p += 8
	}
	if uint64(len(b)-p) < uint64(size) {
		return r.fail("entry says %d bytes of data, %d are there", size, len(b)-p)
	}
	e.Data = b[p : p+int(size) : p+int(size)]
	r.at += p + int(size)
	return true
}

func (r *Reader) fail(format string, a ...any) bool {
	r.err = fmt.Errorf("%w: at byte %d: %s", ErrFormat, r.at, fmt.Sprintf(format, a...))
	return false
}
