package firewall

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// mixedRules are n rules of the shapes that rule files have: pairs of networks, hosts with services, ports, protocols, a
// few sets, flags and counters, IPv6 among them; every tenth counts only.
func mixedRules(n int, track bool) string {
	g := newGenerator(42)
	var b strings.Builder
	b.WriteString("table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n")
	if track {
		b.WriteString("\t\tct state established,related counter accept\n\t\tct state invalid drop\n")
	}
	net4 := func() string {
		bits := pick(g, 16, 20, 24, 24, 28, 32)
		a := uint32(10<<24|g.IntN(1<<24)) &^ (1<<(32-bits) - 1)
		return fmt.Sprintf("%d.%d.%d.%d/%d", byte(a>>24), byte(a>>16), byte(a>>8), byte(a), bits)
	}
	port := func() string {
		if g.IntN(3) == 0 {
			p := 1 + g.IntN(60000)
			return fmt.Sprintf("%d-%d", p, p+1+g.IntN(2000))
		}
		return fmt.Sprint(1 + g.IntN(65000))
	}
	for i := range n {
		act := pick(g, "counter drop", "counter accept", "drop", "accept")
		if i%10 == 9 {
			act = "counter"
		}
		proto := pick(g, "tcp", "tcp", "udp")
		var m string
		switch g.IntN(8) {
		case 0, 1, 2:
			m = fmt.Sprintf("ip saddr %s ip daddr %s %s dport %s", net4(), net4(), proto, port())
		case 3:
			m = fmt.Sprintf("ip saddr %s %s dport { %s, %s }", net4(), proto, port(), port())
		case 4:
			m = fmt.Sprintf("ip daddr { %s, %s } %s dport %s", net4(), net4(), proto, port())
		case 5:
			m = fmt.Sprintf("ip saddr %s ip daddr %s", net4(), net4())
		case 6:
			m = fmt.Sprintf("ip6 saddr 2001:db8:%x::/48 %s dport %s", g.IntN(65536), proto, port())
		case 7:
			m = fmt.Sprintf("ip saddr %s tcp sport %s tcp flags syn / syn,ack", net4(), port())
		}
		fmt.Fprintf(&b, "\t\t%s %s\n", m, act)
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// traffic is n packets of as many flows, within the networks of mixedRules.
func traffic(n int) []nftest.Packet {
	g := newGenerator(43)
	out := make([]nftest.Packet, n)
	for i := range out {
		src := fmt.Sprintf("10.%d.%d.%d:%d", g.IntN(256), g.IntN(256), g.IntN(256), 1024+g.IntN(60000))
		dst := fmt.Sprintf("10.%d.%d.%d:%d", g.IntN(256), g.IntN(256), g.IntN(256), 1+g.IntN(65000))
		p := nftest.TCP(src, dst, "S", "")
		if g.IntN(3) == 0 {
			p = nftest.UDP(src, dst, "12345678")
		}
		out[i] = p.Packet()
	}
	return out
}

// processOnly measures the firewall alone, in batches of 64 that are parsed before.
func processOnly(b *testing.B, w bench, ps []nftest.Packet) {
	b.Helper()
	const size = 64
	n := len(ps) / size
	batches := make([]nf.Batch, n)
	for i := range batches {
		batch := w.Start()
		for k := range size {
			p := &ps[i*size+k]
			w.Add(p.Data, p.Wire, p.From, p.Time, 0)
			if x := &batch.Packets[k]; w.fw.machine.Program.Tracks { // as Run does it
				x.Flow, x.NewFlow = batch.Flows.Get((*[6]uint64)(&x.Key), x.Time)
			}
			batch.Live = append(batch.Live, uint16(k))
		}
		batches[i] = nf.Batch{Packets: append([]nf.Packet(nil), batch.Packets...), Live: append([]uint16(nil), batch.Live...),
			Verdicts: make([]nf.Verdict, size), Changed: make([]nf.Extent, size), Flows: batch.Flows, Events: batch.Events}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += size {
		x := &batches[i/size%n]
		clear(x.Verdicts)
		w.fw.Process(x)
	}
	b.StopTimer()
	if judged := w.fw.stats[accepted] + w.fw.stats[droppedByRule] + w.fw.stats[droppedByPolicy]; judged < uint64(b.N) {
		b.Fatalf("%d of %d packets judged", judged, b.N)
	}
}

func BenchmarkRules(b *testing.B) {
	for _, n := range []int{16, 100, 1000, 8000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := build(b, "{rules: r}", map[string]string{"r": mixedRules(n, false)})
			processOnly(b, w, traffic(2048))
		})
	}
}

// BenchmarkEstablished: every packet belongs to a connection that has been accepted, behind 1,000 rules.
func BenchmarkEstablished(b *testing.B) {
	for _, proto := range []string{"tcp", "udp"} {
		b.Run(proto, func(b *testing.B) {
			w := build(b, "{rules: r}", map[string]string{"r": mixedRules(1000, true)})
			var ps []nftest.Packet
			for i := range 512 {
				c, s := fmt.Sprintf("192.168.%d.%d:4000", i/250, i%250+1), "198.51.100.1:443"
				if proto == "udp" {
					ps = append(ps, nftest.UDP(c, s, "q").Packet(), nftest.UDP(s, c, "a").Outside().Packet())
					continue
				}
				ps = append(ps, nftest.TCP(c, s, "S", "").Numbers(1, 0).Packet(), nftest.TCP(s, c, "SA", "").Numbers(9, 2).Outside().Packet(),
					nftest.TCP(c, s, "A", "").Numbers(2, 10).Packet())
			}
			nftest.Run(w.Pipeline, ps, 64)
			var more []nftest.Packet
			for i := range 1024 {
				c, s := fmt.Sprintf("192.168.%d.%d:4000", i/2/250, i/2%250+1), "198.51.100.1:443"
				p := nftest.TCP(c, s, "A", "x").Numbers(2, 10)
				if proto == "udp" {
					p = nftest.UDP(c, s, "q")
				}
				more = append(more, p.Packet())
			}
			processOnly(b, w, more)
			if w.fw.stats[accepted] < uint64(b.N) {
				b.Fatalf("%d of %d packets accepted", w.fw.stats[accepted], b.N)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	text := mixedRules(8000, false)
	for b.Loop() {
		build(b, "{rules: r}", map[string]string{"r": text})
	}
}
