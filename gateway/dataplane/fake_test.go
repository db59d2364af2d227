package dataplane

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
	"golang.org/x/sys/unix"
)

// fakePort is a port in memory: frames are fed to it and what it is given is kept.
type fakePort struct {
	t       testing.TB
	fd      int // an eventfd, so that a shard can sleep on it
	in      [][]byte
	held    map[uint32]bool
	next    uint32
	out     [][]byte
	room    int // frames that Transmit takes until it is raised; -1 without bound
	done    bool
	keepOut bool
}

func newFakePort(t testing.TB) *fakePort {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &fakePort{t: t, fd: fd, held: map[uint32]bool{}, room: -1, keepOut: true}
}

func (p *fakePort) Receive(frames []ingress.Frame) int {
	n := min(len(frames), len(p.in))
	for i := range n {
		data := p.in[i]
		p.next++
		p.held[p.next] = true
		frames[i] = ingress.Frame{Data: append(make([]byte, 0, 4096), data...), Wire: uint32(len(data)), ID: p.next}
	}
	p.in = p.in[n:]
	return n
}

func (p *fakePort) Release(ids []uint32) {
	for _, id := range ids {
		if !p.held[id] {
			p.t.Fatalf("frame %d was released twice, or never received", id)
		}
		delete(p.held, id)
	}
}

func (p *fakePort) Transmit(frames []ingress.Frame) int {
	n := len(frames)
	if p.room >= 0 {
		n = min(n, p.room)
		p.room -= n
	}
	for i := range n {
		if p.keepOut {
			p.out = append(p.out, bytes.Clone(frames[i].Data))
		}
	}
	return n
}

func (p *fakePort) Flush() bool              { return false }
func (p *fakePort) FD() int                  { return p.fd }
func (p *fakePort) Frames() int              { return 4096 }
func (p *fakePort) MaxFrame() int            { return 4096 }
func (p *fakePort) MTU() int                 { return 1500 }
func (p *fakePort) Done() bool               { return p.done && len(p.in) == 0 }
func (p *fakePort) Stats(*ingress.PortStats) {}

// fakeLink is a worker's connection whose worker is the test.
type fakeLink struct {
	resyncs  int
	fd, peer int
	worker   uint32
	refs     []uint64 // added and not answered, in order
	carried  [][]byte
	subs     []uint16
	uppers   []wire.Upper            // of the fragments among them
	answers  []func(h relay.Handler) // given at the next Read
	window   int
	broken   bool
	closed   bool
	flushed  int
	heard    int64
	added    func(ref uint64) // called by Add
	stuck    bool             // the socket takes nothing
	state    []byte           // it was told
	parts    int              // in how many parts
	told     int              // complete imports
	halfTold bool
	pings    []int64 // not answered
	pong     int64
	mute     bool     // it answers no pings
	released []uint16 // sub-flows, in order
}

func newFakeLink(t testing.TB, worker uint32, window int) *fakeLink {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return &fakeLink{fd: fds[0], peer: fds[1], worker: worker, window: window}
}

func (l *fakeLink) FD() int        { return l.fd }
func (l *fakeLink) Worker() uint32 { return l.worker }
func (l *fakeLink) Room(int) bool  { return len(l.refs) < l.window }
func (l *fakeLink) Add(ref uint64, sub uint16, _ bool, _ int, carried []byte, _ bool, _ int64) {
	if l.added != nil {
		l.added(ref)
	}
	l.refs = append(l.refs, ref)
	l.subs = append(l.subs, sub)
	l.carried = append(l.carried, bytes.Clone(carried))
}
func (l *fakeLink) AddFragment(ref uint64, sub uint16, out bool, wireLen int, upper *wire.Upper, carried []byte, whole bool, at int64) {
	l.uppers = append(l.uppers, *upper)
	l.Add(ref, sub, out, wireLen, carried, whole, at)
}
func (l *fakeLink) Flush() relay.Status     { l.flushed++; return l.status() }
func (l *fakeLink) Tick(int64)              {}
func (l *fakeLink) LastHeard() int64        { return l.heard }
func (l *fakeLink) RequestReport() bool     { return true }
func (l *fakeLink) WantWrite() bool         { return l.stuck }
func (l *fakeLink) Reason() relay.Reason    { return relay.ReasonEOF }
func (l *fakeLink) Close()                  { l.closed = true }
func (l *fakeLink) OldestUnanswered() int64 { return 0 }
func (l *fakeLink) LastPong() int64         { return l.pong }
func (l *fakeLink) Ping(mark int64) bool {
	if l.pings = append(l.pings, mark); !l.mute {
		l.pong = mark
	}
	return true
}
func (l *fakeLink) Release(subs []uint16) bool {
	l.released = append(l.released, subs...)
	return true
}
func (l *fakeLink) Resync() bool {
	l.resyncs++
	return true
}
func (l *fakeLink) Outstanding(f func(uint64)) {
	for _, r := range l.refs {
		f(r)
	}
}

func (l *fakeLink) Retire() bool { return false }

