package loadbalance

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

const web = "loadbalance: {address: 203.0.113.10, port: 443, backends: [{address: 10.0.0.1, port: 8443}, {address: 10.0.0.2, port: 8443}, {address: 10.0.0.3}]}"

// send shows packets to an instance and returns them as they leave: "src -> dst", or the reason of the drop.
func send(t *testing.T, p *nf.Pipeline, ps ...nftest.P) []string {
	t.Helper()
	left, _ := sendAndReplicate(t, p, ps...)
	return left
}

// sendAndReplicate returns what the gateway's replica was told, too.
func sendAndReplicate(t *testing.T, p *nf.Pipeline, ps ...nftest.P) (left []string, state []byte) {
	t.Helper()
	r, state := nftest.Replicate(t, p, nftest.Packets(ps...), 1)
	for i, o := range r.Packets {
		if o.Verdict != nf.Pass {
			left = append(left, o.Verdict.String())
			continue
		}
		data := o.Data
		if data == nil {
			data = ps[i].Frame()
		}
		var in packet.Info
		packet.Parse(data, len(data), &in)
		if !in.CheckIPv4(data) || in.CheckL4(data) == packet.Wrong {
			t.Fatalf("a checksum is wrong in %x", data)
		}
		a, _ := netip.AddrFromSlice(in.Src(data))
		z, _ := netip.AddrFromSlice(in.Dst(data))
		left = append(left, fmt.Sprint(netip.AddrPortFrom(a, in.SrcPort), " -> ", netip.AddrPortFrom(z, in.DstPort)))
	}
	return left, state
}

func TestThereAndBack(t *testing.T) {
	for name, tt := range map[string]struct{ options, service, client, other string }{
		"IPv4": {web, "203.0.113.10:443", "198.51.100.%d:5000", "10.0.0.9:443"},
		"IPv6": {"loadbalance: {address: '2001:db8::10', port: 443, backends: [{address: '2001:db8:1::1'}, {address: '2001:db8:1::2', port: 8443}]}", "[2001:db8::10]:443", "[2001:db8:2::%d]:5000", "[2001:db8::9]:443"},
	} {
		t.Run(name, func(t *testing.T) {
			p := nftest.Stage{NFs: []string{tt.options}}.Build(t)
			used := map[string]int{}
			for i := range 40 {
				client := fmt.Sprintf(tt.client, 1+i)
				out := send(t, p, nftest.TCP(client, tt.service, "S", "").Outside(), nftest.TCP(client, tt.service, ".", "hi").Outside())
				if out[0] != out[1] {
					t.Fatalf("one connection went %s, then %s", out[0], out[1])
				}
				_, server, _ := strings.Cut(out[0], " -> ")
				if server == tt.service {
					t.Fatalf("%s went nowhere", client)
				}
				used[server]++
				if back := send(t, p, nftest.TCP(server, client, "S.", "")); back[0] != tt.service+" -> "+client {
					t.Errorf("the answer came as %s, want %s -> %s", back[0], tt.service, client)
				}
			}
			if len(used) < 2 {
				t.Errorf("all connections went to %v", used)
			}
			for _, x := range []nftest.P{
				nftest.TCP(fmt.Sprintf(tt.client, 1), tt.other, "S", "").Outside(), nftest.UDP(fmt.Sprintf(tt.client, 1), tt.service, "").Outside(),
			} {
				if out := send(t, p, x); out[0] != x.Src+" -> "+x.Dst {
					t.Errorf("not for the service, but changed: %s", out[0])
				}
			}
		})
	}
}

func TestNoBackend(t *testing.T) {
	p := nftest.Stage{NFs: []string{"loadbalance: {address: 203.0.113.10, backends: [{address: 10.0.0.1, up: false}, {address: 10.0.0.2, weight: 0}]}"}}.Build(t)
	if out := send(t, p, nftest.TCP("198.51.100.1:1", "203.0.113.10:99", "S", "").Outside()); out[0] != "no_backend" {
		t.Errorf("%s, want a drop", out[0])
	}
	p = nftest.Stage{NFs: []string{web}}.Build(t)
	if out := send(t, p, nftest.TCP("198.51.100.1:1", "203.0.113.10:443", "S", "12345678").Fragment(8, true).Outside()); out[0] != "unknown_fragment" {
		t.Errorf("a fragment: %s, want a drop", out[0])
	}
}

func TestStickyClient(t *testing.T) {
	p := nftest.Stage{NFs: []string{strings.Replace(web, "port: 443,", "port: 443, sticky: client,", 1)}}.Build(t)
	for c := range 20 {
		var first string
		for port := range 10 {
			out := send(t, p, nftest.TCP(fmt.Sprintf("198.51.100.%d:%d", c+1, 1000+port), "203.0.113.10:443", "S", "").Outside())
			_, server, _ := strings.Cut(out[0], " -> ")
			if first == "" {
				first = server
			}
			if server != first {
				t.Fatalf("client %d went to %s, then to %s", c, first, server)
			}
		}
	}
}

