package counter

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// mixed is a capture that takes every branch: both sides, every protocol by name and without, VLANs, ARP, fragments, many flows.
func mixed() []nftest.Packet {
	rng := rand.New(rand.NewPCG(1, 1))
	var ps []nftest.Packet
	for i := range 800 {
		a, b := fmt.Sprintf("10.0.0.%d:%d", 1+rng.IntN(9), 1000+rng.IntN(9)), "192.0.2.1:80"
		p := nftest.TCP(a, b, ".", strings.Repeat("x", rng.IntN(1400)))
		switch rng.IntN(9) {
		case 0:
			p = nftest.UDP(a, b, "query").VLAN(uint16(1+rng.IntN(3)), 9)
		case 1:
			p = nftest.Echo("2001:db8::1", "2001:db8::2", 1, 2)
		case 2:
			p = nftest.IP("10.0.0.1", "10.0.0.2", packet.ProtoGRE, "abc")
		case 3:
			p = nftest.IP("10.0.0.1", "10.0.0.2", 200, "abc")
		case 4:
			p = nftest.UDP(a, b, "12345678").Fragment(8*rng.IntN(2), true)
		}
		if rng.IntN(3) == 0 {
			p = p.Outside()
		}
		k := p.At(time.Duration(i) * 7 * time.Millisecond).Packet()
		if rng.IntN(20) == 0 {
			k.Data = append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"), make([]byte, 28)...)
			k.Wire = 42
		}
		ps = append(ps, k)
	}
	return ps
}

func TestCounters(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"counter"}}
	r := nftest.Run(stage.Build(t), []nftest.Packet{
		nftest.TCP("10.0.0.1:1", "10.0.0.2:2", "S", "").Packet(),
		nftest.UDP("10.0.0.2:2", "10.0.0.1:1", "four").VLAN(7).Outside().Packet(),
		nftest.Echo("2001:db8::1", "2001:db8::2", 1, 2).Packet(),
		nftest.IP("10.0.0.1", "10.0.0.2", 200, strings.Repeat("x", 1480)).Packet(),
		{Data: make([]byte, 60), Wire: 60},
	}, 64)
	want := map[string]int64{
		"packets": 5, "bytes": 40 + 32 + 56 + 1500 + 46, "from_inside_packets": 4, "from_inside_bytes": 40 + 56 + 1500 + 46, "from_outside_packets": 1, "from_outside_bytes": 32,
		"non_ip_packets": 1, "non_ip_bytes": 46, "ipv4_packets": 3, "ipv4_bytes": 1572, "ipv6_packets": 1, "ipv6_bytes": 56,
		"tcp_packets": 1, "tcp_bytes": 40, "udp_packets": 1, "udp_bytes": 32, "icmpv6_packets": 1, "icmpv6_bytes": 56, "other_packets": 1, "other_bytes": 1500,
		"vlan_7_packets": 1, "vlan_7_bytes": 32, "size_0_63": 3, "size_64_127": 1, "size_128_255": 0, "size_256_511": 0, "size_512_1023": 0, "size_1024_2047": 1, "size_2048_up": 0,
		"packets_per_second": 0, "bits_per_second": 0,
	}
	if got := r.Reports[0].Counters; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if v := r.Verdicts(); v != "pass pass pass pass pass" {
		t.Errorf("verdicts %s", v)
	}
	top := r.Reports[0].Top.([]TopFlow)
	if len(top) != 4 || top[0] != (TopFlow{A: "10.0.0.1:0", B: "10.0.0.2:0", Protocol: 200, Packets: 1, Bytes: 1500}) {
		t.Errorf("top flows %+v", top)
	}
}

