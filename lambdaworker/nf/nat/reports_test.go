package nat

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const one = "nat: {addresses: [203.0.113.7]}"

// source is what a packet left as.
func (b *bench) source(p nftest.P) netip.AddrPort {
	b.t.Helper()
	out := b.send(p)
	if out == nil {
		b.t.Fatalf("a packet from %s to %s was dropped", p.Src, p.Dst)
	}
	src, _ := ends(out)
	return src
}

// RFC 4787 REQ-1 and REQ-3: one port for an inside address and port, whatever it talks to, and no other's.
func TestMappingIsEndpointIndependent(t *testing.T) {
	b := newBench(t, one)
	first := b.source(nftest.UDP("10.0.0.1:5512", "192.0.2.1:80", ""))
	for _, dst := range []string{"192.0.2.1:81", "192.0.2.2:80", "198.51.100.9:5000"} {
		if got := b.source(nftest.UDP("10.0.0.1:5512", dst, "")); got != first {
			t.Errorf("left for %s as %v, before as %v", dst, got, first)
		}
	}
	if got := b.source(nftest.UDP("10.0.0.1:5000", "192.0.2.1:80", "")); got == first {
		t.Errorf("two ports inside are %v outside", got)
	}
	if got := b.source(nftest.TCP("10.0.0.1:5512", "192.0.2.1:80", "S", "")); !got.IsValid() {
		t.Errorf("left as %v", got)
	}
}

// RFC 4787 REQ-2: all of a host's ports are of one address while that has some.
func TestPairedPooling(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7, 203.0.113.8, 203.0.113.9]}")
	used := map[netip.Addr]bool{}
	for h := range 30 {
		host := fmt.Sprintf("10.0.0.%d", h+1)
		first := b.source(nftest.UDP(host+":1", "192.0.2.1:80", ""))
		used[first.Addr()] = true
		for p := 2; p < 10; p++ {
			if got := b.source(nftest.UDP(fmt.Sprint(host, ":", p), "192.0.2.1:80", "")); got.Addr() != first.Addr() {
				t.Errorf("%s left as %v and as %v", host, first, got)
			}
		}
	}
	if len(used) != 3 {
		t.Errorf("30 hosts use %d of 3 addresses", len(used))
	}
}

// RFC 4787 REQ-4 and RFC 6056: ports are as even or odd as the host's own, and can't be guessed from one another.
func TestPortsAreRandomAndKeepTheirParity(t *testing.T) {
	b := newBench(t, one)
	low, high, near := 65535, 0, 0
	last := 0
	for i := range 400 {
		own := 20000 + i
		got := int(b.source(nftest.UDP(fmt.Sprint("10.0.0.1:", own), "192.0.2.1:80", "")).Port())
		if got%2 != own%2 {
			t.Errorf("port %d left as %d", own, got)
		}
		if d := got - last; d > -64 && d < 64 {
			near++
		}
		low, high, last = min(low, got), max(high, got), got
	}
	if low > 8000 || high < 58000 || near > 10 {
		t.Errorf("400 ports lie between %d and %d, %d of them near the one before", low, high, near)
	}
}

// All of the ports of an address are used, each answers, and the one too many is refused by name.
func TestEveryPortOfAnAddress(t *testing.T) {
	p := nftest.Stage{NFs: []string{one}}.Build(t)
	const all = 65535 - 1024 + 1
	b := &bench{t: t, p: p}
	sources := make([]string, all)
	for i := range all {
		out := b.send(nftest.UDP(fmt.Sprintf("10.0.%d.1:%d", i/500, 1000+i%500), "192.0.2.1:53", ""))
		if out == nil {
			t.Fatalf("mapping %d of %d was refused", i+1, all)
		}
		src, _ := ends(out)
		sources[i] = src.String()
		b.now -= 900 * time.Microsecond
	}
	if b.send(nftest.UDP("10.1.0.1:1", "192.0.2.1:53", "")) != nil {
		t.Error("there was a port too many")
	}
	for i, src := range sources {
		back := b.send(nftest.UDP("192.0.2.1:53", src, "").Outside())
		if back == nil {
			t.Fatalf("the answer to mapping %d of %d was lost", i+1, all)
		}
		if _, dst := ends(back); dst.String() != fmt.Sprintf("10.0.%d.1:%d", i/500, 1000+i%500) {
			t.Fatalf("the answer to mapping %d went to %v", i+1, dst)
		}
		b.now -= 900 * time.Microsecond
	}
	r := nftest.Run(p, nil, 1)
	if r.Count(0, "exhausted") != 1 || r.Count(0, "mappings") != all || r.Count(0, "evicted") != 0 {
		t.Errorf("counters %v", r.Reports[0].Counters)
	}
}