func TestErrorsFindTheirWay(t *testing.T) {
	p := nftest.Stage{NFs: []string{web}}.Build(t)
	out := nftest.Run(p, nftest.Packets(nftest.TCP("198.51.100.1:5000", "203.0.113.10:443", "S", "").Outside()), 1).Packets[0]
	r := nftest.Run(p, nftest.Packets(nftest.Unreachable("10.0.0.254", "198.51.100.1", out.Data)), 1).Packets[0]
	var in, q packet.Info
	packet.Parse(r.Data, len(r.Data), &in)
	if in.CheckL4(r.Data) != packet.Right || !packet.ParseQuoted(r.Data, int(in.L4)+8, packet.IPv4, &q) {
		t.Fatal("the error is broken")
	}
	if a, _ := netip.AddrFromSlice(q.Dst(r.Data)); netip.AddrPortFrom(a, q.DstPort).String() != "203.0.113.10:443" {
		t.Errorf("the client is told of %v:%d, which it does not know", a, q.DstPort)
	}
}

// A backend that goes leaves the others' connections where they are, and its own go elsewhere; one that comes takes its share of the new.
func TestReload(t *testing.T) {
	var known []byte // what the gateway's replica was told so far
	build := func(up [3]bool) (*Balancer, *nf.Pipeline) {
		flows := state.NewTable(4096, int64(time.Minute), 1)
		fresh, err := New(nf.Setup{Flows: flows, Seed: 9, Options: literal{up}})
		if err != nil {
			t.Fatal(err)
		}
		p := nf.NewPipeline([]nf.NF{fresh}, flows, 0)
		if err := p.ApplyDelta(known); err != nil {
			t.Fatal(err)
		}
		return fresh.(*Balancer), p
	}
	place := func(p *nf.Pipeline) map[int]string {
		at := map[int]string{}
		for c := range 200 {
			out, told := sendAndReplicate(t, p, nftest.TCP(fmt.Sprintf("198.51.100.1:%d", 1000+c), "203.0.113.10:443", ".", "").Outside())
			_, at[c], _ = strings.Cut(out[0], " -> ")
			known = append(known, told...)
		}
		return at
	}
	_, p := build([3]bool{true, true, true})
	before := place(p)
	fewer, p := build([3]bool{true, false, true})
	after := place(p)
	moved := 0
	for c := range before {
		switch {
		case before[c] != "10.0.0.2:443" && after[c] != before[c]:
			t.Errorf("connection %d went from %s, which is up, to %s", c, before[c], after[c])
		case after[c] == "10.0.0.2:443":
			t.Errorf("connection %d is at a backend that is down", c)
		case after[c] != before[c]:
			moved++
		}
	}
	if moved == 0 || fewer.moved != int64(moved) {
		t.Errorf("%d connections moved, counted %d", moved, fewer.moved)
	}
	_, p = build([3]bool{true, true, true})
	for c, server := range place(p) {
		if server != after[c] {
			t.Errorf("connection %d left %s for %s though nothing made it", c, after[c], server)
		}
	}
}

type literal struct{ up [3]bool }

func (o literal) Decode(v any) error {
	x := v.(*Options)
	x.Address, x.Port = netip.MustParseAddr("203.0.113.10"), 443
	for i := range o.up {
		x.Backends = append(x.Backends, Backend{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Up: &o.up[i]})
	}
	return nil
}

func (literal) Pos(string) (string, int, int) { return "", 0, 0 }

// What the paper promises: even shares, weights, and few changes when a backend goes.
func TestMaglev(t *testing.T) {
	var names []string
	weights := make([]int, 10)
	for i := range weights {
		names = append(names, fmt.Sprintf("10.0.0.%d:80", i))
		weights[i] = 1
	}
	share := func(table []uint16) []int {
		n := make([]int, len(weights))
		for _, b := range table {
			n[b]++
		}
		return n
	}
	all := maglev(names, weights, 1)
	for i, n := range share(all) {
		if n < tableSize/10*99/100 || n > tableSize/10*101/100+1 {
			t.Errorf("backend %d has %d places of %d", i, n, tableSize)
		}
	}
	weights[3] = 0
	without := maglev(names, weights, 1)
	changed := 0
	for i := range all {
		if all[i] != 3 && all[i] != without[i] {
			changed++
		}
	}
	if changed > tableSize/20 {
		t.Errorf("%d of %d places of other backends changed", changed, tableSize)
	}
	weights[3] = 3
	if n := share(maglev(names, weights, 1)); n[3] < tableSize/4*95/100*12/13 || n[0] > tableSize/12*110/100 {
		t.Errorf("weight 3 of 12 has %d places, weight 1 %d", n[3], n[0])
	}
	if maglev(nil, nil, 1) != nil {
		t.Error("a table of nobody")
	}
	// The sequence in which backends are listed makes no difference.
	swapped := append([]string{names[1], names[0]}, names[2:]...)
	weights[3] = 1
	other := maglev(swapped, weights, 1)
	for i := range all {
		if swapped[other[i]] != names[all[i]] {
			t.Fatalf("place %d: %s, and %s when listed otherwise", i, names[all[i]], swapped[other[i]])
		}
	}
}