func (l *fakeLink) ImportState(part []byte, more bool) bool {
	l.state = append(l.state, part...)
	l.parts++
	l.halfTold = more
	if !more {
		l.told++
	}
	return true
}

func (l *fakeLink) Read(h relay.Handler) relay.Status {
	var buf [256]byte
	unix.Read(l.fd, buf[:])
	for _, a := range l.answers {
		a(h)
	}
	l.answers = nil
	return l.status()
}

// answer gives verdict to the first n refs when the shard reads next.
func (l *fakeLink) answer(n int, verdict func(i int) uint8) {
	n = min(n, len(l.refs))
	if n == 0 {
		return
	}
	refs := l.refs[:n:n]
	l.refs, l.subs, l.carried = l.refs[n:], l.subs[n:], l.carried[n:]
	l.answers = append(l.answers, func(h relay.Handler) {
		for i := range refs {
			h.Verdicts(refs[i:i+1], verdict(i))
		}
	})
	l.poke()
}

func (l *fakeLink) poke() { unix.Write(l.peer, []byte{1}) }

// udp makes an Ethernet frame with a UDP datagram of flow number flow (direction outside to inside if back) that
// carries seq.
func udp(flow uint16, back bool, seq uint64) []byte {
	f := make([]byte, 60)
	f[0], f[6] = 2, 2
	f[12], f[13] = 8, 0
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], 46)
	src, dst := [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}
	sp, dp := flow, uint16(53)
	if back {
		src, dst, sp, dp = dst, src, dp, sp
	}
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	u := ip[20:]
	binary.BigEndian.PutUint16(u, sp)
	binary.BigEndian.PutUint16(u[2:], dp)
	binary.BigEndian.PutUint16(u[4:], 26)
	binary.BigEndian.PutUint64(u[8:], seq)
	return f
}

func seqOf(frame []byte) uint64 { return binary.BigEndian.Uint64(frame[14+20+8:]) }

// flowOf returns the flow number and direction of a frame made by udp.
func flowOf(frame []byte) (uint16, bool) {
	sp, dp := binary.BigEndian.Uint16(frame[34:]), binary.BigEndian.Uint16(frame[36:])
	if sp == 53 {
		return dp, true
	}
	return sp, false
}

// rig is a shard between two fake ports that is turned by hand.
type rig struct {
	t     testing.TB
	s     *Shard
	ports [2]*fakePort
	lost  []uint32
}

func newRig(t testing.TB, change func(*Config)) *rig {
	cfg := Defaults()
	cfg.Chains = []Chain{{Name: "edge", Stages: 1}}
	cfg.Stages = []Stage{{Name: "edge/0", Writes: Full, Injects: true}}
	cfg.Slots, cfg.Flows = 256, 64
	cfg.Seed = 1
	if change != nil {
		change(&cfg)
	}
	r := &rig{t: t, ports: [2]*fakePort{newFakePort(t), newFakePort(t)}}
	s, err := NewShard(0, cfg, Queue{Ports: [2]ingress.Port{r.ports[0], r.ports[1]}}, Hooks{Lost: func(_ int, w uint32, _ int, _ bool, _ string) { r.lost = append(r.lost, w) }})
	if err != nil {
		t.Fatal(err)
	}
	r.s = s
	s.due.report = 1<<63 - 1
	t.Cleanup(func() { s.close(); s.Close() })
	return r
}

// turn turns the shard n times and checks that its ledger closes each time.
func (r *rig) turn(n int) {
	r.t.Helper()
	for range n {
		r.s.turn(false)
		r.s.publish()
		var l Ledger
		r.s.Ledger(&l)
		if err := l.Check(); err != nil {
			r.t.Fatal(err)
		}
		if held := uint64(len(r.ports[0].held) + len(r.ports[1].held)); held != l.Ports[0].InFlight+l.Ports[1].InFlight {
			r.t.Fatalf("%d frames are held for %d packets in flight", held, l.Ports[0].InFlight+l.Ports[1].InFlight)
		}
	}
}

func (r *rig) ledger() *Ledger {
	var l Ledger
	r.s.publish()
	r.s.Ledger(&l)
	return &l
}

// place gives every sub-flow of every pool to worker.
func (r *rig) place(version uint64, worker uint32) {
	p := &Placement{Version: version, Pools: make([]Pool, len(r.s.cfg.Stages))}
	for i := range p.Pools {
		for j := range p.Pools[i] {
			p.Pools[i][j] = worker
		}
	}
	r.s.Place(p)
}

// later moves the shard's idea of what is late.
func (r *rig) later(d time.Duration) {
	for i := range r.s.slots.s {
		r.s.slots.s[i].received -= d.Nanoseconds()
	}
	for i := range r.s.conns.all {
		r.s.conns.all[i].progress -= d.Nanoseconds()
	}
	r.s.due.overdue = 0
}

func rng(t testing.TB, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func (l *fakeLink) status() relay.Status {
	if l.broken {
		return relay.Closed
	}
	return relay.Again
}