// What is unasked takes no mapping, and cuts nobody off.
func TestStrangersTakeNothing(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], sessions: 200}")
	var to []string
	for i := range 100 {
		host := fmt.Sprintf("10.0.0.1:%d", 4000+i)
		src := b.source(nftest.TCP(host, "192.0.2.1:80", "S", "")).String()
		b.send(nftest.TCP("192.0.2.1:80", src, "SA", "").Outside())
		b.send(nftest.TCP(host, "192.0.2.1:80", "A", ""))
		to = append(to, src)
	}
	for i := range 20000 {
		if b.send(nftest.TCP(fmt.Sprintf("198.51.%d.%d:6666", i>>8&0xff, i&0xff), fmt.Sprintf("203.0.113.7:%d", 1024+i), "S", "").Outside()) != nil {
			t.Fatal("a stranger came in")
		}
	}
	for i, src := range to {
		back := b.send(nftest.TCP("192.0.2.1:80", src, "PA", "data").Outside())
		if back == nil {
			t.Fatalf("connection %d is cut", i+1)
		}
	}
	// Those from inside that nobody answers push out their like, not those that were answered.
	for i := range 5000 {
		b.send(nftest.UDP(fmt.Sprintf("10.0.9.9:%d", 1000+i), "198.51.100.1:1", ""))
	}
	for i, src := range to {
		if b.send(nftest.TCP("192.0.2.1:80", src, "PA", "data").Outside()) == nil {
			t.Fatalf("connection %d is cut", i+1)
		}
	}
	if r := nftest.Run(b.p, nil, 1); r.Count(0, "unsolicited") != 20000 || r.Count(0, "evicted") < 4000 {
		t.Errorf("counters %v", r.Reports[0].Counters)
	}
}

func TestAHostHasItsLimit(t *testing.T) {
	p := nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7], host_ports: 10}"}}.Build(t)
	var ps []nftest.P
	for i := range 40 {
		ps = append(ps, nftest.UDP(fmt.Sprintf("10.0.0.1:%d", 1000+i), "192.0.2.1:1", ""))
	}
	ps = append(ps, nftest.UDP("10.0.0.2:1", "192.0.2.1:1", ""))
	r := nftest.Run(p, nftest.Packets(ps...), 64)
	for i, o := range r.Packets {
		want := nf.Pass
		if i >= 10 && i < 40 {
			want = nf.DropHostLimit
		}
		if o.Verdict != want {
			t.Errorf("packet %d: %v, want %v", i+1, o.Verdict, want)
		}
	}
	if len(r.Events) != 1 { // a minute and host
		t.Errorf("%d events", len(r.Events))
	}
}

// Blocks: never more than a host may have, also when others have given theirs back; a short one at the end of the range.
func TestBlocksOfAHost(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], ports: 1024-1087, block: 4, leases: 2}")
	for round := range 50 {
		for h := range 9 {
			for p := range 12 {
				out := b.send(nftest.UDP(fmt.Sprintf("10.0.0.%d:%d", h+1, 1000+p), "192.0.2.1:1", ""))
				if passed := out != nil; h < 8 && passed != (p < 8) {
					t.Fatalf("round %d: host %d, port %d: passed %v", round, h+1, p+1, passed)
				} else if h == 8 && passed {
					t.Fatalf("a ninth host has ports of 16 blocks that eight have")
				}
			}
		}
		b.now += 40 * time.Second
	}
	b = newBench(t, "nat: {addresses: [203.0.113.7], ports: 40000-40999, block: 512}")
	if a, z := b.source(nftest.UDP("10.0.0.1:1", "192.0.2.1:1", "")), b.source(nftest.UDP("10.0.0.2:1", "192.0.2.1:1", "")); (a.Port() < 40512) == (z.Port() < 40512) {
		t.Errorf("two hosts left as %v and %v, of one block", a, z)
	}
}

