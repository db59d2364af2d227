package nat

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const options = "nat: {addresses: [203.0.113.7], ports: 2000-2999, inside: [10.0.0.0/8]}"

// bench is a NAT and the hosts around it: what it sends on can be answered.
type bench struct {
	t   *testing.T
	p   *nf.Pipeline
	now time.Duration
}

// send shows one packet and returns it as it leaves, nil if it was dropped.
func (b *bench) send(p nftest.P) *nf.Packet {
	b.t.Helper()
	b.now += time.Millisecond
	r := nftest.Run(b.p, nftest.Packets(p.At(b.now)), 1)
	if r.Panics > 0 {
		b.t.Fatal(r.Reports[0].Panic)
	}
	o := r.Packets[0]
	if o.Verdict != nf.Pass {
		return nil
	}
	out := &nf.Packet{Data: o.Data}
	if out.Data == nil {
		out.Data = p.Frame()
	}
	packet.Parse(out.Data, len(out.Data), &out.Info)
	if !out.CheckIPv4(out.Data) || out.CheckL4(out.Data) == packet.Wrong {
		b.t.Fatalf("a checksum is wrong in %x", out.Data)
	}
	return out
}

func ends(p *nf.Packet) (src, dst netip.AddrPort) {
	a, _ := netip.AddrFromSlice(p.Src(p.Data))
	z, _ := netip.AddrFromSlice(p.Dst(p.Data))
	return netip.AddrPortFrom(a, p.SrcPort), netip.AddrPortFrom(z, p.DstPort)
}

func newBench(t *testing.T, options string) *bench {
	return &bench{t: t, p: nftest.Stage{NFs: []string{options}}.Build(t)}
}

func TestConnections(t *testing.T) {
	for name, mk := range map[string]func(src, dst string) nftest.P{
		"TCP": func(src, dst string) nftest.P { return nftest.TCP(src, dst, "S", "hi") },
		"UDP": func(src, dst string) nftest.P { return nftest.UDP(src, dst, "hi") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, options)
			seen := map[netip.AddrPort]string{}
			for _, host := range []string{"10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.1:4001", "10.9.9.9:4000"} {
				out := b.send(mk(host, "192.0.2.1:80"))
				src, dst := ends(out)
				if src.Addr().String() != "203.0.113.7" || src.Port() < 2000 || src.Port() > 2999 || dst.String() != "192.0.2.1:80" {
					t.Fatalf("%s left as %v -> %v", host, src, dst)
				}
				if other, taken := seen[src]; taken {
					t.Fatalf("%s left from %v, as %s did", host, src, other)
				}
				seen[src] = host
				if again, _ := ends(b.send(mk(host, "192.0.2.1:80"))); again != src {
					t.Errorf("%s left from %v, then from %v", host, src, again)
				}
			}
			for src, host := range seen {
				back := b.send(mk("192.0.2.1:80", src.String()).Outside())
				from, to := ends(back)
				if from.String() != "192.0.2.1:80" || to.String() != host {
					t.Errorf("the answer to %v came as %v -> %v, want %s", src, from, to, host)
				}
				if b.send(mk("192.0.2.2:80", src.String()).Outside()) != nil {
					t.Error("a stranger's packet came in")
				}
			}
		})
	}
}

func TestPortsAreReusedTowardsOthers(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], ports: 2000-2000, block: 1}")
	for i := range 5 {
		if src, _ := ends(b.send(nftest.UDP("10.0.0.1:4000", fmt.Sprintf("192.0.2.%d:80", i+1), ""))); src.Port() != 2000 {
			t.Errorf("left from %v, want port 2000", src)
		}
	}
	if b.send(nftest.UDP("10.0.0.1:4001", "192.0.2.1:80", "")) != nil {
		t.Error("two connections to one remote port share a port")
	}
	if b.send(nftest.UDP("10.0.0.2:4000", "192.0.2.99:80", "")) != nil {
		t.Error("two hosts share a port")
	}
	r := nftest.Run(b.p, nil, 1)
	if r.Count(0, "exhausted") != 2 || r.Count(0, "blocks_leased") != 1 {
		t.Errorf("counters %v", r.Reports[0].Counters)
	}
}

func TestBlocksComeBack(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], ports: 2000-2000, block: 1}")
	if b.send(nftest.UDP("10.0.0.1:4000", "192.0.2.1:80", "")) == nil {
		t.Fatal("refused")
	}
	if b.send(nftest.UDP("10.0.0.2:4000", "192.0.2.1:80", "")) != nil {
		t.Fatal("two hosts have one block")
	}
	b.now += 33 * time.Second
	if b.send(nftest.UDP("10.0.0.2:4000", "192.0.2.1:80", "")) == nil {
		t.Error("the block did not come back")
	}
}

