package ids

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// slowPage is page with half a second between its packets.
func slowPage() []nftest.Packet {
	all := slices.Clone(page)
	for i := range all {
		all[i].Time = page[0].Time + int64(i)*int64(time.Second/2)
	}
	return all
}

// hits returns the numbers of the packets on which a rule with options alerts.
func hits(t *testing.T, header, options string, capture []nftest.Packet) string {
	t.Helper()
	var on []string
	for _, a := range replay(t, stageOf("alert "+header+" ("+options+"; sid:1;)", "mode: ids"), capture, 3) {
		on = append(on, fmt.Sprint(a["pcap_cnt"]))
	}
	return strings.Join(on, " ")
}

// TestCarried: on which packets rules about what the flow has carried hit. The session is a handshake (1 to 3), a request of 64
// bytes with its acknowledgement (4, 5), a response of 43 with its own (6, 7), and FINs (8, 9) with the last
// acknowledgement (10); a frame is 54 bytes and its payload.
func TestCarried(t *testing.T) {
	for _, c := range []struct{ options, want string }{
		{`flow.pkts:toserver,3`, "4 5 6"},
		{`flow.pkts_toserver:3`, "4 5 6"},
		{`flow.pkts:toclient,0`, "1"},
		{`flow.pkts_toclient:>3`, "9 10"},
		{`flow.pkts: either, >=5`, "8 9 10"},
		{`flow.pkts:both,>=3`, "6 7 8 9 10"},
		{`flow.pkts:toserver,1<>4`, "3 4 5 6"},
		{`flow.bytes:toserver,226`, "4 5 6"},
		{`flow.bytes_toserver:<=54`, "1 2"},
		{`flow.bytes:toclient,>108`, "6 7 8 9 10"},
		{`flow.bytes_toclient:205`, "6 7 8"},
		{`flow.bytes:both,>205`, "9 10"},
		{`flow.bytes:either,>1kb`, ""},
		{`flow.age:0`, "1 2"},
		{`flow.age:<2`, "1 2 3 4"},
		{`flow.age:>=3`, "7 8 9 10"},
		{`flow.age:>3; flow:to_server`, "10"},
		{`flow.age:>0; flowbits:isnotset,old; flowbits:set,old`, "3"}, // the example of the keyword's documentation
		{`stream_size:client,=,65`, "4 5 6 7"},                        // with the SYN
		{`stream_size:client,>,65`, "8 9 10"},                         // with the FIN
		{`stream_size:server,<,1`, "1"},
		{`stream_size: server , >= , 44`, "6 7 8 9 10"},
		{`stream_size:both,>,1`, "6 7 8 9 10"},
		{`stream_size:either,>=,65`, "4 5 6 7 8 9 10"},
		{`stream_size:both,!=,1`, "6 7 8 9 10"},
		{`stream_size:both,<=,1`, "1 2 3"},
		{`content:"GET"; flow.pkts:toserver,3`, "4"}, // of packets: a count is a packet's
		{`content:"GET"; stream_size:client,=,65`, "7"},
		{`content:"GET"; stream_size:client,<,65`, ""},
		{`http.uri; content:"/admin"; flow.bytes:toserver,>200`, "7"},
	} {
		if got := hits(t, "tcp any any -> any any", c.options, slowPage()); got != c.want {
			t.Errorf("%s: on %q, want %q", c.options, got, c.want)
		}
	}
}

// TestCarriedElsewhere: flows that are not TCP are counted, and have no stream; what is in no flow is not counted.
func TestCarriedElsewhere(t *testing.T) {
	const a, b = "10.0.0.1:1000", "192.0.2.1:2000"
	capture := nftest.Packets(nftest.UDP(a, b, "x"), nftest.UDP(b, a, "yy").Outside(), nftest.UDP(a, b, "z"),
		nftest.UDP("10.0.0.9:1000", b, "w"), nftest.UDP(a, b, "12345678").Fragment(0, true))
	for _, c := range []struct{ options, want string }{
		{`flow.pkts:toserver,1`, "1 2 4"},
		{`flow.pkts:toclient,1`, "2 3"},
		{`flow.bytes:toclient,44`, "2 3"},
		{`flow.age:0`, "1 2 3 4"},
		{`stream_size:either,>=,0`, ""},
	} {
		if got := hits(t, "ip any any -> any any", c.options, capture); got != c.want {
			t.Errorf("%s: on %q, want %q", c.options, got, c.want)
		}
	}
}

// remembering are rules that ask for what a flow has carried.
const remembering = `alert ip any any -> any any (flow.pkts:toserver,3; sid:1;)
alert ip any any -> any any (flow.bytes:either,>200; sid:2;)
alert ip any any -> any any (flow.age:>1; sid:3;)
alert tcp any any -> any any (stream_size:both,>,1; sid:4;)
`

// conversations are two sessions and a flow of datagrams, their packets mixed, over some seconds.
func conversations() (all []nftest.Packet) {
	other := nftest.Packets(nftest.Connection("10.0.0.2:3000", server, "HELO there\r\n", "250 hello\r\n", "QUIT\r\n")...)
	for i := range 12 {
		for _, from := range [][]nftest.Packet{page, other, nftest.Packets(nftest.UDP("10.0.0.3:1000", "192.0.2.1:2000", "x"))} {
			if i < len(from) || len(from) == 1 {
				p := from[min(i, len(from)-1)]
				p.Time = page[0].Time + int64(len(all))*int64(time.Second/8)
				all = append(all, p)
			}
		}
	}
	return all
}

// TestHandOffOfCarried: what a flow has carried moves with it.
func TestHandOffOfCarried(t *testing.T) {
	s := nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 4}"}, Files: map[string]string{"r": remembering}, Flows: 128}
	if got := count(replay(t, s, conversations(), 16)); got["1"] < 3 || got["2"] < 3 || got["3"] < 3 || got["4"] < 3 {
		t.Fatalf("alerts by sid: %v, want some of each rule", got)
	}
	nftest.HandOff(t, s, conversations(), "memory_used")
}

// TestNoAllocationOfCarried: neither counting nor asking allocates.
func TestNoAllocationOfCarried(t *testing.T) {
	for _, mode := range []string{"ids", "ips"} {
		nftest.ZeroAlloc(t, stageOf(remembering, "mode: "+mode), conversations())
	}
}
