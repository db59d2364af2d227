package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// blockGuard passes pcapng through block by block, and stops a file that lies before pcapgo believes it: pcapgo allocates
// whatever a length field says, and takes a file cut short within a block for one that ended there.
type blockGuard struct {
	r     io.Reader
	order binary.ByteOrder
	block []byte // the one being handed on
	rest  []byte // of it
}

const (
	ngInterface = 1
	ngPacket    = 2 // obsolete
	ngSimple    = 3
	ngEnhanced  = 6

	maxBlock = maxRecord + 1<<16 // options too
)

func (g *blockGuard) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// next reads a block: type, total length, body, total length again.
func (g *blockGuard) next() error {
	var head [12]byte
	switch n, err := io.ReadFull(g.r, head[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(head[:]) == ngMagic { // a section, with a byte order of its own
		switch {
		case binary.LittleEndian.Uint32(head[8:]) == 0x1A2B3C4D:
			g.order = binary.LittleEndian
		case binary.BigEndian.Uint32(head[8:]) == 0x1A2B3C4D:
			g.order = binary.BigEndian
		default:
			return fmt.Errorf("section header with byte-order magic %x", head[8:])
		}
	}
	if g.order == nil {
		return errors.New("no section header")
	}
	typ, length := g.order.Uint32(head[:]), g.order.Uint32(head[4:])
	if length < uint32(len(head)) || length%4 != 0 || length > maxBlock {
		return fmt.Errorf("block of type %d claims %d bytes: expected 12 to %d, in fours", typ, length, maxBlock)
	}
	if cap(g.block) < int(length) {
		g.block = make([]byte, length, maxBlock)
	}
	g.block = g.block[:length]
	copy(g.block, head[:])
	if _, err := io.ReadFull(g.r, g.block[len(head):]); err != nil {
		return io.ErrUnexpectedEOF
	}
	if err := g.check(typ); err != nil {
		return err
	}
	g.rest = g.block
	return nil
}

// check compares the lengths inside a block with its own.
func (g *blockGuard) check(typ uint32) error {
	body := g.block[8 : len(g.block)-4]
	need := map[uint32]int{ngInterface: 8, ngPacket: 20, ngSimple: 4, ngEnhanced: 20}[typ]
	if len(body) < need {
		return fmt.Errorf("block of type %d has %d bytes: expected at least %d", typ, len(body), need)
	}
	switch typ {
	case ngInterface:
		// pcapgo allocates a buffer of the snap length; 0 means that there is none.
		if snap := body[4:8]; g.order.Uint32(snap) > maxRecord {
			g.order.PutUint32(snap, 0)
		}
	case ngPacket, ngEnhanced:
		if captured := g.order.Uint32(body[12:]); int64(captured) > int64(len(body)-need) {
			return fmt.Errorf("record claims %d captured bytes in a block that holds %d", captured, len(body)-need)
		}
	}
	return nil
}
