package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/google/gopacket"

	"github.com/granule-nf/granule/ingress"
)

// reader turns records into parked frames.
type reader struct {
	name    string
	file    io.ReadCloser
	src     source
	nanos   bool
	bare    bool
	buffers *buffers

	records int // read so far
	held    []byte
	heldCI  gopacket.CaptureInfo // a record that was read and found no free buffer
	holding bool
	done    bool
	err     error
}

func newReader(f io.ReadCloser, frames int) (*reader, error) {
	src, nanos, err := openSource(f)
	if err != nil {
		return nil, err
	}
	if err := checkLinkType(src.LinkType()); err != nil {
		return nil, err
	}
	return &reader{file: f, src: src, nanos: nanos, bare: bare(src.LinkType()), buffers: newBuffers(frames)}, nil
}

func (r *reader) receive(frames []ingress.Frame) int {
	n := 0
	for n < len(frames) && !r.done {
		if !r.holding && !r.read() {
			break
		}
		if !r.park(&frames[n]) {
			break
		}
		r.holding = false
		n++
	}
	return n
}

// read takes the next record into held.
func (r *reader) read() bool {
	data, ci, err := next(r.src)
	if err == nil && len(data) > maxRecord {
		err = fmt.Errorf("%d bytes captured: expected at most %d", len(data), maxRecord)
	}
	if err != nil {
		r.done = true
		if !errors.Is(err, io.EOF) {
			r.err = fmt.Errorf("%s: record %d is unreadable, and with it what follows: %w", r.name, r.records+1, err)
		}
		return false
	}
	r.records++
	r.held, r.heldCI, r.holding = data, ci, true
	return true
}

// park copies the held record to a buffer of its own; false: none is free.
func (r *reader) park(f *ingress.Frame) bool {
	front := 0
	if r.bare {
		front = etherLen
	}
	data, id, ok := r.buffers.take(front + len(r.held))
	if !ok {
		return false
	}
	if r.bare {
		clear(data[:12])
		binary.BigEndian.PutUint16(data[12:], uint16(etherType(r.src.LinkType(), r.held)))
	}
	copy(data[front:], r.held)
	*f = ingress.Frame{
		Data: data,
		// pcapng may claim less on the wire than was captured; a Frame may not.
		Wire: uint32(min(max(r.heldCI.Length+front, len(data)), math.MaxUint32)),
		ID:   id,
	}
	if !r.heldCI.Timestamp.IsZero() {
		f.Time = r.heldCI.Timestamp.UnixNano()
	}
	return true
}
