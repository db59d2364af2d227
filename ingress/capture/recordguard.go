package capture

import (
	"encoding/binary"
	"errors"
	"io"
)

// recordGuard passes a classic capture through record by record. pcapgo ends the file at a record whose captured length exceeds its length
// on the wire; tcpdump and tshark read on. So pcapgo is told that as much was on the wire as was captured.
type recordGuard struct {
	r     io.Reader
	order binary.ByteOrder
	head  [16]byte // of the record being handed on
	rest  []byte   // of a header
	data  uint32   // bytes behind it
}

// guardRecords returns a reader of the same capture; magic is its first four bytes. What is no capture is left to pcapgo to refuse.
func guardRecords(r io.Reader, magic []byte) io.Reader {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(magic); m == 0xA1B2C3D4 || m == 0xA1B23C4D {
			const fileHeader = 24
			return io.MultiReader(io.LimitReader(r, fileHeader), &recordGuard{r: r, order: order})
		}
	}
	return r
}

func (g *recordGuard) Read(p []byte) (int, error) {
	if len(g.rest) == 0 && g.data == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	if len(g.rest) > 0 {
		n := copy(p, g.rest)
		g.rest = g.rest[n:]
		return n, nil
	}
	n, err := g.r.Read(p[:min(len(p), int(g.data))])
	g.data -= uint32(n)
	if g.data > 0 {
		err = noEOF(err)
	}
	return n, err
}

// next reads a record's header: seconds, fraction, captured length, length on the wire.
func (g *recordGuard) next() error {
	switch n, err := io.ReadFull(g.r, g.head[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return noEOF(err)
	}
	g.data = g.order.Uint32(g.head[8:])
	if g.order.Uint32(g.head[12:]) < g.data {
		g.order.PutUint32(g.head[12:], g.data)
	}
	g.rest = g.head[:]
	return nil
}