func TestDeterministic(t *testing.T) {
	const o = "nat: {addresses: [203.0.113.7, 203.0.113.8], ports: 1024-65535, deterministic: true, inside: [10.0.0.0/24]}"
	b := newBench(t, o)
	per := 64512 * 2 / 256
	for h := range 256 {
		for p := range 5 {
			got := b.source(nftest.UDP(fmt.Sprintf("10.0.0.%d:%d", h, 1000+p), "192.0.2.1:1", ""))
			hosts := 64512 / per
			first := 1024 + h%hosts*per
			if want := fmt.Sprintf("203.0.113.%d", 7+h/hosts); got.Addr().String() != want || int(got.Port()) < first || int(got.Port()) >= first+per {
				t.Fatalf("host %d left as %v, want %s and a port of %d to %d", h, got, want, first, first+per-1)
			}
		}
	}
}

// RFC 4787 REQ-9, RFC 5382 REQ-8: two hosts inside meet by their outside addresses, each sees the other's.
func TestHairpin(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], inside: [10.0.0.0/24], forward: [{port: 80, to: '10.0.0.80:8080'}]}")
	one := b.source(nftest.UDP("10.0.0.1:5000", "192.0.2.1:3478", ""))
	out := b.send(nftest.UDP("10.0.0.2:6000", one.String(), "hello"))
	if out == nil {
		t.Fatal("dropped")
	}
	from, to := ends(out)
	if to.String() != "10.0.0.1:5000" || from.Addr().String() != "203.0.113.7" {
		t.Fatalf("went as %v -> %v", from, to)
	}
	// The router sends it back in, where it passes as it is; the answer takes the same way.
	if in := b.send(nftest.UDP(from.String(), to.String(), "hello").Outside()); in == nil {
		t.Error("what the router sent back in was dropped")
	}
	back := b.send(nftest.UDP("10.0.0.1:5000", from.String(), "hi"))
	if back == nil {
		t.Fatal("the answer was dropped")
	}
	if src, dst := ends(back); src != one || dst.String() != "10.0.0.2:6000" {
		t.Errorf("the answer went as %v -> %v", src, dst)
	}
	if web := b.send(nftest.TCP("10.0.0.2:6001", "203.0.113.7:80", "S", "")); web == nil {
		t.Error("a port that leads inside can't be reached from inside")
	} else if _, dst := ends(web); dst.String() != "10.0.0.80:8080" {
		t.Errorf("a port that leads inside leads to %v", dst)
	}
	if b.send(nftest.UDP("10.0.0.2:6000", "203.0.113.7:9", "")) != nil {
		t.Error("a packet to a port of ours that nobody has left for the outside")
	}
}

func TestForwards(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7, 203.0.113.8], forward: [{port: 443, to: '10.0.0.5:8443'}, {protocol: udp, port: 53, to: 10.0.0.6, address: 203.0.113.8}]}")
	for _, tt := range []struct {
		ask  nftest.P
		to   string
		talk func(src, dst string) nftest.P
	}{
		{nftest.TCP("192.0.2.1:1000", "203.0.113.7:443", "S", "").Outside(), "10.0.0.5:8443", func(src, dst string) nftest.P { return nftest.TCP(src, dst, "SA", "") }},
		{nftest.UDP("192.0.2.1:1000", "203.0.113.8:53", "").Outside(), "10.0.0.6:53", func(src, dst string) nftest.P { return nftest.UDP(src, dst, "") }},
	} {
		in := b.send(tt.ask)
		if in == nil {
			t.Fatalf("%s was dropped", tt.ask.Dst)
		}
		if _, dst := ends(in); dst.String() != tt.to {
			t.Fatalf("%s led to %v", tt.ask.Dst, dst)
		}
		if src := b.source(tt.talk(tt.to, tt.ask.Src)); src.String() != tt.ask.Dst {
			t.Errorf("the answer came from %v", src)
		}
		// What the host begins itself from there has the same address.
		if src := b.source(tt.talk(tt.to, "198.51.100.1:9")); tt.ask.Proto == packet.ProtoUDP && src.String() != tt.ask.Dst {
			t.Errorf("it left as %v", src)
		}
	}
	if b.send(nftest.UDP("192.0.2.1:1000", "203.0.113.7:443", "").Outside()) != nil {
		t.Error("another protocol came in")
	}
}