func traffic() []nftest.Packet {
	rng := rand.New(rand.NewPCG(3, 3))
	var ps []nftest.P
	for i := range 500 {
		client := fmt.Sprintf("198.51.100.%d:%d", 1+rng.IntN(9), 1000+rng.IntN(9))
		p := nftest.TCP(client, "203.0.113.10:443", ".", "hello").Outside()
		switch rng.IntN(4) {
		case 0:
			p = nftest.TCP(fmt.Sprintf("10.0.0.%d:%d", 1+rng.IntN(2), 8443), client, ".", "answer")
		case 1:
			p = nftest.TCP("10.0.0.3:443", client, ".", "answer")
		}
		ps = append(ps, p.At(time.Duration(i)*3*time.Millisecond))
	}
	return nftest.Packets(ps...)
}

func TestChecks(t *testing.T) {
	stage := nftest.Stage{NFs: []string{web}}
	if r := nftest.Run(stage.Build(t), traffic(), 64); r.Count(0, "translated") < 200 {
		t.Fatalf("the capture is not translated: %v", r.Reports[0].Counters)
	}
	nftest.HandOff(t, stage, traffic(), append(gauges, "expired")...)
	nftest.ZeroAlloc(t, stage, traffic())
	nftest.Malformed(t, stage)
}

func TestAffinityFollowsTheClient(t *testing.T) {
	for options, want := range map[string]nf.Affinity{web: nf.ByOutside, strings.Replace(web, "port: 443,", "port: 443, clients: inside,", 1): nf.ByInside} {
		if got := (nftest.Stage{NFs: []string{options}}).Build(t).Needs().Affinity; got != want {
			t.Errorf("%s: affinity %d, want %d", options, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for o, want := range map[string]string{
		"{backends: [{address: 1.2.3.4}]}": "no address", "{address: 1.2.3.4}": "0 backends", "{address: 1.2.3.4, backends: [{address: '::1'}]}": "same family",
		"{address: 1.2.3.4, backends: [{address: 1.1.1.1, weight: 101}]}": "weight is 101", "{address: 1.2.3.4, backends: [{address: 1.1.1.1}, {address: 1.1.1.1}]}": "twice",
		"{address: 1.2.3.4, protocol: sctp, backends: [{address: 1.1.1.1}]}": "1:43: protocol is", "{address: 1.2.3.4, clients: left, backends: [{address: 1.1.1.1}]}": "clients is",
		"{address: 1.2.3.4, sticky: 1, backends: [{address: 1.1.1.1}]}": "sticky",
	} {
		_, err := nftest.Stage{NFs: []string{"loadbalance: " + o}}.TryBuild()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", o, err, want)
		}
	}
}

func TestREADME(t *testing.T) { nftest.README(t, nil) }

func FuzzApplyEntry(f *testing.F) {
	_, told := nftest.Replicate(f, nftest.Stage{NFs: []string{web}}.Build(f), nftest.Packets(nftest.TCP("198.51.100.1:1", "203.0.113.10:443", "S", "").Outside()), 1)
	f.Add(told)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := nftest.Stage{NFs: []string{strings.Replace(web, "port: 443", "port: 443, sessions: 3", 1)}, Flows: 8}.Build(t)
		_ = p.ApplyDelta(data)
		if r := nftest.Run(p, nftest.Packets(nftest.TCP("198.51.100.1:1", "203.0.113.10:443", "S", "").Outside()), 1); r.Panics > 0 {
			t.Fatal(r.Reports[0].Panic)
		}
	})
}

// gauges of the present are not sums over instances.
var gauges = []string{"sessions", "active_10.0.0.1:8443", "active_10.0.0.2:8443", "active_10.0.0.3:0"}

func BenchmarkLoadbalance(b *testing.B) {
	nftest.Bench(b, nftest.Stage{NFs: []string{web}}, traffic())
}

// A million connections.
func BenchmarkLoadbalanceMillion(b *testing.B) {
	const n = 1 << 20
	frame := nftest.TCP("198.51.100.1:4000", "203.0.113.10:443", ".", "payload").Frame()
	stage := nftest.Stage{NFs: []string{strings.Replace(web, "port: 443,", "port: 443, clients: inside, sessions: 1048576,", 1)}, Flows: 1024}
	nftest.BenchMany(b, stage, n, func(to []byte, i int) []byte {
		to = append(to, frame...)
		binary.BigEndian.PutUint16(to[14+14:], uint16(i>>8)) // the client
		binary.BigEndian.PutUint16(to[14+20:], uint16(1024+i&0xff))
		return to
	})
}