func TestChecks(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"counter: {top: 3, top_entries: 20, thresholds: [{packets: 300}, {bytes: 100000}, {packets_per_second: 20}, {bits_per_second: 500000}]}"}}
	// Averages that travelled as differences differ in their last digits; after rounding rates may differ by one.
	nftest.HandOff(t, stage, mixed(), "packets_per_second", "bits_per_second")
	nftest.ZeroAlloc(t, stage, mixed())
	nftest.Malformed(t, stage)
	nftest.HandOff(t, nftest.Stage{NFs: []string{"counter: {top: 0}"}}, mixed(), "packets_per_second", "bits_per_second")
}

// Rates follow the textbook: a steady stream comes up to its rate as 1 - exp(-t/average), and silence halves it in average * ln 2.
func TestRates(t *testing.T) {
	r := newRate(2 * time.Second)
	now := nftest.Start
	send := func(d time.Duration, perSecond int) {
		for i := range int(d.Seconds() * float64(perSecond)) {
			if at := now + int64(i)*int64(time.Second)/int64(perSecond); at >= r.next {
				r.tick(at)
			}
			r.packets[0]++
			r.bytes[1] += 125
		}
		now += int64(d)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > want*0.03 {
			t.Errorf("%s: %.1f, want %.1f", what, got, want)
		}
	}
	send(2*time.Second, 1000)
	r.tick(now)
	near("after one time constant", r.packetsPerSecond(), 1000*(1-math.Exp(-1)))
	send(28*time.Second, 1000)
	r.tick(now)
	near("after many", r.packetsPerSecond(), 1000)
	near("bits", r.bitsPerSecond(), 1e6)
	r.tick(now + int64(1400*time.Millisecond))
	near("after 0.7 time constants of silence", r.packetsPerSecond(), 1000*math.Exp(-0.7))
}