func TestEcho(t *testing.T) {
	b := newBench(t, options)
	ids := map[uint16]string{}
	for _, host := range []string{"10.0.0.1", "10.0.0.2"} {
		out := b.send(nftest.Echo(host, "192.0.2.1", 77, 1))
		ids[packet.ICMPHeader(out.Data[out.L4:]).ID()] = host
	}
	if len(ids) != 2 {
		t.Fatalf("two hosts' echoes left with identifiers %v", ids)
	}
	for id, host := range ids {
		back := b.send(nftest.EchoReply("192.0.2.1", "203.0.113.7", id, 1).Outside())
		if _, to := ends(back); to.Addr().String() != host || packet.ICMPHeader(back.Data[back.L4:]).ID() != 77 {
			t.Errorf("the reply to %d went to %v with identifier %d, want %s, 77", id, to, packet.ICMPHeader(back.Data[back.L4:]).ID(), host)
		}
	}
}

func TestErrorsAboutTranslatedPackets(t *testing.T) {
	for name, open := range map[string]nftest.P{
		"TCP": nftest.TCP("10.0.0.1:4000", "192.0.2.1:80", "S", "payload"), "UDP": nftest.UDP("10.0.0.1:4000", "192.0.2.1:80", "payload"), "echo": nftest.Echo("10.0.0.1", "192.0.2.1", 77, 1),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, options)
			out := b.send(open)
			back := b.send(nftest.Unreachable("198.51.100.1", "203.0.113.7", out.Data).Outside())
			if back == nil {
				t.Fatal("dropped")
			}
			if src, dst := ends(back); src.Addr().String() != "198.51.100.1" || dst.Addr().String() != "10.0.0.1" {
				t.Errorf("the error came as %v -> %v", src, dst)
			}
			want := open.Frame()[14:42] // the host must find its own packet quoted
			got := back.Data[back.L4+8:]
			if string(got[:len(want)]) != string(want) {
				t.Errorf("quoted\n%x, want\n%x", got, want)
			}
			// And an error from inside about an answer.
			if name == "echo" {
				return
			}
			src, _ := ends(out)
			answer := open
			answer.Src, answer.Dst = "192.0.2.1:80", src.String()
			in := b.send(answer.Outside())
			outErr := b.send(nftest.Unreachable("10.0.0.1", "192.0.2.1", in.Data))
			if from, to := ends(outErr); from.Addr().String() != "203.0.113.7" || to.Addr().String() != "192.0.2.1" {
				t.Errorf("the error left as %v -> %v", from, to)
			}
			var q packet.Info
			packet.ParseQuoted(outErr.Data, int(outErr.L4)+8, packet.IPv4, &q)
			if a, _ := netip.AddrFromSlice(q.Dst(outErr.Data)); netip.AddrPortFrom(a, q.DstPort) != src {
				t.Errorf("the error quotes a packet to %v:%d, want %v", a, q.DstPort, src)
			}
		})
	}
}

