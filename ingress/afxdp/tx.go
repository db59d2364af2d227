package afxdp

import (
	"sync/atomic"

	"github.com/asavie/xdp"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
)

const (
	minFrame = 14 // an Ethernet header: the kernel refuses less, and older ones lose the frame of a refused descriptor

	// maxKicks bounds the system calls of one Flush. One is enough with the budget raised; 32 or 16 frames leave with each
	// without it, and one with each while a full peer drops them.
	maxKicks = 160

	// maxBackoff is how many Flush calls pass, at most, between two tries while the device refuses.
	maxBackoff = 256
)

// tx is the sending half of a port.
type tx struct {
	completions *completionRing
	free        stack      // TX frames, numbered after the RX frames
	staged      []xdp.Desc // copied, not yet on the TX ring
	linkUp      *atomic.Bool

	stagedPackets, stagedBytes uint64

	backoff, skip int // Flush calls to let pass after the next refusal, and after the last

	packets, bytes           uint64
	invalid, errors, dropped uint64
}

func (t *tx) init(c *Config, linkUp *atomic.Bool) {
	t.free = newStack(c.RXFrames, c.TXRing)
	t.staged = make([]xdp.Desc, 0, c.TXRing)
	t.linkUp = linkUp
}

// Transmit copies a prefix of frames into TX frames. A frame that no link of this port could carry counts as taken, and as
// TxInvalid: the caller would offer it for ever.
func (p *Port) Transmit(frames []ingress.Frame) int {
	p.reap()
	t := &p.tx
	for i := range frames {
		data := frames[i].Data
		if len(data) < minFrame || len(data) > p.MaxFrame() {
			t.invalid++
			continue
		}
		if len(data) > t.free.len()*FrameSize {
			return i
		}
		t.stagedPackets++
		t.stagedBytes += uint64(len(data))
		for len(data) > 0 {
			addr := uint64(t.free.pop()) * FrameSize
			n := copy(p.umem[addr:addr+FrameSize], data)
			data = data[n:]
			d := xdp.Desc{Addr: addr, Len: uint32(n)}
			if len(data) > 0 {
				d.Options = unix.XDP_PKT_CONTD
			}
			t.staged = append(t.staged, d)
		}
	}
	return len(frames)
}

// Flush puts what is staged on the ring and has the kernel send it: one system call a burst, more where the kernel sends
// fewer at a time. It also gives the kernel the frames that were released.
func (p *Port) Flush() (pending bool) {
	t := &p.tx
	p.refill()
	if t.linkUp != nil && !t.linkUp.Load() {
		p.swallow()
		p.reap()
		return false
	}
	if len(t.staged) == 0 && p.unsent() == 0 {
		p.reap()
		return false
	}
	if t.skip > 0 {
		t.skip--
		p.reap()
		return true
	}
	if len(t.staged) > 0 && !p.post() {
		p.refused()
		p.reap()
		return true
	}
	p.drain()
	p.reap()
	return p.unsent() > 0
}

// post moves the staged frames to the ring and kicks once. false: the device refused the kick; the frames are on the ring.
func (p *Port) post() (ok bool) {
	t := &p.tx
	defer func() {
		t.packets += t.stagedPackets
		t.bytes += t.stagedBytes
		t.stagedPackets, t.stagedBytes = 0, 0
		t.staged = t.staged[:0]
		if recover() != nil {
			ok = false // ENETDOWN, ENXIO, ENOBUFS, EINVAL: the library panics on what a link flap brings
		}
	}()
	p.sock.Transmit(t.staged) // takes all: the ring has a place for every TX frame
	t.backoff = 0
	return true
}

// drain kicks until the ring is empty or the kernel makes no more progress.
func (p *Port) drain() {
	t := &p.tx
	left := p.unsent()
	for kicks := 0; left > 0 && kicks < maxKicks; kicks++ {
		switch p.kick() {
		case 0, unix.EINTR:
		case unix.EBUSY: // completed but not sent: one frame dropped by the device, which ends the call
			t.dropped++
		case unix.EAGAIN: // the call's budget, or the send buffer, or the peer is full
			if p.unsent() == left {
				return
			}
		default:
			p.refused()
			return
		}
		t.backoff = 0
		left = p.unsent()
	}
}

// refused counts a kick that the device refused and lets some Flush calls pass before the next.
func (p *Port) refused() {
	t := &p.tx
	t.errors++
	t.backoff = min(max(1, t.backoff*2), maxBackoff)
	t.skip = t.backoff
}

// kick has the kernel send what is on the TX ring.
func (p *Port) kick() unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(p.sock.FD()), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

// swallow discards what is staged, as a link without carrier does.
func (p *Port) swallow() {
	t := &p.tx
	for _, d := range t.staged {
		t.free.push(uint32(d.Addr / FrameSize))
	}
	t.dropped += t.stagedPackets
	t.stagedPackets, t.stagedBytes = 0, 0
	t.staged = t.staged[:0]
}

// unsent is how many descriptors the kernel has not taken off the TX ring.
func (p *Port) unsent() int { return p.cfg.TXRing - p.sock.NumFreeTxSlots() }

// reap takes back the TX frames that the kernel is done with.
func (p *Port) reap() {
	n := p.sock.NumCompleted()
	if n == 0 {
		return
	}
	p.tx.completions.frames(n, &p.tx.free)
	p.sock.Complete(n)
}
