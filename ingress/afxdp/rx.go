package afxdp

import (
	"github.com/asavie/xdp"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
)

// fillBurst is how many frames go onto the fill ring with one store of its index.
const fillBurst = 256

// rx is the receiving half of a port.
type rx struct {
	free  stack // RX frames neither parked nor on the fill ring
	fill  []xdp.Desc
	jumbo jumbo

	packets, bytes uint64
	oversize       uint64 // longer than maxJumbo
	noJumbo        uint64 // every jumbo buffer is parked
}

func (r *rx) init(c *Config) {
	r.free = newStack(0, c.RXFrames)
	r.fill = make([]xdp.Desc, fillBurst)
	if c.Jumbo {
		r.jumbo.init(c)
	}
}

// Receive fills frames from the front. Data lies in UMEM, where the kernel has put it.
func (p *Port) Receive(frames []ingress.Frame) int {
	p.refill()
	if len(frames) == 0 {
		return 0
	}
	available := p.sock.NumReceived()
	if available == 0 {
		return 0
	}
	var bytes uint64
	n := 0
	for _, d := range p.sock.Receive(min(available, len(frames))) {
		f := &frames[n]
		if p.cfg.Jumbo && (d.Options&unix.XDP_PKT_CONTD != 0 || p.rx.jumbo.open) {
			if !p.gather(d, f) {
				continue
			}
		} else {
			frame := uint32(d.Addr / FrameSize)
			*f = ingress.Frame{
				Data: p.umem[d.Addr : d.Addr+uint64(d.Len) : uint64(frame+1)*FrameSize],
				Wire: d.Len,
				ID:   frame,
			}
		}
		bytes += uint64(len(f.Data))
		n++
	}
	p.rx.packets += uint64(n)
	p.rx.bytes += bytes
	return n
}

// Release gives frames back. They go to the kernel with the next Receive or Flush.
func (p *Port) Release(ids []uint32) {
	for _, id := range ids {
		if int(id) < p.cfg.RXFrames {
			p.rx.free.push(id)
		} else {
			p.rx.jumbo.free.push(id)
		}
	}
}

// refill gives the kernel free frames to receive into, as many as its ring takes.
func (p *Port) refill() {
	want := min(p.sock.NumFreeFillSlots(), p.rx.free.len())
	for want > 0 {
		burst := p.rx.fill[:min(want, fillBurst)]
		for i := range burst {
			burst[i].Addr = uint64(p.rx.free.pop()) * FrameSize
		}
		p.sock.Fill(burst)
		want -= len(burst)
	}
}
