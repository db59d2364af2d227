package afxdp

import (
	"github.com/asavie/xdp"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
)

// jumbo gathers frames that span several buffers into one of its own, since a Frame is one slice. Its buffers' IDs follow
// those of UMEM's RX frames.
type jumbo struct {
	mem   []byte
	first uint32 // ID of the first buffer
	free  stack

	// The packet being gathered. Receive may end in the middle of one.
	open    bool
	discard bool
	id      uint32
	length  int
}

func (j *jumbo) init(c *Config) {
	j.mem = make([]byte, c.JumboBuffers*maxJumbo)
	j.first = uint32(c.RXFrames)
	j.free = newStack(c.RXFrames, c.JumboBuffers)
}

func (j *jumbo) buffer(id uint32) []byte {
	at := int(id-j.first) * maxJumbo
	return j.mem[at : at+maxJumbo : at+maxJumbo]
}

// gather adds one descriptor to the open packet, and reports whether that completed a frame for the caller. Its buffer is
// free again at once.
func (p *Port) gather(d xdp.Desc, f *ingress.Frame) bool {
	j := &p.rx.jumbo
	if !j.open {
		j.open, j.discard, j.length = true, false, 0
		if j.free.len() == 0 {
			j.discard = true
			p.rx.noJumbo++
		} else {
			j.id = j.free.pop()
		}
	}
	if !j.discard {
		if j.length+int(d.Len) > maxJumbo {
			j.discard = true
			j.free.push(j.id)
			p.rx.oversize++
		} else {
			j.length += copy(j.buffer(j.id)[j.length:], p.umem[d.Addr:d.Addr+uint64(d.Len)])
		}
	}
	p.rx.free.push(uint32(d.Addr / FrameSize))
	if d.Options&unix.XDP_PKT_CONTD != 0 {
		return false
	}
	j.open = false
	if j.discard {
		return false
	}
	*f = ingress.Frame{Data: j.buffer(j.id)[:j.length], Wire: uint32(j.length), ID: j.id}
	return true
}
