package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

const ms = time.Millisecond

func query(host int, at time.Duration) nftest.P {
	return nftest.UDP(fmt.Sprintf("10.0.0.%d:1000", host), "192.0.2.1:53", "query").At(at + 1)
}

func answer(host int, at time.Duration) nftest.P {
	return nftest.UDP("192.0.2.1:53", fmt.Sprintf("10.0.0.%d:1000", host), "answer").At(at + 1).Outside()
}

// sized is a packet of n bytes from the network header on.
func sized(n int, at time.Duration) nftest.P {
	return nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", strings.Repeat("x", n-28)).At(at + 1)
}

// jittered is 10 packets a second, each up to 90 ms early or late.
func jittered() (ps []nftest.P) {
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 100 {
		ps = append(ps, query(1, time.Second+time.Duration(i)*100*ms+time.Duration(rng.IntN(180)-90)*ms))
	}
	return ps
}

// backwards is 100 packets a second, and half-way somebody sets the clock back.
func backwards() (ps []nftest.P) {
	for i := range 600 {
		at := 2*time.Hour + time.Duration(i)*10*ms
		if i >= 300 {
			at -= time.Hour
		}
		ps = append(ps, query(1, at))
	}
	return ps
}

func TestWhoWasLimited(t *testing.T) {
	for _, tt := range []struct{ options, want string }{
		{"{by: source, from: inside, packets_per_second: 1, burst: 1, prefix: {ipv4: 24}}", "10.0.0.0/24"}, {"{by: source, from: inside, packets_per_second: 1, burst: 1}", "10.0.0.1"},
		{"{by: total, packets_per_second: 1, burst: 1}", "total"}, {"{packets_per_second: 1, burst: 1}", "10.0.0.1:1000 192.0.2.1:53 protocol 17"},
	} {
		var ps []nftest.P
		for i := range 50 {
			ps = append(ps, query(1, time.Duration(i)*ms))
		}
		r := nftest.Run(nftest.Stage{NFs: []string{"ratelimit: " + tt.options}}.Build(t), nftest.Packets(ps...), 64)
		if top, ok := r.Reports[0].Top.([]Limited); !ok || len(top) != 1 || top[0] != (Limited{tt.want, 49}) {
			t.Errorf("%s: %+v", tt.options, r.Reports[0].Top)
		}
		if len(r.Events) != 1 || !strings.Contains(r.Events[0], `"event_type":"ratelimit"`) {
			t.Errorf("%s: events %q, want one", tt.options, r.Events)
		}
	}
}

