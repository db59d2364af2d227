package translate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const (
	natted   = "nat: {addresses: [203.0.113.7]}"
	balanced = "loadbalance: {address: 203.0.113.10, port: 80, backends: [{address: 10.0.0.1, port: 8080}]}"
	filtered = "firewall: {rules: edge.nft}"
	watched  = "ids: {rules: [local.rules], mode: ips}"
	counted  = "counter: {}"
	limited  = "ratelimit: {packets_per_second: 1000, burst: 100}"
)

var files = map[string]string{
	"edge.nft": `table inet f {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related counter accept
		ct state invalid counter drop
		iifname "inside" accept
		tcp dport { 80, 8080 } ct state new accept
	}
}
`,
	"local.rules": `alert http any any -> any any (msg:"uri"; http.uri; content:"/admin"; sid:1;)
alert tcp any any -> any any (msg:"to server"; flow:established,to_server; content:"/admin"; sid:2;)
alert tcp any any -> any any (msg:"answer"; flow:established,to_client; content:"uid=0(root)"; sid:3;)
alert http any any -> any any (msg:"status"; http.stat_code; content:"200"; sid:4;)
`,
}

// ends are the endpoints of a packet that left.
func ends(t testing.TB, frame []byte) (src, dst string) {
	t.Helper()
	if frame == nil {
		t.Fatal("the packet that this one answers did not leave")
	}
	var in packet.Info
	packet.Parse(frame, len(frame), &in)
	a, _ := netip.AddrFromSlice(in.Src(frame))
	b, _ := netip.AddrFromSlice(in.Dst(frame))
	if in.Proto == packet.ProtoICMP {
		return a.String(), b.String()
	}
	return netip.AddrPortFrom(a, in.SrcPort).String(), netip.AddrPortFrom(b, in.DstPort).String()
}

// script builds a conversation.
type script struct {
	t     testing.TB
	steps []nftest.Step
	at    time.Duration
}

func (s *script) add(make func(left [][]byte) nftest.P) int {
	s.at += time.Millisecond
	at := s.at
	s.steps = append(s.steps, func(left [][]byte) nftest.Packet { return make(left).At(at).Packet() })
	return len(s.steps) - 1
}

// say is a packet as it is; answer one that goes back to where packet n came from, as the host that got it sees that.
func (s *script) say(p nftest.P) int { return s.add(func([][]byte) nftest.P { return p }) }

func (s *script) answer(n int, p nftest.P) int {
	return s.add(func(left [][]byte) nftest.P {
		p.Dst, p.Src = ends(s.t, left[n])
		return p
	})
}

// http is a request and its answer; client and server are on those sides.
func (s *script) http(client nftest.P) (syn, answer int) {
	server := nftest.P{Proto: packet.ProtoTCP, FromSide: client.FromSide ^ 1}
	tcp := func(p nftest.P, flags, payload string, seq, ack uint32) nftest.P {
		q := nftest.TCP(client.Src, client.Dst, flags, payload).Numbers(seq, ack)
		q.Src, q.Dst, q.FromSide = p.Src, p.Dst, p.FromSide
		return q
	}
	const ask, say = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nuid=0(root)\r\n\n"
	a, b := uint32(101+len(ask)), uint32(501+len(say))
	syn = s.say(tcp(client, "S", "", 100, 0))
	s.answer(syn, tcp(server, "SA", "", 500, 101))
	s.say(tcp(client, "A", "", 101, 501))
	s.say(tcp(client, "PA", ask, 101, 501))
	s.answer(syn, tcp(server, "A", "", 501, a))
	answer = s.answer(syn, tcp(server, "PA", say, 501, a))
	s.say(tcp(client, "A", "", a, b))
	s.say(tcp(client, "FA", "", a, b))
	s.answer(syn, tcp(server, "FA", "", b, a+1))
	s.say(tcp(client, "A", "", a+1, b+1))
	return syn, answer
}

// tooBig is a router's word, from that side, that packet n of the conversation has to be smaller.
func (s *script) tooBig(n int, router string, side nf.Side) int {
	return s.add(func(left [][]byte) nftest.P {
		src, _ := ends(s.t, left[n])
		e := nftest.Unreachable(router, strings.Split(src, ":")[0], left[n])
		e.Code, e.Rest, e.FromSide = 4, 1400, side
		return e
	})
}

