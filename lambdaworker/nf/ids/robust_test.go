package ids

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// broad are rules that reach every parser and buffer.
const broad = `alert ip any any -> any any (msg:"any"; content:"GET"; sid:1;)
alert tcp any any -> any any (content:"HTTP/1."; content:"200"; distance:1; within:3; sid:2;)
alert tcp any any -> any any (flags:S; sid:3; threshold:type limit, track by_src, count 1, seconds 60;)
alert http any any -> any any (http.uri; content:"/"; pcre:"/^\/[a-z]+\.(php|html?)$/i"; sid:4;)
alert http any any -> any any (http.header; content:"User-Agent|3a 20|"; nocase; content:"Mozilla"; distance:0; sid:5;)
alert http any any -> any any (file.data; content:"<html"; nocase; sid:6;)
alert http any any -> any any (http.host; dotprefix; content:".com"; endswith; sid:7;)
alert http any any -> any any (http.request_body; content:"password="; sid:8;)
alert dns any any -> any any (dns.query; content:"www"; sid:9;)
alert dns any any -> any any (dns.opcode:!0; sid:10;)
alert tls any any -> any any (tls.sni; content:"a"; sid:11;)
alert tls any any -> any any (tls.cert_subject; content:"CN="; sid:12;)
alert udp any any -> any any (content:!"x"; byte_test:2,>,100,0; byte_jump:1,0,relative; isdataat:2,relative; sid:13;)
alert icmp any any -> any any (itype:8; icode:0; sid:14;)
alert ip any any -> any any (ipopts:any; fragbits:M; ttl:<5; sid:15;)
alert tcp any any -> any any (content:"|00|"; depth:1; byte_extract:1,3,n,relative; content:"|ff|"; distance:n; within:20; sid:16;)
`

func broadStage(options string) nftest.Stage {
	return nftest.Stage{NFs: []string{"ids: {rules: [r], midstream: true, memory: 64" + options + "}"}, Files: map[string]string{"r": broad}, Flows: 4096}
}

// TestMalformedCorpus: packets that crashed others are inspected without a panic, in both modes.
func TestMalformedCorpus(t *testing.T) {
	for _, mode := range []string{"", ", mode: ips"} {
		p := broadStage(mode).Build(t)
		for _, f := range nftest.CorpusFiles(t, "malformed") {
			play(p, nftest.ReadPCAP(t, f), 64)
			if p.Panics() > 0 {
				t.Fatalf("%s: %d panics: %+v", filepath.Base(f), p.Panics(), p.Reports()[0].Top)
			}
		}
	}
}

// TestNoAllocation: once warm, no packet of any kind allocates, nor does an event.
func TestNoAllocation(t *testing.T) {
	for _, mode := range []string{"", ", mode: ips"} {
		var capture []nftest.Packet
		traffic, malformed := nftest.CorpusFiles(t, "traffic"), nftest.CorpusFiles(t, "malformed")
		for _, f := range slices.Concat(traffic[:min(8, len(traffic))], malformed[:min(20, len(malformed))]) {
			all := nftest.ReadPCAP(t, f)
			capture = append(capture, all[:min(len(all), 300)]...)
		}
		nftest.ZeroAlloc(t, broadStage(mode), capture)
	}
}