// RFC 5508 REQ-1: queries other than echoes too; identifier 0 is one like any other.
func TestQueries(t *testing.T) {
	for _, typ := range []uint8{8, 13, 15, 17} {
		for _, id := range []uint32{0, 77} {
			b := newBench(t, one)
			p := nftest.P{Src: "10.0.0.1", Dst: "192.0.2.1", Proto: packet.ProtoICMP, Type: typ, Rest: id<<16 | 1, Payload: make([]byte, 12)}
			out := b.send(p)
			if out == nil {
				t.Fatalf("type %d was dropped", typ)
			}
			reply := p
			reply.Type, reply.Src, reply.Dst = typ+1, "192.0.2.1", "203.0.113.7"
			if typ == 8 {
				reply.Type = 0
			}
			reply.Rest = uint32(packet.ICMPHeader(out.Data[out.L4:]).ID())<<16 | 1
			back := b.send(reply.Outside())
			if back == nil {
				t.Fatalf("the reply to type %d was dropped", typ)
			}
			if _, dst := ends(back); dst.Addr().String() != "10.0.0.1" || uint32(packet.ICMPHeader(back.Data[back.L4:]).ID()) != id {
				t.Errorf("type %d: the reply went to %v with identifier %d, want %d", typ, dst, packet.ICMPHeader(back.Data[back.L4:]).ID(), id)
			}
		}
	}
}

// Protocols whose ports can't be changed, or that have none: one host at a time towards anybody.
func TestProtocolsWithoutPorts(t *testing.T) {
	for name, mk := range map[string]func(src, dst string) nftest.P{
		"GRE": func(src, dst string) nftest.P { return nftest.IP(src, dst, packet.ProtoGRE, "12345678") },
		"ESP": func(src, dst string) nftest.P { return nftest.IP(src, dst, packet.ProtoESP, "12345678") },
		"SCTP": func(src, dst string) nftest.P {
			return nftest.IP(src, dst, packet.ProtoSCTP, "\x10\x00\x20\x00tagtsums")
		},
	} {
		b := newBench(t, one)
		if src := b.source(mk("10.0.0.1", "192.0.2.1")); src.Addr().String() != "203.0.113.7" {
			t.Errorf("%s left as %v", name, src)
		}
		back := mk("192.0.2.1", "203.0.113.7")
		if name == "SCTP" {
			back.Payload = []byte("\x20\x00\x10\x00tagtsums")
		}
		if in := b.send(back.Outside()); in == nil {
			t.Errorf("%s: the answer was dropped", name)
		} else if _, dst := ends(in); dst.Addr().String() != "10.0.0.1" {
			t.Errorf("%s: the answer went to %v", name, dst)
		}
		if b.send(mk("10.0.0.2", "192.0.2.1")) != nil {
			t.Errorf("%s: a second host has the same address", name)
		}
	}
}

// Sessions end by protocol and state. Each row: what was said, the silence after which an answer is still let in, and the one after which it is not.
func TestTimeouts(t *testing.T) {
	ask := nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "")
	syn := nftest.TCP("10.0.0.1:1000", "192.0.2.1:80", "S", "")
	for _, tt := range []struct {
		name       string
		open       nftest.P
		talk       []string // of TCP: flags, with < in front from outside; of UDP "" and "<"
		still, not time.Duration
	}{
		{"UDP that nobody answered", ask, nil, 29 * time.Second, 33 * time.Second},
		{"UDP both ways", ask, []string{"<"}, 119 * time.Second, 129 * time.Second},
		{"a SYN", syn, nil, 239 * time.Second, 256 * time.Second},
		{"TCP established", syn, []string{"<SA", "A"}, 123 * time.Minute, 133 * time.Minute},
		{"TCP closing", syn, []string{"<SA", "A", "FA"}, 239 * time.Second, 256 * time.Second},
		{"TCP closed", syn, []string{"<SA", "A", "FA", "<FA", "A"}, 239 * time.Second, 256 * time.Second},
		{"TCP reset", syn, []string{"<SA", "A", "<R"}, 9 * time.Second, 12 * time.Second},
		{"TCP that goes on after a reset", syn, []string{"<SA", "A", "<R", "A"}, 123 * time.Minute, 133 * time.Minute},
	} {
		for _, silence := range []time.Duration{tt.still, tt.not} {
			b := newBench(t, one)
			src := b.source(tt.open).String()
			for _, flags := range tt.talk {
				p, back := tt.open, flags != "" && flags[0] == '<'
				if back {
					p.Src, p.Dst = tt.open.Dst, src
					p = p.Outside()
					flags = flags[1:]
				}
				if tt.open.Proto == packet.ProtoTCP {
					q := nftest.TCP(p.Src, p.Dst, flags, "")
					q.FromSide = p.FromSide
					p = q
				}
				if b.send(p) == nil {
					t.Fatalf("%s: %q was dropped", tt.name, flags)
				}
			}
			b.now += silence
			p := nftest.UDP(tt.open.Dst, src, "")
			if tt.open.Proto == packet.ProtoTCP {
				p = nftest.TCP(tt.open.Dst, src, "A", "")
			}
			if in := b.send(p.Outside()) != nil; in != (silence == tt.still) {
				t.Errorf("%s: after %v of silence an answer comes in: %v", tt.name, silence, in)
			}
		}
	}
}