// alerts are the signatures that alerted, each once.
func alerts(events []string) string {
	var ids []string
	for _, e := range events {
		if _, after, ok := strings.Cut(e, `"signature_id":`); ok && strings.Contains(e, `"event_type":"alert"`) {
			ids = append(ids, after[:strings.IndexAny(after, ",}")])
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " ")
}

// permuted are the functions in both orders, in one stage and in a stage each.
func permuted(a, b string) map[string]nftest.Chain {
	all := nftest.Splits([]string{a, b}, files)
	for name, c := range nftest.Splits([]string{b, a}, files) {
		all[name] = c
	}
	return all
}

func TestNATBesideEveryStatefulFunction(t *testing.T) {
	for _, f := range []string{filtered, watched, counted, limited} {
		for name, chain := range permuted(natted, f) {
			t.Run(name, func(t *testing.T) {
				s := &script{t: t}
				s.http(nftest.TCP("10.0.0.1:1234", "192.0.2.1:80", "", ""))
				question := s.say(nftest.UDP("10.0.0.1:4321", "192.0.2.1:53", "question"))
				reply := s.answer(question, nftest.UDP("192.0.2.1:53", "10.0.0.1:1", "answer").Outside())
				ping := s.say(nftest.Echo("10.0.0.1", "192.0.2.1", 77, 1))
				pong := s.add(func(left [][]byte) nftest.P {
					var in packet.Info
					packet.Parse(left[ping], len(left[ping]), &in)
					return nftest.EchoReply("192.0.2.1", "203.0.113.7", packet.ICMPHeader(left[ping][in.L4:]).ID(), 1).Outside()
				})
				smaller := s.tooBig(question, "198.51.100.1", nf.Outside)
				refused := s.add(func(left [][]byte) nftest.P { // the host's own error about the answer it got
					return nftest.Unreachable("10.0.0.1", "192.0.2.1", left[reply])
				})
				stranger := s.say(nftest.TCP("198.51.100.9:6666", "203.0.113.7:2222", "S", "").Outside())
				left, r := chain.HandOff(t, s.steps)
				for i, o := range r.Packets {
					if passed := o.Verdict == nf.Pass; passed == (i == stranger) {
						t.Errorf("packet %d: %v", i+1, o.Verdict)
					}
				}
				if t.Failed() {
					return
				}
				if _, dst := ends(t, left[reply]); dst != "10.0.0.1:4321" {
					t.Errorf("the answer went to %s", dst)
				}
				var in packet.Info
				packet.Parse(left[pong], len(left[pong]), &in)
				if id := packet.ICMPHeader(left[pong][in.L4:]).ID(); id != 77 {
					t.Errorf("the echo reply came with identifier %d", id)
				}
				quotes(t, left[smaller], "10.0.0.1:4321", "192.0.2.1:53")
				src, _ := ends(t, left[question])
				quotes(t, left[refused], "192.0.2.1:53", src)
				if got := alerts(r.Events); f == watched && got != "1 2 3 4" {
					t.Errorf("alerts of %s, want those of all four signatures", got)
				}
			})
		}
	}
}

// quotes checks an ICMP error: checksums, and the packet it is about.
func quotes(t *testing.T, frame []byte, src, dst string) {
	t.Helper()
	var in, q packet.Info
	packet.Parse(frame, len(frame), &in)
	if !in.CheckIPv4(frame) || in.CheckL4(frame) != packet.Right {
		t.Errorf("a checksum of the error is wrong: %x", frame)
	}
	if !packet.ParseQuoted(frame, int(in.L4)+8, in.Kind, &q) {
		t.Fatalf("no quotation: %x", frame)
	}
	a, _ := netip.AddrFromSlice(q.Src(frame))
	b, _ := netip.AddrFromSlice(q.Dst(frame))
	if got := fmt.Sprint(netip.AddrPortFrom(a, q.SrcPort), " to ", netip.AddrPortFrom(b, q.DstPort)); got != src+" to "+dst {
		t.Errorf("the error quotes a packet from %s, want %s to %s", got, src, dst)
	}
}

func TestBalancerBesideEveryStatefulFunction(t *testing.T) {
	for _, f := range []string{filtered, watched, counted, limited} {
		for name, chain := range permuted(balanced, f) {
			t.Run(name, func(t *testing.T) {
				s := &script{t: t}
				syn, answer := s.http(nftest.TCP("192.0.2.9:999", "203.0.113.10:80", "", "").Outside())
				smaller := s.tooBig(answer, "198.51.100.1", nf.Outside)
				left, r := chain.HandOff(t, s.steps)
				for i, o := range r.Packets {
					if o.Verdict != nf.Pass {
						t.Errorf("packet %d: %v", i+1, o.Verdict)
					}
				}
				if t.Failed() {
					return
				}
				if _, dst := ends(t, left[syn]); dst != "10.0.0.1:8080" {
					t.Errorf("the SYN went to %s", dst)
				}
				if src, _ := ends(t, left[answer]); src != "203.0.113.10:80" {
					t.Errorf("the answer came from %s", src)
				}
				if _, dst := ends(t, left[smaller]); dst != "10.0.0.1" {
					t.Errorf("the error went to %s", dst)
				}
				quotes(t, left[smaller], "10.0.0.1:8080", "192.0.2.9:999")
				if got := alerts(r.Events); f == watched && got != "1 2 3 4" {
					t.Errorf("alerts of %s, want those of all four signatures", got)
				}
			})
		}
	}
}

// A frame that a function makes goes through what stands between it and the port it leaves on.
func TestMadeFramesAreTranslated(t *testing.T) {
	chain := nftest.Chain{{NFs: []string{natted, "firewall: {rules: reject.nft}"}, Files: map[string]string{
		"reject.nft": "table inet f {\n chain c {\n  type filter hook forward priority 0; policy accept;\n  udp dport 53 reject\n  tcp dport 22 reject with tcp reset\n }\n}\n"}}}
	s := &script{t: t}
	s.say(nftest.UDP("10.0.0.1:4321", "192.0.2.1:53", "question"))
	s.say(nftest.TCP("10.0.0.1:4322", "192.0.2.1:22", "S", "").Numbers(7, 0))
	_, r := chain.HandOff(t, s.steps)
	for i, want := range []string{"10.0.0.1", "10.0.0.1:4322"} {
		if n := len(r.Packets[i].Injected); n != 1 {
			t.Fatalf("%d frames were made of packet %d", n, i+1)
		}
		if _, dst := ends(t, r.Packets[i].Injected[0].Data); dst != want {
			t.Errorf("the frame of packet %d went to %s, want %s", i+1, dst, want)
		}
	}
	quotes(t, r.Packets[0].Injected[0].Data, "10.0.0.1:4321", "192.0.2.1:53")
}

func TestIPv6BalancerBesideEveryStatefulFunction(t *testing.T) {
	const six = "loadbalance: {address: '2001:db8::10', port: 80, backends: [{address: '2001:db8:1::1', port: 8080}]}"
	for _, f := range []string{filtered, watched} {
		for name, chain := range permuted(six, f) {
			t.Run(name, func(t *testing.T) {
				s := &script{t: t}
				syn, answer := s.http(nftest.TCP("[2001:db8:2::9]:999", "[2001:db8::10]:80", "", "").Outside())
				left, r := chain.HandOff(t, s.steps)
				for i, o := range r.Packets {
					if o.Verdict != nf.Pass {
						t.Errorf("packet %d: %v", i+1, o.Verdict)
					}
				}
				if t.Failed() {
					return
				}
				if _, dst := ends(t, left[syn]); dst != "[2001:db8:1::1]:8080" {
					t.Errorf("the SYN went to %s", dst)
				}
				if src, _ := ends(t, left[answer]); src != "[2001:db8::10]:80" {
					t.Errorf("the answer came from %s", src)
				}
				if got := alerts(r.Events); f == watched && got != "1 2 3 4" {
					t.Errorf("alerts of %s, want those of all four signatures", got)
				}
			})
		}
	}
}

// Two translators and what stands between, before and behind them: a balancer for clients outside, NAT for hosts inside.
func TestTwoTranslators(t *testing.T) {
	for name, chain := range nftest.Splits([]string{filtered, natted, watched, balanced, counted}, files) {
		t.Run(name, func(t *testing.T) {
			s := &script{t: t}
			s.http(nftest.TCP("10.0.0.7:1234", "192.0.2.1:80", "", ""))
			_, r := chain.HandOff(t, s.steps)
			for i, o := range r.Packets {
				if o.Verdict != nf.Pass {
					t.Errorf("packet %d: %v", i+1, o.Verdict)
				}
			}
			if got := alerts(r.Events); got != "1 2 3 4" {
				t.Errorf("alerts of %s, want those of all four signatures", got)
			}
		})
	}
}
