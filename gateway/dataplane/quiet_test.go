package dataplane

import (
	"testing"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
)

// quietPort gives the same frame over and over and forgets what it is given, without allocating.
type quietPort struct {
	*fakePort
	frame []byte
}

func (p *quietPort) Receive(frames []ingress.Frame) int {
	if p.frame == nil {
		return 0
	}
	n := min(len(frames), 64)
	for i := range n {
		frames[i] = ingress.Frame{Data: p.frame, Wire: uint32(len(p.frame))}
	}
	return n
}
func (p *quietPort) Release([]uint32)                    {}
func (p *quietPort) Transmit(frames []ingress.Frame) int { return len(frames) }

// quietLink passes everything at the next read, without allocating.
type quietLink struct {
	*fakeLink
	ring     [4096]uint64
	n        int
	answered int
}

func newQuietLink(t testing.TB) *quietLink {
	l := &quietLink{fakeLink: newFakeLink(t, 1, 4096)}
	l.poke() // stays readable: Read below takes nothing out of the socket
	return l
}

func (l *quietLink) Room(int) bool { return l.n < len(l.ring) }
func (l *quietLink) Add(ref uint64, _ uint16, _ bool, _ int, _ []byte, _ bool, _ int64) {
	l.ring[l.n] = ref
	l.n++
}
func (l *quietLink) Outstanding(func(uint64)) {}
func (l *quietLink) Read(h relay.Handler) relay.Status {
	l.answered += l.n
	h.Verdicts(l.ring[:l.n], 0)
	l.n = 0
	return relay.Again
}

func BenchmarkShard(b *testing.B) {
	for _, size := range []int{60, 1500} {
		b.Run(map[int]string{60: "64B", 1500: "1500B"}[size], func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.Slots = 4096; c.Burst = 128 })
			l := newQuietLink(b)
			r.s.Connect(l, 0)
			r.place(1, 1)
			r.s.turn(false)
			frame := append(udp(5, false, 0), make([]byte, size-60)...)
			r.s.ports.port[0] = &quietPort{fakePort: r.ports[0], frame: frame}
			r.s.ports.port[1] = &quietPort{fakePort: r.ports[1]}
			b.ReportAllocs()
			b.ResetTimer()
			for l.answered < b.N {
				r.s.turn(false)
			}
		})
	}
}
