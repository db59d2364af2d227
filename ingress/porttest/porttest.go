// Package porttest is a port in memory, for tests of what stands between two ports. It has no goroutines and no clock: a test
// injects frames, lets the code under test run, and collects what it sent.
package porttest

import (
	"fmt"

	"github.com/granule-nf/granule/ingress"
)

// Config sizes a Port. The zero value of a field takes its default.
type Config struct {
	Frames   int // frames that can be held at once (256)
	MaxFrame int // bytes (2048)
	TX       int // frames taken by Transmit and not yet collected (256)
}

// Port is an ingress.Port whose other end is the test. It checks its caller: a frame released twice, or never handed out,
// panics. After it is made, nothing that the code under test calls allocates.
type Port struct {
	cfg   Config
	stats ingress.PortStats

	mem  []byte
	free []uint32
	wait []ingress.Frame // injected, not yet received; a ring
	head int
	n    int
	held []bool

	tx      []ingress.Frame // taken, in order; a ring over fixed buffers
	txHead  int
	txN     int
	flushed int // of those, how many were flushed

	down    bool
	stalled bool
	discard bool
	ended   bool
}

var _ ingress.Port = (*Port)(nil)

// New makes a port with its link up.
func New(cfg Config) *Port {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&cfg.Frames, 256)
	set(&cfg.MaxFrame, 2048)
	set(&cfg.TX, 256)
	p := &Port{
		cfg: cfg, mem: make([]byte, cfg.Frames*cfg.MaxFrame), wait: make([]ingress.Frame, cfg.Frames),
		held: make([]bool, cfg.Frames), tx: make([]ingress.Frame, cfg.TX),
	}
	for id := cfg.Frames - 1; id >= 0; id-- {
		p.free = append(p.free, uint32(id))
	}
	out := make([]byte, cfg.TX*cfg.MaxFrame)
	for i := range p.tx {
		p.tx[i].Data = out[i*cfg.MaxFrame : i*cfg.MaxFrame : (i+1)*cfg.MaxFrame]
	}
	return p
}

// NewPair makes an inside and an outside port.
func NewPair(cfg Config) (inside, outside *Port) { return New(cfg), New(cfg) }

// Inject puts a frame on the wire, to be received. false: the port is out of frames and dropped it, counted as RxFillEmpty,
// or it is longer than MaxFrame, counted as RxOversize.
func (p *Port) Inject(data []byte) bool {
	return p.InjectFrame(ingress.Frame{Data: data, Wire: uint32(len(data))})
}

// InjectFrame injects with a wire length and time of its own. Data is copied; ID is ignored.
func (p *Port) InjectFrame(f ingress.Frame) bool {
	if p.ended {
		panic("porttest: Inject after End")
	}
	if len(f.Data) > p.cfg.MaxFrame {
		p.stats.RxOversize++
		return false
	}
	if p.down {
		return false // nothing arrives over a link that is down
	}
	if len(p.free) == 0 {
		p.stats.RxFillEmpty++
		return false
	}
	id := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	at := int(id) * p.cfg.MaxFrame
	data := p.mem[at : at+len(f.Data) : at+p.cfg.MaxFrame]
	copy(data, f.Data)
	p.wait[(p.head+p.n)%len(p.wait)] = ingress.Frame{Data: data, Wire: max(f.Wire, uint32(len(data))), ID: id, Time: f.Time}
	p.n++
	return true
}

// End says that nothing will be injected any more: Done becomes true once everything was received.
func (p *Port) End() { p.ended = true }

// Waiting is how many injected frames were not yet received.
func (p *Port) Waiting() int { return p.n }

// Held is how many frames were received and not yet released.
func (p *Port) Held() int { return p.cfg.Frames - len(p.free) - p.n }

// Each hands every frame that was flushed, in order, to fn, and frees its place. Data is fn's until it returns.
func (p *Port) Each(fn func(f ingress.Frame)) {
	for ; p.flushed > 0; p.flushed-- {
		f := p.tx[p.txHead]
		p.txHead = (p.txHead + 1) % len(p.tx)
		p.txN--
		fn(f)
	}
}