// RFC 5508 REQ-3, RFC 4787 REQ-6: neither errors nor what strangers send keep a mapping.
func TestWhatKeepsNothingAlive(t *testing.T) {
	b := newBench(t, one)
	out := b.send(nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", ""))
	src, _ := ends(out)
	for range 10 {
		b.now += 5 * time.Second
		b.send(nftest.Unreachable("198.51.100.1", "203.0.113.7", out.Data).Outside())
		b.send(nftest.UDP("192.0.2.2:53", src.String(), "").Outside())
	}
	if b.send(nftest.UDP("192.0.2.1:53", src.String(), "").Outside()) != nil {
		t.Error("the mapping was kept for 50 s")
	}
}

// Addresses and ports come back when everybody has been silent.
func TestPoolRecovers(t *testing.T) {
	b := newBench(t, "nat: {addresses: [203.0.113.7], block: 512, leases: 4}")
	for h := range 130 {
		out := b.send(nftest.UDP(fmt.Sprintf("10.0.0.%d:1000", h+1), "192.0.2.1:53", ""))
		if passed := out != nil; passed != (h < 126) {
			t.Errorf("host %d of 126 blocks: passed %v", h+1, passed)
		}
	}
	for _, later := range []time.Duration{3 * time.Hour, 24 * time.Hour} {
		b.now += later
		if b.send(nftest.UDP("10.0.2.1:1000", "192.0.2.1:53", "")) == nil {
			t.Errorf("%v later there is no block", later)
		}
	}
}

// A datagram's later fragments go where the first went once its ports are known.
func TestFragmentsWithKnownPorts(t *testing.T) {
	p := nftest.Stage{NFs: []string{one}}.Build(t)
	send := func(f nftest.P, src, dst uint16) *nf.Packet {
		b := p.Start()
		k := f.Packet()
		p.Add(k.Data, k.Wire, k.From, k.Time, 0)
		p.Learned(src, dst)
		p.Run()
		if b.Verdicts[0] != nf.Pass {
			t.Fatalf("%v", b.Verdicts[0])
		}
		out := &nf.Packet{Data: append([]byte(nil), k.Data...)}
		packet.Parse(out.Data, len(out.Data), &out.Info)
		return out
	}
	first := nftest.UDP("10.0.0.1:4000", "192.0.2.1:80", "12345678").Fragment(0, true)
	later := nftest.UDP("10.0.0.1:4000", "192.0.2.1:80", "12345678").Fragment(16, false)
	for _, order := range [][]nftest.P{{first, later}, {later, first}} {
		port := uint16(0)
		for _, f := range order {
			out := send(f, 4000, 80)
			src, _ := ends(out)
			if src.Addr().String() != "203.0.113.7" || !out.CheckIPv4(out.Data) {
				t.Errorf("a fragment at %d left as %v", f.FragOff, src)
			}
			if f.FragOff == 0 {
				port = src.Port()
			}
		}
		for _, f := range []nftest.P{nftest.UDP("192.0.2.1:80", fmt.Sprint("203.0.113.7:", port), "12345678").Fragment(16, false).Outside(), nftest.UDP("192.0.2.1:80", fmt.Sprint("203.0.113.7:", port), "12345678").Fragment(0, true).Outside()} {
			if _, dst := ends(send(f, 80, port)); dst.Addr().String() != "10.0.0.1" {
				t.Errorf("a fragment of the answer went to %v", dst)
			}
		}
	}
}

// Blocks are given back when their time comes, packets or not.
func TestBlocksComeBackInSilence(t *testing.T) {
	p := nftest.Stage{NFs: []string{"nat: {addresses: [203.0.113.7], log_leases: true}"}}.Build(t)
	nftest.Run(p, nftest.Packets(nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "x")), 1)
	b := p.Tick(nftest.Start + int64(40*time.Second))
	if lines, _ := b.Events.Take(); !strings.Contains(string(lines), `"event":"release"`) {
		t.Errorf("events %q", lines)
	}
	if n := p.Reports()[0].Counters["blocks_leased"]; n != 0 {
		t.Errorf("%d blocks are leased", n)
	}
}
