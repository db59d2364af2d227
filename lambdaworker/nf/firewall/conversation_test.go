package firewall

import (
	"fmt"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

const edge = `table inet f {
	chain c {
		type filter hook forward priority 0; policy drop;
		ct state invalid counter drop
		ct state established accept
		iifname inside ct state new accept
		udp dport 53 accept
		tcp dport 80 accept
	}
}
`

// conversation is an established TCP connection of the n-th host inside, whose ends can go on talking.
type conversation struct {
	in, out      string
	client, back uint32
}

func newConversation(n int) *conversation {
	return &conversation{in: fmt.Sprintf("10.0.%d.%d:%d", n/250, n%250+1, 2000+n), out: "192.0.2.1:80", client: 101, back: 501}
}

func (c *conversation) open(at time.Duration) []nftest.P {
	return []nftest.P{
		nftest.TCP(c.in, c.out, "S", "").Numbers(100, 0).At(at),
		nftest.TCP(c.out, c.in, "SA", "").Numbers(500, 101).Outside().At(at),
		nftest.TCP(c.in, c.out, "A", "").Numbers(101, 501).At(at),
	}
}

// speak is a question of n bytes and its answer.
func (c *conversation) speak(n int, at time.Duration) []nftest.P {
	text := string(make([]byte, n))
	ask := nftest.TCP(c.in, c.out, "PA", text).Numbers(c.client, c.back).At(at)
	c.client += uint32(n)
	answer := nftest.TCP(c.out, c.in, "PA", text).Numbers(c.back, c.client).Outside().At(at)
	c.back += uint32(n)
	return []nftest.P{ask, answer}
}

func judged(p *nf.Pipeline, ps ...nftest.P) string {
	r := nftest.Run(p, nftest.Packets(ps...), 32)
	return r.Verdicts()
}

// Floods of questions that nobody answers, of handshakes that nobody ends and of packets that are dropped cost no conversation, however
// small the table is; new ones begin, and what went is counted.
func TestFloodsCutNoConversation(t *testing.T) {
	const conversations, flood = 200, 20_000
	for _, tt := range []struct {
		name   string
		packet func(i int) []nftest.P
	}{
		{"udp", func(i int) []nftest.P { return []nftest.P{nftest.UDP(source(i), "10.9.9.9:53", "q").Outside()} }},
		{"syn", func(i int) []nftest.P { return []nftest.P{nftest.TCP(source(i), "10.9.9.9:80", "S", "").Outside()} }},
		{"syn and answer", func(i int) []nftest.P {
			return []nftest.P{nftest.TCP(source(i), "10.9.9.9:80", "S", "").Numbers(1, 0).Outside(), nftest.TCP("10.9.9.9:80", source(i), "SA", "").Numbers(1, 2)}
		}},
		{"dropped", func(i int) []nftest.P { return []nftest.P{nftest.UDP(source(i), "10.9.9.9:99", "x").Outside()} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := build(t, "{rules: r}", map[string]string{"r": edge})
			var talks []*conversation
			for i := range conversations {
				talks = append(talks, newConversation(i))
				if got := judged(b.Pipeline, talks[i].open(0)...); got != "pass pass pass" {
					t.Fatal(got)
				}
			}
			at := time.Duration(0)
			for i := range flood {
				at += 50 * time.Microsecond
				ps := tt.packet(i)
				for k := range ps {
					ps[k] = ps[k].At(at)
				}
				judged(b.Pipeline, ps...)
			}
			for i, c := range talks {
				if got := judged(b.Pipeline, c.speak(10, at)...); got != "pass pass" {
					t.Fatalf("conversation %d after the flood: %s", i, got)
				}
			}
			c := newConversation(conversations)
			if got := judged(b.Pipeline, append(c.open(at), c.speak(10, at)...)...); got != "pass pass pass pass pass" {
				t.Errorf("a new conversation after the flood: %s", got)
			}
			var r nf.Report
			b.fw.Report(&r)
			went := r.Counters["flows_evicted_unanswered"] + r.Counters["flows_evicted_answered"]
			if r.Counters["flows_evicted_established"] != 0 || went != int64(b.fw.flows.Evicted(state.Unanswered)+b.fw.flows.Evicted(state.Answered)) || tt.name != "dropped" && went == 0 {
				t.Errorf("counters %v", r.Counters)
			}
		})
	}
}

func source(i int) string { return fmt.Sprintf("198.51.%d.%d:%d", i>>8&255, i&255, 1024+i>>16) }

// What is over leaves the table by itself, in its own time: nobody else's five days.
func TestOverIsForgotten(t *testing.T) {
	b := build(t, "{rules: r}", map[string]string{"r": edge})
	c := newConversation(1)
	judged(b.Pipeline, c.open(0)...)
	judged(b.Pipeline, c.speak(5, time.Second)...)
	for i := range 500 {
		judged(b.Pipeline, nftest.UDP(source(i), "10.9.9.9:53", "q").Outside().At(time.Second), nftest.TCP(source(i), "10.9.9.9:80", "S", "").Outside().At(time.Second))
	}
	had := b.fw.flows.Len()
	other := newConversation(2)
	judged(b.Pipeline, other.open(time.Second)...)
	for s := range 200 {
		judged(b.Pipeline, other.speak(5, time.Duration(s+2)*time.Second)...)
		if s == 70 && b.fw.flows.Len() > had-400 { // UDP's 30 s and a round of the sweep
			t.Errorf("%d of %d flows are left after %d s", b.fw.flows.Len(), had, s)
		}
	}
	if n := b.fw.flows.Len(); n != 2 {
		t.Errorf("%d flows are left, expected the two conversations", n)
	}
	if got := judged(b.Pipeline, c.speak(5, 220*time.Second)...); got != "pass pass" {
		t.Errorf("the silent conversation: %s", got)
	}
}

// Conversations that moved on unseen go on, and their windows are held against them again from there.
func TestResync(t *testing.T) {
	for _, missed := range []int{0, 1, 1000, 5_000_000, 2_000_000_000} {
		for _, first := range []string{"inside", "outside"} {
			for _, resync := range []bool{true, false} {
				b := build(t, "{rules: r}", map[string]string{"r": edge})
				c := newConversation(1)
				judged(b.Pipeline, c.open(0)...)
				judged(b.Pipeline, c.speak(100, time.Second)...)
				c.client += uint32(missed)
				c.back += uint32(missed / 2)
				batch := b.Start()
				if resync {
					b.Resync()
				}
				ps := c.speak(100, 2*time.Second)
				if first == "outside" {
					ps[0], ps[1] = ps[1], ps[0]
				}
				x := nftest.Packets(ps...)
				for _, k := range x {
					b.Add(k.Data, k.Wire, k.From, k.Time, 0)
				}
				b.Run()
				passed := 0
				for _, v := range batch.Verdicts {
					if v == nf.Pass {
						passed++
					}
				}
				if resync && passed != 2 {
					t.Errorf("%d bytes missed, first from %s: %v", missed, first, batch.Verdicts)
				}
				if !resync && missed >= 5_000_000 && passed == 2 {
					t.Errorf("%d bytes missed and nobody said so: %v", missed, batch.Verdicts)
				}
				if !resync {
					continue
				}
				for range 3 {
					if got := judged(b.Pipeline, c.speak(100, 3*time.Second)...); got != "pass pass" {
						t.Fatalf("%d bytes missed: %s", missed, got)
					}
				}
				stray := nftest.TCP(c.out, c.in, "A", "x").Numbers(c.back+5_000_000, c.client).Outside().At(4 * time.Second)
				if got := judged(b.Pipeline, stray); got != "firewall_invalid" {
					t.Errorf("%d bytes missed: a segment far out of the window afterwards: %s", missed, got)
				}
			}
		}
	}
}

// A handshake of which the answer passed unseen is complete.
func TestResyncInTheHandshake(t *testing.T) {
	b := build(t, "{rules: r}", map[string]string{"r": edge})
	c := newConversation(1)
	judged(b.Pipeline, c.open(0)[0])
	b.Resync()
	ps := append(c.open(time.Second)[2:], c.speak(10, time.Second)...)
	if got := judged(b.Pipeline, ps...); got != "pass pass pass" {
		t.Error(got)
	}
}

// A successor that is given a connection which was not seen since the gap takes it up where it finds it, too.
func TestResyncTravels(t *testing.T) {
	old := build(t, "{rules: r}", map[string]string{"r": edge})
	c := newConversation(1)
	judged(old.Pipeline, c.open(0)...)
	old.Resync()
	next := build(t, "{rules: r}", map[string]string{"r": edge})
	key := *old.fw.flows.Key(0)
	if err := next.fw.ApplyFlow(next.fw.flows.Put(&key, nftest.Start), old.fw.AppendFlow(nil, 0)); err != nil {
		t.Fatal(err)
	}
	c.client += 5_000_000
	c.back += 7_000_000
	if got := judged(next.Pipeline, c.speak(10, time.Second)...); got != "pass pass" {
		t.Error(got)
	}
	if next.fw.flows.Class(0) != state.Established {
		t.Errorf("the class of an imported conversation is %v", next.fw.flows.Class(0))
	}
}

// The timeouts are the kernel's, where this machine has them.
func TestTimeoutsAreTheKernels(t *testing.T) {
	d := conntrack.DefaultTimeouts()
	compareTimeouts(t, map[string]conntrack.Duration{
		"tcp_timeout_syn_sent": d.TCPSynSent, "tcp_timeout_syn_recv": d.TCPSynRecv, "tcp_timeout_established": d.TCPEstablished, "tcp_timeout_fin_wait": d.TCPFinWait,
		"tcp_timeout_close_wait": d.TCPCloseWait, "tcp_timeout_last_ack": d.TCPLastAck, "tcp_timeout_time_wait": d.TCPTimeWait, "tcp_timeout_close": d.TCPClose,
		"tcp_timeout_max_retrans": d.TCPRetransmit, "tcp_timeout_unacknowledged": d.TCPUnacknowledged, "udp_timeout": d.UDP, "udp_timeout_stream": d.UDPStream,
		"icmp_timeout": d.ICMP, "gre_timeout": d.GRE, "gre_timeout_stream": d.GREStream, "generic_timeout": d.Generic,
	})
}