// Collect returns copies of the frames that were flushed since the last call, in order.
func (p *Port) Collect() [][]byte {
	var out [][]byte
	p.Each(func(f ingress.Frame) { out = append(out, append([]byte(nil), f.Data...)) })
	return out
}

// SetDiscard makes Flush forget frames instead of keeping them for Each, for benchmarks. They are counted.
func (p *Port) SetDiscard(on bool) { p.discard = on }

// SetStalled makes Flush send nothing, so that Transmit takes TX frames more and then no more.
func (p *Port) SetStalled(on bool) { p.stalled = on }

// SetLink takes the link down or up. While it is down nothing arrives, and what is flushed is lost, counted as TxDropped.
func (p *Port) SetLink(up bool) { p.down = !up }

// Receive fills frames from the front.
func (p *Port) Receive(frames []ingress.Frame) int {
	n := min(len(frames), p.n)
	for i := range n {
		frames[i] = p.wait[p.head]
		p.held[frames[i].ID] = true
		p.stats.RxBytes += uint64(len(frames[i].Data))
		p.head = (p.head + 1) % len(p.wait)
		p.n--
	}
	p.stats.RxPackets += uint64(n)
	return n
}

// Release gives frames back. Their bytes are overwritten, so that whoever still reads them is found out.
func (p *Port) Release(ids []uint32) {
	for _, id := range ids {
		if int(id) >= len(p.held) || !p.held[id] {
			panic(fmt.Sprintf("porttest: release of frame %d, which the caller does not hold", id))
		}
		p.held[id] = false
		for i := int(id) * p.cfg.MaxFrame; i < (int(id)+1)*p.cfg.MaxFrame; i++ {
			p.mem[i] = 0xDB
		}
		p.free = append(p.free, id)
	}
}

// Transmit copies a prefix of frames.
func (p *Port) Transmit(frames []ingress.Frame) int {
	for i := range frames {
		f := &frames[i]
		if len(f.Data) > p.cfg.MaxFrame || len(f.Data) == 0 {
			p.stats.TxInvalid++
			continue
		}
		if p.txN == len(p.tx) {
			return i
		}
		slot := &p.tx[(p.txHead+p.txN)%len(p.tx)]
		slot.Data = slot.Data[:len(f.Data)]
		copy(slot.Data, f.Data)
		slot.Wire, slot.Time = f.Wire, f.Time
		p.txN++
	}
	return len(frames)
}

// Flush sends what Transmit took.
func (p *Port) Flush() (pending bool) {
	if p.stalled {
		return p.txN > p.flushed
	}
	fresh := p.txN - p.flushed
	switch {
	case p.down:
		p.stats.TxDropped += uint64(fresh)
		p.txN = p.flushed
		return false
	case p.discard:
		p.count(fresh)
		p.txHead = (p.txHead + p.txN) % len(p.tx)
		p.txN, p.flushed = 0, 0
	default:
		p.count(fresh)
		p.flushed = p.txN
	}
	return false
}

// count counts the last n frames taken as sent.
func (p *Port) count(n int) {
	p.stats.TxPackets += uint64(n)
	for i := p.txN - n; i < p.txN; i++ {
		p.stats.TxBytes += uint64(len(p.tx[(p.txHead+i)%len(p.tx)].Data))
	}
}

// FD is -1: a test never waits.
func (p *Port) FD() int { return -1 }

// Frames is how many received frames can be held at once.
func (p *Port) Frames() int { return p.cfg.Frames }

// MaxFrame is the longest frame in bytes.
func (p *Port) MaxFrame() int { return p.cfg.MaxFrame }

// MTU is none.
func (p *Port) MTU() int { return 0 }

// Done reports that End was called and everything was received.
func (p *Port) Done() bool { return p.ended && p.n == 0 }

// Stats adds the port's counters to s.
func (p *Port) Stats(s *ingress.PortStats) {
	s.RxPackets += p.stats.RxPackets
	s.RxBytes += p.stats.RxBytes
	s.RxFillEmpty += p.stats.RxFillEmpty
	s.RxOversize += p.stats.RxOversize
	s.TxPackets += p.stats.TxPackets
	s.TxBytes += p.stats.TxBytes
	s.TxInvalid += p.stats.TxInvalid
	s.TxDropped += p.stats.TxDropped
}
