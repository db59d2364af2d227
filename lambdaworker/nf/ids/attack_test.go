package ids

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// costly makes a rule of the kinds whose evaluation depends on the payload most: contents that are tried at every place, expressions
// behind them, jumps, encodings. It returns pieces too of which a payload that keeps it busy is made.
func costly(r *rand.Rand, sid int) (text string, pieces []string) {
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdeax=0123"[r.IntN(12)]
		}
		return string(b)
	}
	first := word(3 + r.IntN(4))
	pieces = []string{first}
	var b strings.Builder
	fmt.Fprintf(&b, `content:"%s"; `, first)
	for range 1 + r.IntN(3) {
		w := word(1 + r.IntN(3))
		pieces = append(pieces, w)
		switch r.IntN(9) {
		case 0:
			fmt.Fprintf(&b, `content:"%s"; distance:0; `, w)
		case 1:
			fmt.Fprintf(&b, `content:"%s"; distance:0; within:%d; `, w, 3+r.IntN(200))
		case 2:
			fmt.Fprintf(&b, `content:"%s"; nocase; distance:-%d; `, strings.Repeat("aA", 10+r.IntN(40)), 1+r.IntN(4))
			pieces = append(pieces, strings.Repeat("a", 19))
		case 3:
			fmt.Fprintf(&b, `pcre:"/[a-z0-9=]+\x3b.*[0-9]+%s/Rs"; `, w)
			pieces = append(pieces, ";", "1")
		case 4:
			fmt.Fprintf(&b, `pcre:"/(%s|[ab]+)*[cd]{2,40}[^z]{3,60}Q/R"; `, w)
			pieces = append(pieces, "cdcdcd", "abab")
		case 5:
			fmt.Fprintf(&b, `pcre:"/%s.{1,300}?Z$/i"; `, w)
			pieces = append(pieces, "Z")
		case 6:
			b.WriteString(`byte_jump:1,0,relative; `)
			pieces = append(pieces, "\x01", "\x03")
		case 7:
			fmt.Fprintf(&b, `byte_extract:1,0,n%d,relative; content:"%s"; distance:n%d; `, sid, w, sid)
		case 8:
			b.WriteString(`base64_decode:relative; base64_data; content:"nothing"; pkt_data; `)
		}
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, `content:"%s"; distance:0; `, "never there")
	}
	proto := []string{"tcp", "udp", "udp"}[r.IntN(3)]
	flags := ""
	if proto == "tcp" {
		flags = "flow:established; "
	}
	return fmt.Sprintf("alert %s any any -> any any (%s%ssid:%d;)\n", proto, flags, b.String(), sid), pieces
}

// payload repeats pieces.
func payload(r *rand.Rand, pieces []string, size int) string {
	var b strings.Builder
	if r.IntN(2) == 0 { // one thing over and over
		unit := pieces[0] + pieces[r.IntN(len(pieces))]
		return strings.Repeat(unit, size/len(unit)+1)[:size]
	}
	for b.Len() < size {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()[:size]
}

// TestCostOfAttacks: whatever a sender makes of its knowledge of the rules, no packet costs more than fifty times the median packet.
func TestCostOfAttacks(t *testing.T) {
	const rules = 2000
	r := rand.New(rand.NewPCG(1, 12))
	var text strings.Builder
	pieces := make([][]string, rules)
	for i := range pieces {
		var rule string
		rule, pieces[i] = costly(r, i+1)
		text.WriteString(rule)
	}
	for _, mode := range []string{"ids", "ips"} {
		t.Run(mode, func(t *testing.T) {
			s := nftest.Stage{NFs: []string{"watched: {rules: [r], mode: " + mode + "}"}, Files: map[string]string{"r": text.String()}, Flows: 4096}
			p := s.Build(t)
			n := watched
			var costs []int
			start := cpu(t)
			play := func(ps []nftest.Packet, at int64) {
				for i := range ps {
					p.Start()
					p.Add(ps[i].Data, ps[i].Wire, ps[i].From, ps[i].Time+at, 0)
					before := n.ticks()
					p.Run().Events.Take()
					if d := n.ticks() - before; d > 0 { // acknowledgements cost nothing
						costs = append(costs, d)
					}
				}
			}
			for i := range rules {
				from := fmt.Sprintf("10.%d.%d.1:1000", i>>8, i&255)
				var ps []nftest.P
				for k := range 2 {
					ps = append(ps, nftest.UDP(from, "192.0.2.1:53", payload(r, pieces[i], 400+1000*k)))
				}
				var parts []string
				for range 3 {
					parts = append(parts, payload(r, pieces[i], 1400), "")
				}
				play(nftest.Packets(ps...), int64(i)*1e9)
				play(nftest.Packets(nftest.Connection(from, "192.0.2.1:80", parts...)...), int64(i)*1e9)
			}
			t.Logf("a tick is %.2f ns", float64(cpu(t)-start)/float64(n.ticks()))
			slices.Sort(costs)
			median, worst := costs[len(costs)/2], costs[len(costs)-1]
			t.Logf("%d packets cost ticks: median %d, 99 %% below %d, worst %d, %.1f times the median", len(costs), median, costs[len(costs)*99/100], worst, float64(worst)/float64(median))
			if worst > 50*median {
				t.Errorf("the worst packet costs %d ticks, %d times the median of %d; at most 50 times is wanted", worst, worst/median, median)
			}
		})
	}
}

// BenchmarkAttack is a packet of the costliest kind known: an expression behind a content that is everywhere.
func BenchmarkAttack(b *testing.B) {
	s := nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": `alert tcp any any -> any any (flow:established; content:"id="; pcre:"/[a-z0-9=]+\x3b.*[0-9]+x/Rs"; sid:1;)`}}
	p := s.Build(b)
	ps := nftest.Packets(nftest.Connection("10.0.0.1:1000", "192.0.2.1:80", strings.Repeat("id=a;", 280), "", strings.Repeat("id=a;", 280), "", strings.Repeat("id=a;", 280), "")...)
	packets, at := 0, int64(0)
	b.ReportAllocs()
	for b.Loop() {
		at += 3600e9
		for i := range ps {
			p.Start()
			p.Add(ps[i].Data, ps[i].Wire, ps[i].From, ps[i].Time+at, 0)
			p.Run().Events.Take()
			packets++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

// ticks are what inspection has cost so far.
func (n *IDS) ticks() int { return int(n.engine.Stats().Ticks) }

// watched is the function that was made last under that name.
var watched *IDS

func init() {
	nf.Register(nf.Type{Name: "watched", New: func(s nf.Setup) (nf.NF, error) {
		n, err := New(s)
		watched, _ = n.(*IDS)
		return n, err
	}})
}