func TestBuckets(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		packets       []nftest.P
		want          string // p passes, x does not
	}{
		{"a burst, then the rate", "{packets_per_second: 10, burst: 3}",
			[]nftest.P{query(1, 0), query(1, 0), query(1, 0), query(1, 0), query(1, 50*ms), query(1, 100*ms), query(1, 150*ms), query(1, 500*ms), query(1, 500*ms), query(1, 500*ms), query(1, 500*ms)}, "pppxxpxpppx"},
		{"flows apart, both directions together", "{packets_per_second: 1, burst: 2}", []nftest.P{query(1, 0), query(2, 0), answer(1, 0), answer(1, 0), query(2, 0), query(2, 0)}, "pppxpx"},
		{"one side only", "{packets_per_second: 1, burst: 1, from: outside}", []nftest.P{query(1, 0), query(1, 0), answer(1, 0), answer(1, 0)}, "pppx"},
		{"by source, over its flows", "{by: source, from: inside, packets_per_second: 1, burst: 2}",
			[]nftest.P{query(1, 0), nftest.UDP("10.0.0.1:9", "192.0.2.9:9", "").At(1), query(1, 0), query(2, 0), answer(1, 0), answer(1, 0), answer(1, 0)}, "ppxpppp"},
		{"by destination", "{by: destination, from: outside, packets_per_second: 1, burst: 1}",
			[]nftest.P{answer(1, 0), answer(1, 0), answer(2, 0), query(1, 0), query(1, 0)}, "pxppp"},
		{"bits", "{bits_per_second: 8000, burst: 1500}", // a byte a millisecond
			[]nftest.P{sized(500, 0), sized(500, 0), sized(500, 0), sized(500, 0), sized(500, 400*ms), sized(500, 500*ms)}, "pppxxp"},
		{"IPv6, by its network", "{by: source, from: inside, packets_per_second: 1, burst: 1}",
			[]nftest.P{nftest.Echo("2001:db8::1", "2001:db8::2", 1, 1), nftest.Echo("2001:db8::1", "2001:db8::2", 1, 2), nftest.Echo("2001:db8::3", "2001:db8::2", 1, 2), nftest.Echo("2001:db8:0:1::3", "2001:db8::2", 1, 2)}, "pxxp"},
		{"IPv6, each address", "{by: source, from: inside, packets_per_second: 1, burst: 1, prefix: {ipv6: 128}}",
			[]nftest.P{nftest.Echo("2001:db8::1", "2001:db8::2", 1, 1), nftest.Echo("2001:db8::1", "2001:db8::2", 1, 2), nftest.Echo("2001:db8::3", "2001:db8::2", 1, 2)}, "pxp"},
		{"IPv4, by network", "{by: source, from: inside, packets_per_second: 1, burst: 1, prefix: {ipv4: 24}}",
			[]nftest.P{query(1, 0), query(2, 0), nftest.UDP("10.0.1.1:1", "192.0.2.1:53", "").At(2)}, "pxp"},
		{"all together", "{by: total, packets_per_second: 1, burst: 2}", []nftest.P{query(1, 0), answer(2, 0), query(3, 0), query(4, 1000*ms)}, "ppxp"},
		{"less than one a second", "{packets_per_second: 0.1, burst: 1}", []nftest.P{query(1, 0), query(1, 9*time.Second), query(1, 10*time.Second), query(1, 19*time.Second)}, "pxpx"},
		{"jitter, without a burst of its own", "{packets_per_second: 10}", jittered(), strings.Repeat("p", 100)},
		{"the clock goes back an hour", "{by: source, from: inside, packets_per_second: 200, burst: 50}", backwards(), strings.Repeat("p", 600)},
		{"the clock goes back an hour, by flow", "{packets_per_second: 200, burst: 50}", backwards(), strings.Repeat("p", 600)},
		{"not IP", "{packets_per_second: 1, burst: 1}", []nftest.P{nftest.IP("10.0.0.1", "10.0.0.2", packet.ProtoGRE, ""), nftest.IP("10.0.0.1", "10.0.0.2", packet.ProtoGRE, "")}, "px"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, batch := range []int{1, 64} {
				r := nftest.Run(nftest.Stage{NFs: []string{"ratelimit: " + tt.options}}.Build(t), nftest.Packets(tt.packets...), batch)
				got := ""
				for _, o := range r.Packets {
					got += map[nf.Verdict]string{nf.Pass: "p", nf.DropRate: "x"}[o.Verdict]
				}
				if got != tt.want {
					t.Errorf("batches of %d: %s, want %s", batch, got, tt.want)
				}
				if n := int64(strings.Count(tt.want, "x")); r.Count(0, "limited") != n {
					t.Errorf("limited is %d, want %d", r.Count(0, "limited"), n)
				}
			}
		})
	}
}

// Over any time, no bucket lets more through than the burst and what the rate fills in that time; and no less, if more comes.
func TestRateHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var ps []nftest.P
	at := time.Duration(0)
	for range 5000 {
		at += time.Duration(rng.IntN(int(4 * ms)))
		ps = append(ps, query(1, at))
	}
	r := nftest.Run(nftest.Stage{NFs: []string{"ratelimit: {packets_per_second: 100, burst: 20}"}}.Build(t), nftest.Packets(ps...), 64)
	passed := 0
	for _, o := range r.Packets {
		if o.Verdict == nf.Pass {
			passed++
		}
	}
	want := int(at.Seconds()*100) + 20
	if passed < want-1 || passed > want {
		t.Errorf("%d of 5000 packets in %v passed, want %d", passed, at, want)
	}
}

func crowd() []nftest.Packet {
	rng := rand.New(rand.NewPCG(5, 5))
	var ps []nftest.P
	for i := range 900 {
		p := query(1+rng.IntN(12), time.Duration(i)*3*ms)
		if rng.IntN(3) == 0 {
			p = answer(1+rng.IntN(12), time.Duration(i)*3*ms)
		}
		if rng.IntN(5) == 0 {
			p = nftest.TCP(fmt.Sprintf("10.0.0.%d:7", 1+rng.IntN(12)), "192.0.2.7:80", "S", "").At(time.Duration(i) * 3 * ms)
		}
		ps = append(ps, p)
	}
	return nftest.Packets(ps...)
}