func TestThresholds(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"counter: {average: 500ms, thresholds: [{packets: 5}, {bytes: 400}, {packets_per_second: 50}]}"}}
	var ps []nftest.P
	burst := func(from, to time.Duration, gap time.Duration) {
		for at := from; at < to; at += gap {
			ps = append(ps, nftest.UDP("10.0.0.1:1", "10.0.0.2:2", "").At(at+1))
		}
	}
	burst(0, 100*time.Millisecond, 25*time.Millisecond)
	burst(time.Second, 4*time.Second, 10*time.Millisecond)
	burst(4*time.Second, 9*time.Second, 100*time.Millisecond)
	burst(9*time.Second, 12*time.Second, 10*time.Millisecond)
	for _, batch := range []int{1, 64} {
		r := nftest.Run(stage.Build(t), nftest.Packets(ps...), batch)
		var got []string
		for _, line := range r.Events {
			var e struct {
				Type    string `json:"event_type"`
				Count   int    `json:"pcap_cnt"`
				Anomaly struct {
					Event string  `json:"event"`
					Limit float64 `json:"limit"`
					Value float64 `json:"value"`
				} `json:"anomaly"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type != "anomaly" {
				t.Fatalf("%s: %v", line, err)
			}
			if e.Anomaly.Value < e.Anomaly.Limit {
				t.Errorf("value below the limit: %s", line)
			}
			got = append(got, fmt.Sprint(e.Count, e.Anomaly.Event))
		}
		if len(got) != 4 || got[0] != "6counter.packets" || got[1] != "15counter.bytes" || !strings.HasSuffix(got[2], "packets_per_second") || !strings.HasSuffix(got[3], "packets_per_second") {
			t.Errorf("batches of %d: events %q; want the totals once and the rate twice", batch, got)
		}
		if r.Count(0, "thresholds_passed") != 4 {
			t.Errorf("thresholds_passed %d, want 4", r.Count(0, "thresholds_passed"))
		}
	}
}

// Space-Saving keeps what its paper says, against exact counts, while flows come and go and change their handles.
func TestTopAgainstMap(t *testing.T) {
	for _, m := range []int{1, 5, 50} {
		rng := rand.New(rand.NewPCG(7, uint64(m)))
		flows := state.NewTable(40, int64(time.Second), 1)
		tp := newTop(m, flows, 3)
		flows.OnEvict(tp.forget)
		exact := map[packet.Key]uint64{}
		total := uint64(0)
		for range 20_000 {
			n := uint64(rng.ExpFloat64() * 20)
			k := packet.Key{0, n, 0, 1, 1 << 12, 0}
			size := uint32(20 + rng.IntN(1400))
			flow, _ := flows.Get((*[6]uint64)(&k), 0)
			e := tp.meet(&nf.Packet{Flow: flow, Key: k})
			e.bytes += uint64(size)
			e.packets++
			exact[k] += uint64(size)
			total += uint64(size)
		}
		bound := total / uint64(m)
		in := map[packet.Key]bool{}
		for i := range tp.used {
			e := &tp.entries[i]
			in[e.key] = true
			if e.bytes < exact[e.key] || e.bytes > exact[e.key]+e.err || e.err > bound {
				t.Errorf("m %d: entry says %d +- %d, exact is %d, bound %d", m, e.bytes, e.err, exact[e.key], bound)
			}
		}
		for k, n := range exact {
			if n > bound && !in[k] {
				t.Errorf("m %d: a flow with %d of %d bytes has no entry", m, n, total)
			}
		}
		if len(in) != tp.used {
			t.Errorf("m %d: %d entries for %d flows", m, tp.used, len(in))
		}
	}
}

// Two workers that each saw a part, merged in any order and grouping, say what one that saw all says.
func TestMerging(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"counter: {top: 5, top_entries: 500}"}}
	capture := mixed()
	whole := nftest.Run(stage.Build(t), capture, 64).Reports[0]
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		sum := stage.Build(t)
		for _, part := range order {
			p := stage.Build(t)
			var mine []nftest.Packet
			for i := part; i < len(capture); i += 3 {
				mine = append(mine, capture[i])
			}
			nftest.Run(p, mine, 64)
			if err := sum.ApplyDelta(p.AppendDelta(nil)); err != nil {
				t.Fatal(err)
			}
		}
		got := sum.Reports()[0]
		for name, v := range whole.Counters {
			if d := got.Counters[name] - v; d != 0 && !(strings.HasSuffix(name, "_second") && math.Abs(float64(d)) < 0.02*float64(v)) {
				t.Errorf("order %v: %s is %d, want %d", order, name, got.Counters[name], v)
			}
		}
		if !reflect.DeepEqual(got.Top, whole.Top) {
			t.Errorf("order %v: top flows\n%+v, want\n%+v", order, got.Top, whole.Top)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for options, want := range map[string]string{
		"{average: 1ms}":                         "1:20: average is 1ms",
		"{top: -1}":                              "1:16: top is -1",
		"{top_entries: 5}":                       "1:24: top_entries is 5",
		"{thresholds: [{}]}":                     "threshold 1: expected exactly one",
		"{thresholds: [{packets: 1, bytes: 2}]}": "threshold 1: expected exactly one",
		"{tops: 3}":                              "tops",
	} {
		_, err := nftest.Stage{NFs: []string{"counter: " + options}}.TryBuild()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", options, err, want)
		}
	}
}

func FuzzApplyShared(f *testing.F) {
	stage := nftest.Stage{NFs: []string{"counter: {thresholds: [{packets: 1}]}"}, Flows: 16}
	build := func(t testing.TB) *Counter {
		n, err := New(nf.Setup{Options: none{}, Flows: state.NewTable(16, 1, 1)})
		if err != nil {
			t.Fatal(err)
		}
		return n.(*Counter)
	}
	p := stage.Build(f)
	nftest.Run(p, mixed()[:50], 64)
	r := state.Read(p.AppendDelta(nil))
	var e state.Entry
	var good []byte
	for r.Next(&e) {
		good = e.Data
		f.Add(e.Data)
	}
	report := func(c *Counter) map[string]int64 {
		r := nf.Report{Counters: map[string]int64{}}
		c.Report(&r)
		for name := range r.Counters {
			if strings.HasSuffix(name, "_second") { // an average of floating point numbers, which round
				delete(r.Counters, name)
			}
		}
		return r.Counters
	}
	fourth := putCount(put([]byte{sharedVersion}, 1), 3<<8, count{1, 100}) // a kind of packet that there is not
	f.Add(append(fourth, make([]byte, 1+7+1+8+3+1)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, d := build(t), build(t)
		empty := report(c)
		if c.ApplyShared(data) != nil {
			if !reflect.DeepEqual(report(c), empty) {
				t.Fatal("a refused delta left a trace")
			}
			return
		}
		if again := c.AppendShared(nil); len(again) > 0 && c.ApplyShared(again) != nil {
			t.Fatal("what is exported is refused")
		}
		// Deltas commute, whatever is in them.
		if c.ApplyShared(good) != nil || d.ApplyShared(good) != nil || d.ApplyShared(data) != nil {
			t.Fatal("a delta is taken before another and not behind it")
		}
		if a, b := report(c), report(d); !reflect.DeepEqual(a, b) {
			t.Fatalf("in one order %v, in the other %v", a, b)
		}
	})
}

type none struct{}

func (none) Decode(any) error              { return nil }
func (none) Pos(string) (string, int, int) { return "", 0, 0 }

func TestREADME(t *testing.T) {
	for _, stage := range nftest.README(t, nil) {
		nftest.HandOff(t, stage, mixed(), "packets_per_second", "bits_per_second")
	}
}

// The floor is 15 ns a packet in batches of 64, the aim 6, of the counter alone: parsing and finding the flow happen once for all
// functions of a stage, and are what "whole" has more.
func BenchmarkCounter(b *testing.B) {
	for name, options := range map[string]string{"flows": "", "plain": "{top: 0}"} {
		var capture []nftest.Packet
		for i := range 64 {
			k := nftest.TCP(fmt.Sprintf("10.0.0.1:%d", 1000+i%32), "192.0.2.1:443", ".", "payload").Packet()
			k.From = nf.Side(i % 2)
			capture = append(capture, k)
		}
		add := func(p *nf.Pipeline) *nf.Batch {
			batch := p.Start()
			for _, k := range capture {
				p.Add(k.Data, k.Wire, k.From, k.Time, 0)
			}
			return batch
		}
		p := nftest.Stage{NFs: []string{"counter: " + options}}.Build(b)
		buf := make([]byte, 0, 1<<16)
		b.Run(name+"/counter-alone", func(b *testing.B) {
			add(p)
			b.ReportAllocs()
			for n := 0; n < b.N; n += 64 {
				p.Run()
			}
		})
		b.Run(name+"/with-delta", func(b *testing.B) {
			add(p)
			for n := 0; n < b.N; n += 64 {
				p.Run()
				buf = p.AppendDelta(buf[:0])
			}
		})
		b.Run(name+"/whole", func(b *testing.B) {
			for n := 0; n < b.N; n += 64 {
				add(p)
				p.Run()
			}
		})
	}
}

// When nothing comes any more the rates go to zero, though no packet says so.
func TestRatesDecayInSilence(t *testing.T) {
	p := nftest.Stage{NFs: []string{"counter: {}"}}.Build(t)
	var ps []nftest.P
	for i := range 5000 {
		ps = append(ps, nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "x").At(time.Duration(i)*time.Millisecond))
	}
	nftest.Run(p, nftest.Packets(ps...), 64)
	was := p.Reports()[0].Counters["packets_per_second"]
	for s := range 120 {
		p.Tick(nftest.Start + int64(5*time.Second) + int64(s)*int64(time.Second))
	}
	if now := p.Reports()[0].Counters["packets_per_second"]; was < 300 || now != 0 {
		t.Errorf("%d packets/s, two minutes later %d, want 0", was, now)
	}
}
