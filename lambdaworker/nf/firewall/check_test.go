package firewall

import (
	"testing"
	"time"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// everything has rules of every kind.
const everything = `
define lan = { 10.0.0.0/8, 192.168.0.0/16 }
table inet filter {
	set bad { type ipv4_addr; flags interval; elements = { 203.0.113.0/25, 198.51.100.1 } }
	map ports { type inet_service : verdict; elements = { 22 : jump ssh, 23 : drop } }
	chain ssh {
		limit rate 2/second burst 2 packets counter accept
		counter drop
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		ip saddr @bad log prefix "bad: " counter drop
		tcp dport vmap @ports
		tcp dport 25 reject with tcp reset
		udp dport 161 counter reject
		ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.0/24 . 443 } counter accept
		limit rate over 100 kbytes/second counter drop
		ip saddr $lan udp dport 53 counter accept
		ip saddr $lan icmp type echo-request counter accept
		meta length > 1000 counter drop comment "big"
		ip6 saddr 2001:db8::/32 tcp flags syn / fin,syn,rst,ack counter accept
	}
}
`

func everyKind() []nftest.Packet {
	var ps []nftest.P
	at := time.Duration(0)
	add := func(p nftest.P) {
		at += 37 * time.Millisecond
		ps = append(ps, p.At(at))
	}
	for _, p := range nftest.Connection("10.0.0.1:5000", "192.0.2.1:80", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n") {
		add(p)
	}
	for i := range 12 {
		client := string(rune('1' + i%3))
		add(nftest.TCP("10.0.0."+client+":600"+client, "192.0.2.1:22", "S", "").Numbers(uint32(i), 0))
		add(nftest.TCP("192.0.2.1:22", "10.0.0."+client+":600"+client, "SA", "").Numbers(5, uint32(i)+1).Outside())
		add(nftest.UDP("10.0.0."+client+":600"+client, "192.0.2.9:53", "query"))
		add(nftest.UDP("192.0.2.9:53", "10.0.0."+client+":600"+client, "answer").Outside())
		add(nftest.UDP("10.0.0.5:77", "192.0.2.9:161", "x"))
		add(nftest.TCP("10.0.0.5:77", "192.0.2.9:25", "S", ""))
		add(nftest.TCP("203.0.113.5:1", "10.0.0.1:99", "S", "").Outside())
		add(nftest.TCP("[2001:db8::1]:5", "[2001:db8::2]:80", "S", ""))
		add(nftest.TCP("[2001:db8::2]:80", "[2001:db8::1]:5", "SA", "").Numbers(1, 1).Outside())
		add(nftest.Echo("10.1.1.1", "192.0.2.3", uint16(i/2), 1))
		add(nftest.EchoReply("192.0.2.3", "10.1.1.1", uint16(i/2), 1).Outside())
		q := nftest.UDP("10.0.0."+client+":600"+client, "192.0.2.9:53", "query")
		add(nftest.Unreachable("192.0.2.77", "10.0.0."+client, q.Frame()).Outside())
		add(nftest.UDP("10.0.0.1:5", "192.0.2.9:53", "xxxxxxxxxxxxxxxx").Fragment(0, true))
		add(nftest.TCP("10.0.0.7:1", "192.0.2.1:9999", "FPU", ""))
	}
	return nftest.Packets(ps...)
}

var everyStage = nftest.Stage{NFs: []string{"firewall: {rules: edge.nft}"}, Files: map[string]string{"edge.nft": everything}, Idle: time.Hour}

// A run with hand-offs is one run: connections, counters, buckets and the bound on events move.
func TestHandOff(t *testing.T) { nftest.HandOff(t, everyStage, everyKind()) }

func TestHandOffCorpus(t *testing.T) {
	rules, _, ps := readCase(t, corpus.Folder(t, "firewall/fw-006"))
	s := nftest.Stage{NFs: []string{"firewall: {rules: r}"}, Files: map[string]string{"r": rules}, Idle: time.Hour}
	var capture []nftest.Packet
	for _, p := range ps {
		capture = append(capture, nftest.Packet{Data: p.data, Wire: uint32(p.wire), From: p.from, Time: p.time})
	}
	nftest.HandOff(t, s, capture)
}

func TestZeroAlloc(t *testing.T) {
	nftest.ZeroAlloc(t, everyStage, everyKind())
	g := newGenerator(5)
	g.track = true
	s := everyStage
	s.Files = map[string]string{"edge.nft": g.rules(200)}
	nftest.ZeroAlloc(t, s, g.packets(1000))
}

func TestMalformed(t *testing.T) { nftest.Malformed(t, everyStage) }
