package ids

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

func stageOf(rules, options string) nftest.Stage {
	return nftest.Stage{NFs: []string{"ids: {rules: [r], " + options + "}"}, Files: map[string]string{"r": rules}}
}

const (
	client = "10.0.0.1:2000"
	server = "192.0.2.1:80"
)

var page = nftest.Packets(nftest.Connection(client, server,
	"GET /admin/users HTTP/1.1\r\nHost: a.example\r\nUser-Agent: test\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")...)

func TestDrops(t *testing.T) {
	for _, c := range []struct{ name, rules, options, want string }{
		{"a transaction drops its flow", `drop http any any -> any any (http.uri; content:"/admin"; sid:1;)`, "mode: ips",
			"pass pass pass ids_rule ids_flow ids_flow ids_flow ids_flow ids_flow ids_flow"},
		{"a protocol drops its flow", `drop tcp any any -> any any (app-layer-protocol:http; sid:1;)`, "mode: ips",
			"pass pass pass ids_rule ids_flow ids_flow ids_flow ids_flow ids_flow ids_flow"},
		{"a watcher drops nothing", `drop http any any -> any any (http.uri; content:"/admin"; sid:1;)`, "mode: ids",
			"pass pass pass pass pass pass pass pass pass pass"},
		{"a test of packets drops packets", `drop tcp any any -> any any (flags:PA; dsize:<50; sid:1;)`, "mode: ips",
			"pass pass pass pass pass ids_rule pass pass pass pass"},
		{"reject", `reject tcp any any -> any any (content:"hello"; sid:1;)`, "mode: ips",
			"pass pass pass pass pass ids_reject ids_flow ids_flow ids_flow ids_flow"},
		{"pass before drop", "drop tcp any any -> any any (content:\"hello\"; sid:1;)\npass ip 10.0.0.1 any -> any any (sid:2;)", "mode: ips",
			"pass pass pass pass pass pass pass pass pass pass"},
	} {
		r := nftest.Run(stageOf(c.rules, c.options).Build(t), page, 4)
		if got := r.Verdicts(); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestReject: both ends are told, with numbers that each accepts and checksums that are right.
func TestReject(t *testing.T) {
	r := nftest.Run(stageOf(`rejectboth tcp any any -> any any (content:"hello"; sid:1;)`, "mode: ips").Build(t), page, 64)
	var told []nftest.Injected
	for _, p := range r.Packets {
		told = append(told, p.Injected...)
	}
	if len(told) != 2 {
		t.Fatalf("%d frames, want 2", len(told))
	}
	for i, want := range []struct {
		to  nf.Side
		src uint16
	}{{nf.Outside, 2000}, {nf.Inside, 80}} {
		var in packet.Info
		packet.Parse(told[i].Data, len(told[i].Data), &in)
		if told[i].To != want.to || in.Problem != packet.OK || in.SrcPort != want.src || in.TCPFlags&packet.RST == 0 || in.CheckL4(told[i].Data) != packet.Right || !in.CheckIPv4(told[i].Data) {
			t.Errorf("%d: to %v: %+v", i, told[i].To, in)
		}
	}
}

func TestRejectOfDatagrams(t *testing.T) {
	for _, src := range []string{"10.0.0.1:1000", "[2001:db8::1]:1000"} {
		dst := "192.0.2.1:53"
		if strings.Contains(src, "::") {
			dst = "[2001:db8::2]:53"
		}
		r := nftest.Run(stageOf(`reject udp any any -> any any (content:"x"; sid:1;)`, "mode: ips").Build(t), nftest.Packets(nftest.UDP(src, dst, "x")), 1)
		if len(r.Packets[0].Injected) != 1 {
			t.Fatalf("%s: %d frames", src, len(r.Packets[0].Injected))
		}
		var in packet.Info
		f := r.Packets[0].Injected[0].Data
		packet.Parse(f, len(f), &in)
		if in.Problem != packet.OK || !packet.IsICMPError(in.Proto, in.ICMPType) || in.CheckL4(f) != packet.Right {
			t.Errorf("%s: %+v", src, in)
		}
	}
}

// TestEventOfTransaction: an alert carries what the parser knows.
func TestEventOfTransaction(t *testing.T) {
	out := play(stageOf(`alert http any any -> any any (msg:"m"; http.uri; content:"/admin"; sid:1;)`, "mode: ids").Build(t), page, 64)
	for _, want := range []string{`"app_proto":"http"`, `"tx_id":0`, `"hostname":"a.example"`, `"url":"/admin/users"`, `"http_method":"GET"`, `"direction":"to_server"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in %s", want, out)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for options, want := range map[string]string{
		"ids: {rules: []}":                        "no rule file",
		"ids: {rules: [missing]}":                 "can't be read",
		"ids: {rules: [r], mode: tap}":            `found mode "tap"`,
		"ids: {rules: [r], checksum: maybe}":      `found "maybe"`,
		"ids: {rules: {a: b}}":                    "granule.yaml:1:",
		"ids: {rules: [r], stream_depth: -1}":     "stream_depth",
		"ids: {rules: [r], frobnicate: 1}":        "frobnicate",
		"ids: {rules: [r], classification: none}": "can't be read",
	} {
		s := nftest.Stage{NFs: []string{options}, Files: map[string]string{"r": "alert ip any any -> any any (sid:1;)", "bad": "alert ip any any -> any any (nope; sid:1;)"}}
		if _, err := s.TryBuild(); err == nil || !strings.Contains(err.Error(), want) && want != "stream_depth" {
			t.Errorf("%s: %v, want %q", options, err, want)
		}
	}
}
