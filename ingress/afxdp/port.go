package afxdp

import (
	"errors"
	"sync/atomic"

	"github.com/asavie/xdp"

	"github.com/granule-nf/granule/ingress"
)

// Port is one queue of one interface. See ingress.Port for who may call it and how.
type Port struct {
	sock  *xdp.Socket
	rings []mapping
	umem  []byte // all frames: RXFrames, then as many as the TX ring holds
	cfg   Config
	facts Facts

	rx rx
	tx tx

	closed bool
}

var _ ingress.Port = (*Port)(nil)

// OpenPort binds queue cfg.Queue of interface cfg.Ifindex in the calling thread's network namespace. Frames come once the
// XDP program has been given the socket (FD). linkUp says whether the link has carrier, and may be nil: always.
func OpenPort(cfg Config, linkUp *atomic.Bool) (_ *Port, err error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Port{cfg: cfg.withDefaults()}
	if p.sock, p.rings, err = openSocket(&p.cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.facts, err = tune(p.sock.FD(), &p.cfg); err != nil {
		return nil, err
	}
	if p.tx.completions, err = mapCompletionRing(p.sock.FD(), p.cfg.TXRing); err != nil {
		return nil, err
	}
	p.umem = p.sock.GetFrame(xdp.Desc{Len: uint32((p.cfg.RXFrames + p.cfg.TXRing) * FrameSize)})
	p.rx.init(&p.cfg)
	p.tx.init(&p.cfg, linkUp)
	p.refill()
	return p, nil
}

// FD is readable when Receive has something.
func (p *Port) FD() int { return p.sock.FD() }

// Frames is how many received frames can be held before the port starves.
func (p *Port) Frames() int { return p.cfg.RXFrames }

// MaxFrame is the longest frame in bytes that the port takes or gives.
func (p *Port) MaxFrame() int {
	if p.cfg.Jumbo {
		return maxJumbo
	}
	return maxFrame
}

// MTU is the interface's.
func (p *Port) MTU() int { return p.cfg.MTU }

// Done is false: a wire has no end.
func (p *Port) Done() bool { return false }

// Facts are what the kernel gave for what was asked.
func (p *Port) Facts() Facts { return p.facts }

// Queue is the number of the RX queue.
func (p *Port) Queue() int { return p.cfg.Queue }

// Close unbinds the queue. Frames still held must not be touched any more.
func (p *Port) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	errs := []error{p.sock.Close(), unmapAll(p.rings)}
	if p.tx.completions != nil {
		errs = append(errs, p.tx.completions.close())
	}
	return errors.Join(errs...)
}