func TestChecks(t *testing.T) {
	for _, options := range []string{
		"{packets_per_second: 8, burst: 3}", "{bits_per_second: 300, burst: 1500}", "{by: source, from: inside, packets_per_second: 15, burst: 5}",
		"{by: destination, from: outside, bits_per_second: 3000}", "{by: total, packets_per_second: 100}", "{by: source, from: inside, packets_per_second: 40, prefix: {ipv4: 29}}",
	} {
		stage := nftest.Stage{NFs: []string{"ratelimit: " + options}}
		if r := nftest.Run(stage.Build(t), crowd(), 64); r.Count(0, "limited") == 0 && !strings.Contains(options, "destination") {
			t.Errorf("%s limits nothing of the test's capture", options)
		}
		nftest.HandOff(t, stage, crowd())
		nftest.ZeroAlloc(t, stage, crowd())
		nftest.Malformed(t, stage)
	}
}

func TestAffinity(t *testing.T) {
	for options, want := range map[string]nf.Affinity{
		"{packets_per_second: 1}":                                 nf.ByFlow,
		"{packets_per_second: 1, by: source, from: inside}":       nf.ByInside,
		"{packets_per_second: 1, by: source, from: outside}":      nf.ByOutside,
		"{packets_per_second: 1, by: destination, from: inside}":  nf.ByOutside,
		"{packets_per_second: 1, by: destination, from: outside}": nf.ByInside,
	} {
		if got := (nftest.Stage{NFs: []string{"ratelimit: " + options}}).Build(t).Needs().Affinity; got != want {
			t.Errorf("%s: affinity %d, want %d", options, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for options, want := range map[string]string{
		"{}": "no rate", "{packets_per_second: 1, bits_per_second: 1}": "both set", "{packets_per_second: 1, by: host}": `1:40: by is "host"`,
		"{packets_per_second: 1, from: left}": `from is "left"`, "{packets_per_second: 1, by: source}": "from: inside or from: outside",
		"{packets_per_second: 1, burst: 5000000}": "burst is 5000000", "{bits_per_second: 8000000, burst: 1400}": "less than a packet", "{packets_per_second: -1}": "below 0", "{packets_per_second: 1, prefix: {ipv4: 33}}": "prefix is",
		"{packets_per_second: 1, addresses: 0}": "addresses is 0",
		"{bits_per_second: 99999999999999}":     "out of range", "{rate: 3}": "rate",
	} {
		_, err := nftest.Stage{NFs: []string{"ratelimit: " + options}}.TryBuild()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", options, err, want)
		}
	}
}

func TestREADME(t *testing.T) {
	for _, stage := range nftest.README(t, nil) {
		nftest.HandOff(t, stage, crowd())
	}
}

func FuzzApplyFlow(f *testing.F) {
	f.Add(make([]byte, 16), true)
	f.Add(make([]byte, 16), false)
	f.Fuzz(func(t *testing.T, data []byte, perFlow bool) {
		options := "ratelimit: {packets_per_second: 1, burst: 1}"
		if !perFlow {
			options = "ratelimit: {packets_per_second: 1, burst: 1, by: source, from: inside, addresses: 4}"
		}
		p := nftest.Stage{NFs: []string{options}, Flows: 8}.Build(t)
		k := query(1, 0).Packet()
		var in packet.Info
		var key packet.Key
		packet.Parse(k.Data, len(k.Data), &in)
		in.Key(k.Data, &key)
		if !perFlow {
			key = [6]uint64{0, 0xffff0a000001, 0, 0, 1 << 9, 0}
		}
		_ = p.ApplyDelta(state.Append(nil, &state.Entry{Kind: state.Flow, Version: 2, Key: key, Seen: k.Time, Data: data}))
		// Whatever state it was given, a burst of one lets one packet of an instant pass, or two with what the clock rounds.
		var flood []nftest.P
		for range 20 {
			flood = append(flood, query(1, 0))
		}
		passed := 0
		for _, o := range nftest.Run(p, nftest.Packets(flood...), 64).Packets {
			if o.Verdict == nf.Pass {
				passed++
			}
		}
		if passed > 2 {
			t.Errorf("%d packets of an instant pass a limit of one a second", passed)
		}
	})
}

func BenchmarkRatelimit(b *testing.B) {
	b.Run("flow", func(b *testing.B) {
		nftest.Bench(b, nftest.Stage{NFs: []string{"ratelimit: {packets_per_second: 1000}"}}, crowd())
	})
	b.Run("source", func(b *testing.B) {
		nftest.Bench(b, nftest.Stage{NFs: []string{"ratelimit: {by: source, from: inside, packets_per_second: 1000}"}}, crowd())
	})
}
