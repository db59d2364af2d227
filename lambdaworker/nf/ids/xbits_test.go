package ids

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const xbitRules = `alert udp any any -> any 53 (msg:"sets"; content:"set"; xbits:set,seen,track ip_src,expire 60; sid:1;)
alert udp any any -> any 80 (msg:"asks"; content:"ask"; xbits:isset,seen,track ip_src; sid:2;)
alert udp any any -> any 80 (msg:"asks the other"; content:"ask"; hostbits:isset,seen,dst; sid:3;)
alert udp any any -> any 80 (msg:"not set"; content:"ask"; xbits:isnotset,seen,track ip_src; sid:4;)
alert udp any any -> any 54 (msg:"unsets"; content:"unset"; xbits:unset,seen,track ip_src; sid:5;)
alert udp any any -> any 55 (msg:"toggles a pair"; content:"pair"; xbits:toggle,p,track ip_pair; sid:6;)
alert udp any any -> any 80 (msg:"asks the pair"; content:"ask"; xbits:isset,p,track ip_pair; sid:7;)
alert udp any any -> any 80 (msg:"either"; content:"ask"; hostbits:isset,seen,both; sid:8;)
`

func xbitCapture(rounds int) []nftest.Packet {
	var ps []nftest.P
	at := time.Duration(0)
	add := func(src, dst, text string, after time.Duration) {
		at += after
		ps = append(ps, nftest.UDP(src, dst, text).At(at))
	}
	for i := range rounds {
		a, b := fmt.Sprintf("10.0.%d.1", i), fmt.Sprintf("10.0.%d.2", i)
		add(a+":1000", b+":80", "ask", time.Second)      // 4
		add(a+":1001", b+":53", "set", time.Second)      // 1
		add(a+":1002", b+":80", "ask", time.Second)      // 2, 8
		add(b+":1003", a+":80", "ask", time.Second)      // 3, 4, 8
		add(b+":1004", a+":55", "pair", time.Second)     // 6
		add(a+":1005", b+":80", "ask", time.Second)      // 2, 7, 8
		add(a+":1006", b+":55", "pair", time.Second)     // 6
		add(a+":1007", b+":80", "ask", 61*time.Second)   // 4: expired
		add(a+":1008", b+":53", "set", time.Second)      // 1
		add(a+":1009", b+":54", "unset", time.Second)    // 5
		add(a+":1010", b+":80", "ask", time.Millisecond) // 4
	}
	return nftest.Packets(ps...)
}

// TestXBits: bits of addresses span flows, expire, and belong to source, destination, either or the pair.
func TestXBits(t *testing.T) {
	s := nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": xbitRules}}
	want := map[string]int{"1": 6, "2": 6, "3": 3, "4": 12, "5": 3, "6": 6, "7": 3, "8": 9}
	got := count(replay(t, s, xbitCapture(3), 1))
	for sid, n := range want {
		if got[sid] != n {
			t.Errorf("sid %s: %d alerts, want %d (all: %v)", sid, got[sid], n, got)
		}
	}
}

// TestHandOffOfXBits: they go with deltas to whoever comes next.
func TestHandOffOfXBits(t *testing.T) {
	nftest.HandOff(t, nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 4}"}, Files: map[string]string{"r": xbitRules}, Flows: 128}, xbitCapture(5), "memory_used")
}

// TestProtocolsToldApart: rules for protocols that are not looked into are tried on their streams alone.
func TestProtocolsToldApart(t *testing.T) {
	rules := `alert ftp any any -> any any (msg:"f"; flow:established,to_server; content:"secret"; sid:1;)
alert smtp any any -> any any (msg:"m"; flow:established,to_server; content:"secret"; sid:2;)
alert smb any any -> any any (msg:"b"; flow:established,to_server; content:"secret"; sid:3;)
alert ssh any any -> any any (msg:"s"; flow:established,to_server; content:"secret"; sid:4;)
alert tcp any any -> any any (msg:"none of these"; flow:established,to_server; app-layer-protocol:!ftp; content:"secret"; sid:5;)
`
	for _, c := range []struct {
		parts []string
		want  []string
	}{
		{[]string{"", "220 hello\r\n", "USER me\r\n", "331 go on\r\n", "PASS secret\r\n"}, []string{"1"}},
		{[]string{"", "220 mail\r\n", "EHLO here\r\n", "250 fine\r\n", "MAIL FROM:<secret>\r\n"}, []string{"2", "5"}},
		{[]string{"\x00\x00\x00\x40\xffSMBr\x00\x00\x00", "", "secret"}, []string{"3", "5"}},
		{[]string{"", "SSH-2.0-x\r\n", "SSH-2.0-secret\r\n"}, []string{"4", "5"}},
		{[]string{"USERS secret\r\n", "what?", "secret"}, []string{"5", "5"}},
	} {
		s := nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": rules}}
		var got []string
		for sid, n := range count(replay(t, s, nftest.Packets(nftest.Connection("10.0.0.1:1000", "192.0.2.1:2525", c.parts...)...), 1)) {
			for range n {
				got = append(got, sid)
			}
		}
		if slices.Sort(got); !slices.Equal(slices.Compact(got), slices.Compact(c.want)) {
			t.Errorf("%q: %v, want %v", c.parts, got, c.want)
		}
	}
}