func TestWhatIsNotTranslated(t *testing.T) {
	b := newBench(t, options)
	for name, tt := range map[string]struct {
		p      nftest.P
		passes bool
	}{
		"IPv6":                  {nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:2", ""), true},
		"another host inside":   {nftest.UDP("172.16.0.1:1", "192.0.2.1:2", ""), true},
		"through, from outside": {nftest.UDP("192.0.2.1:1", "172.16.0.1:2", "").Outside(), true},
		"unsolicited":           {nftest.TCP("192.0.2.1:1", "203.0.113.7:2000", "S", "").Outside(), false},
		"a later fragment":      {nftest.UDP("10.0.0.1:1", "192.0.2.1:2", "12345678").Fragment(8, true), false},
		"AH":                    {nftest.IP("10.0.0.1", "192.0.2.1", packet.ProtoAH, "xxxxxxxxxxxx"), false},
		"timestamp reply":       {nftest.P{Src: "10.0.0.1", Dst: "192.0.2.1", Proto: packet.ProtoICMP, Type: 14}, false},
		"a reset of nothing":    {nftest.TCP("10.0.0.1:1", "192.0.2.1:2", "R", ""), false},
	} {
		out := b.send(tt.p)
		if (out != nil) != tt.passes {
			t.Errorf("%s: passes %v, want %v", name, out != nil, tt.passes)
		}
		if out != nil && string(out.Data) != string(tt.p.Frame()) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestLeaseEvents(t *testing.T) {
	p := nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7], ports: 2000-2999, block: 1000, log_leases: true}"}}.Build(t)
	r := nftest.Run(p, nftest.Packets(nftest.UDP("10.0.0.1:1", "192.0.2.1:1", ""), nftest.UDP("10.0.0.1:2", "192.0.2.1:1", ""), nftest.UDP("10.0.0.2:2", "192.0.2.1:1", "").At(40*time.Second)), 2)
	var got []string
	for _, e := range r.Events {
		if _, after, ok := strings.Cut(e, `"nat":`); ok {
			got = append(got, strings.TrimSuffix(after, "}"))
		}
	}
	want := []string{`{"event":"lease","host":"10.0.0.1","address":"203.0.113.7","first_port":2000,"last_port":2999}`, `{"event":"release","host":"10.0.0.1","address":"203.0.113.7","first_port":2000,"last_port":2999}`,
		`{"event":"lease","host":"10.0.0.2","address":"203.0.113.7","first_port":2000,"last_port":2999}`}
	if !slices.Equal(got, want) {
		t.Errorf("events %q\nwant %q", got, want)
	}
}

// traffic has many hosts open connections; answers come from a NAT of the same seed, so they have the right ports.
func traffic(t *testing.T, stage nftest.Stage) []nftest.Packet {
	rng := rand.New(rand.NewPCG(8, 8))
	p := stage.Build(t)
	var all []nftest.Packet
	var open []nftest.P
	add := func(x nftest.P) *nf.Packet {
		k := x.At(time.Duration(len(all)) * 5 * time.Millisecond).Packet()
		all = append(all, k)
		o := nftest.Run(p, all[len(all)-1:], 1).Packets[0]
		if o.Verdict != nf.Pass || o.Data == nil {
			return nil
		}
		out := &nf.Packet{Data: o.Data}
		packet.Parse(out.Data, len(out.Data), &out.Info)
		return out
	}
	for len(all) < 600 {
		if len(open) > 0 && rng.IntN(3) > 0 {
			add(open[rng.IntN(len(open))])
			continue
		}
		src, dst := fmt.Sprintf("10.0.0.%d:%d", 1+rng.IntN(20), 1000+rng.IntN(5)), fmt.Sprintf("192.0.2.%d:80", 1+rng.IntN(5))
		x := nftest.TCP(src, dst, "S", "hello")
		if rng.IntN(2) == 0 {
			x = nftest.UDP(src, dst, "hello")
		}
		out := add(x)
		if out == nil {
			continue
		}
		from, to := ends(out)
		back := nftest.UDP(to.String(), from.String(), "answer").Outside()
		if out.Proto == packet.ProtoTCP {
			back = nftest.TCP(to.String(), from.String(), "S.", "").Outside()
		}
		open = append(open, x, back)
		if rng.IntN(5) == 0 {
			open = append(open, nftest.Unreachable("198.51.100.1", "203.0.113.7", out.Data).Outside())
		}
	}
	return all
}

func TestChecks(t *testing.T) {
	stage := nftest.Stage{NFs: []string{options}}
	capture := traffic(t, stage)
	if r := nftest.Run(stage.Build(t), capture, 64); r.Count(0, "translated") < 500 {
		t.Fatalf("the capture is not translated: %v", r.Reports[0].Counters)
	}
	nftest.HandOff(t, stage, capture, gauges...)
	nftest.ZeroAlloc(t, stage, capture)
	nftest.Malformed(t, stage)
	nftest.Malformed(t, nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7]}"}, Flows: 64})
}

