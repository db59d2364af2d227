package firewall

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const knownRules = `table inet filter {
	chain forward {
		type filter hook forward priority 0; policy accept;
		ct state established counter accept
		ct state related counter accept
		ct state invalid counter drop
		ct state new counter accept
	}
}
`

// TestKnownIsTheLongWay: of random conversations, a firewall that takes the short way where it can makes the same
// verdicts, connections, changes and counters as one whose cache forgets each flow before its packet, so that it never can.
func TestKnownIsTheLongWay(t *testing.T) {
	for _, liberal := range []bool{false, true} {
		t.Run(fmt.Sprintf("liberal %t", liberal), func(t *testing.T) {
			const rounds, packets = 30, 1000
			short := 0
			for seed := range uint64(rounds) {
				fast := build(t, fmt.Sprintf("{rules: r, tcp_be_liberal: %t}", liberal), map[string]string{"r": knownRules})
				slow := build(t, fmt.Sprintf("{rules: r, tcp_be_liberal: %t}", liberal), map[string]string{"r": knownRules})
				k := newTalk(rand.New(rand.NewPCG(seed, 11)))
				now := nftest.Start
				var x nftest.Packet
				for i := range packets {
					if i == 0 || k.IntN(3) > 0 { // else it is sent again
						x = k.timed(i)
					}
					now += int64(pick(k.generator, time.Millisecond, time.Millisecond, time.Millisecond, time.Second, 31*time.Second))
					if k.IntN(50) == 0 {
						now += int64(pick(k.generator, 121*time.Second, 301*time.Second))
					}
					if took := bothWays(t, &fast, &slow, &x, now); took {
						short++
					}
					if t.Failed() {
						t.Fatalf("seed %d, packet %d", seed, i)
					}
				}
				if !slices.Equal(fast.fw.machine.Counts, slow.fw.machine.Counts) || fast.fw.stats != slow.fw.stats {
					t.Fatalf("seed %d: counters %v %v, the long way %v %v", seed, fast.fw.machine.Counts, fast.fw.stats, slow.fw.machine.Counts, slow.fw.stats)
				}
			}
			t.Logf("%d of %d packets took the short way", short, rounds*packets)
			if short < rounds*packets/10 {
				t.Errorf("only %d of %d packets took the short way", short, rounds*packets)
			}
		})
	}
}

// timed is the next packet, of which many segments carry timestamps, some with selective acknowledgements.
func (k *talk) timed(i int) nftest.Packet {
	if k.IntN(6) == 0 {
		return k.packet(i)
	}
	p := k.segment()
	if p.Options == nil && k.IntN(2) == 0 {
		p.Options = []byte{1, 1, 8, 10, 0, 0, 0, byte(i), 0, 0, 0, 1}
		if k.IntN(8) == 0 {
			a := p.Ack + uint32(k.IntN(30000))
			p.Options = append(p.Options, 1, 1, 5, 10, 0, 0, 0, 1, byte(a>>24), byte(a>>16), byte(a>>8), byte(a))
		}
	}
	if k.IntN(8) == 0 {
		p.Flags |= uint8(pick(k.generator, 0x08, 0x40, 0x80, 0x20)) // PSH, ECE, CWR, URG
	}
	x := p.Packet()
	if k.IntN(8) == 0 {
		x.Data[14+20+14], x.Data[14+20+15] = 0, 0 // the window
	}
	return x
}

// bothWays judges x at now by both firewalls, compares what they make of it, and reports whether fast took the short way.
func bothWays(t *testing.T, fast, slow *bench, x *nftest.Packet, now int64) (took bool) {
	t.Helper()
	a, b := fast.Start(), slow.Start()
	fast.Add(x.Data, x.Wire, x.From, now, 0)
	slow.Add(x.Data, x.Wire, x.From, now, 0)
	for _, batch := range []*nf.Batch{a, b} { // as Run does it
		if p := &batch.Packets[0]; p.Kind != packet.NotIP {
			p.Flow, p.NewFlow = batch.Flows.Get((*[6]uint64)(&p.Key), now)
		}
		batch.Live = append(batch.Live[:0], 0)
	}
	if took = fast.fw.known(a, &a.Packets[0]); !took {
		fast.fw.Process(a)
	}
	flow := b.Packets[0].Flow
	slow.fw.cache[flow] = [2]cached{}
	slow.fw.Process(b)
	if a.Verdicts[0] != b.Verdicts[0] {
		t.Errorf("%v; the long way %v", a.Verdicts[0], b.Verdicts[0])
	}
	if one, other := fast.fw.AppendFlow(nil, flow), slow.fw.AppendFlow(nil, flow); !bytes.Equal(one, other) {
		t.Errorf("connection %x; the long way %x", one, other)
	}
	if one, other := fast.AppendDelta(nil), slow.AppendDelta(nil); !bytes.Equal(one, other) {
		t.Errorf("delta %x; the long way %x", one, other)
	}
	return took
}