// Whatever becomes of sessions, ports, blocks and hosts stay in step with them.
func TestPortsFollowSessions(t *testing.T) {
	for _, o := range []string{"", ", block: 7", ", deterministic: true, inside: [10.0.0.0/22]", ", host_ports: 5"} {
		n := nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7, 203.0.113.8], ports: 1024-3071, sessions: 40" + o + "}"}}.Build(t)
		var ps []nftest.P
		for i := range 3000 {
			ps = append(ps, nftest.UDP(fmt.Sprintf("10.0.%d.%d:%d", i%3, i%7, 1000+i%50), fmt.Sprintf("192.0.2.%d:80", 1+i%9), "").At(time.Duration(i)*time.Second/2))
		}
		ps = append(ps, nftest.UDP("192.0.2.1:1", "203.0.113.7:1024", "").Outside().At(time.Hour))
		r := nftest.Run(n, nftest.Packets(ps...), 64)
		if r.Count(0, "translated") < 1000 {
			t.Errorf("%s: counters %v", o, r.Reports[0].Counters)
		}
		for _, gauge := range []string{"sessions", "mappings", "hosts", "blocks_leased"} {
			if r.Count(0, gauge) != 0 || r.Panics != 0 {
				t.Errorf("%s: when all have ended %s is %d", o, gauge, r.Count(0, gauge))
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for o, want := range map[string]string{
		"{}": "0 addresses", "{addresses: ['2001:db8::1']}": "no IPv4 address", "{addresses: [1.2.3.4, 1.2.3.4]}": "twice",
		"{addresses: [1.2.3.4], ports: 5}": `ports is "5"`, "{addresses: [1.2.3.4], ports: 9-5}": "FIRST-LAST", "{addresses: [1.2.3.4], ports: 1-99999}": "FIRST-LAST",
		"{addresses: [1.2.3.4], ports: 10-19, block: 11}": "1:50: block is 11; expected 1 to 10", "{addresses: [1.2.3.4], deterministic: true}": "deterministic needs", "{addresses: [1.2.3.4], timeouts: {udp: 1ms}}": "udp is 1ms", "{addresses: [1.2.3.4], forward: [{port: 0, to: 10.0.0.1}]}": "no port", "{addresses: [1.2.3.4], forward: [{port: 1, to: x}]}": "to is", "{addresses: [1.2.3.4], sessions: 0}": "sessions is 0", "{addresses: [1.2.3.4], leases: 0}": "leases is 0",
		"{addresses: [1.2.3.4], inside: ['2001:db8::/32']}": "no IPv4 prefix", "{addresses: [x]}": "x",
	} {
		_, err := nftest.Stage{NFs: []string{"nat: " + o}}.TryBuild()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", o, err, want)
		}
	}
}

func TestREADME(t *testing.T) { nftest.README(t, nil) }

func FuzzApplyEntry(f *testing.F) {
	p := nftest.Stage{NFs: []string{options}}.Build(f)
	_, told := nftest.Replicate(f, p, nftest.Packets(nftest.UDP("10.0.0.1:1", "192.0.2.1:2", "")), 1)
	f.Add(told)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7], ports: 2000-2009, block: 3, sessions: 4}"}, Flows: 8}.Build(t)
		_ = p.ApplyDelta(data)
		r := nftest.Run(p, nftest.Packets(nftest.UDP("10.0.0.1:1", "192.0.2.1:2", ""), nftest.UDP("10.0.0.2:1", "192.0.2.1:2", "").At(time.Hour)), 1)
		if r.Panics > 0 {
			t.Fatal(r.Reports[0].Panic)
		}
	})
}

// gauges of the present are not sums over instances; what has ended by time is counted by whoever looks first.
var gauges = []string{"blocks_leased", "blocks", "sessions", "mappings", "hosts", "expired"}

func BenchmarkNAT(b *testing.B) {
	var capture []nftest.Packet
	for i := range 64 {
		capture = append(capture, nftest.TCP(fmt.Sprintf("10.0.0.%d:4000", 1+i), "192.0.2.1:80", ".", "payload").Packet())
	}
	nftest.Bench(b, nftest.Stage{NFs: []string{options}}, capture)
}

// A few mappings, and a million, of 4,096 hosts.
func BenchmarkMappings(b *testing.B) {
	b.Run("1024", func(b *testing.B) { benchMappings(b, 1<<10) })
	b.Run("1048576", func(b *testing.B) { benchMappings(b, 1<<20) })
}

func benchMappings(b *testing.B, n int) {
	frame := nftest.TCP("10.0.0.1:4000", "192.0.2.1:80", ".", "payload").Frame()
	stage := nftest.Stage{NFs: []string{"nat: {addresses: [" + strings.Join(addresses(20), ", ") + "], sessions: 1048576}"}, Flows: 1024}
	nftest.BenchMany(b, stage, n, func(to []byte, i int) []byte {
		to = append(to, frame...)
		binary.BigEndian.PutUint16(to[14+14:], uint16(i>>8&0xfff)) // the host
		binary.BigEndian.PutUint16(to[14+20:], uint16(1024+i&0xff+i>>20<<8))
		return to
	})
}

func addresses(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("203.0.113.%d", i+1))
	}
	return list
}
