package ids

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// datagrams are one flow's, a payload each.
func datagrams(payloads ...string) []nftest.Packet {
	var ps []nftest.P
	for _, p := range payloads {
		ps = append(ps, nftest.UDP("10.0.0.1:1000", "192.0.2.1:2000", p))
	}
	return nftest.Packets(ps...)
}

// TestFlowint: on which datagrams of a flow a rule hits, with rules that give variables their values.
func TestFlowint(t *testing.T) {
	fails := datagrams("fail", "other", "fail", "fail", "good", "fail")
	for _, c := range []struct{ name, count, ask, want string }{
		{"counted", `content:"fail"; flowint:n,+,1`, `flowint:n,>,2`, "4 5 6"},
		{"counted and asked for in one rule", `content:"fail"; flowint:n,+,1`, `content:"fail"; flowint:n,+,1; flowint: n , >= , 3`, "4 6"},
		{"not set", `content:"good"; flowint:n,=,0`, `flowint:n,notset`, "1 2 3 4"},
		{"is not set", `content:"good"; flowint:n,=,0`, `flowint:n,isnotset`, "1 2 3 4"},
		{"set to 0", `content:"good"; flowint:n,=,0`, `flowint:n,isset`, "5 6"},
		{"what is not set equals nothing", `content:"good"; flowint:n,=,0`, `flowint:n,==,0`, "5 6"},
		{"what is not set differs from nothing", `content:"good"; flowint:n,=,0`, `flowint:n,!=,7`, "5 6"},
		{"set once", `flowint:n,notset; content:"fail"; flowint:n,=,5`, `flowint:n,==,5`, "1 2 3 4 5 6"},
		{"names keep their case", `content:"fail"; flowint:N,+,1`, `flowint:n,isset`, ""},
		{"below", `flowint:n.a/b_1,+,10`, `flowint:n.a/b_1,<,30`, "1 2"},
		{"at most", `flowint:n,+,10`, `flowint:n,<=,30`, "1 2 3"},
		{"with another variable", `flowint:n,+,1; flowint:max,=,4`, `flowint:n,==,max`, "4"},
		{"another variable is added", `flowint:one,=,2; flowint:n,+,one`, `flowint:n,==,6`, "3"},
		{"another that is not set is 0", `flowint:n,+,1`, `flowint:n,>,unknown`, "1 2 3 4 5 6"},
		{"nothing to subtract from", `flowint:n,-,1`, `flowint:n,isset`, ""},
		{"subtracted", `content:"fail"; flowint:n,+,5; flowint:n,-,3`, `flowint:n,==,4`, "3"},
		{"below 0 it wraps", `content:"good"; flowint:n,=,0; flowint:n,-,1`, `flowint:n,==,4294967295`, "5 6"},
		{"above the largest it wraps", `content:"good"; flowint:n,=,4294967295; flowint:n,+,2`, `flowint:n,==,1`, "5 6"},
		{"of all variables the first eight", `flowint:a,=,1; flowint:b,=,1; flowint:c,=,1; flowint:d,=,1; flowint:e,=,1; flowint:f,=,1; flowint:g,=,1; flowint:h,=,1; flowint:i,=,1`,
			`flowint:h,isset; flowint:i,notset`, "1 2 3 4 5 6"},
	} {
		// The one that asks stands first, and is tried last for all that.
		rules := fmt.Sprintf("alert udp any any -> any any (%s; sid:1;)\nalert udp any any -> any any (%s; noalert; sid:2;)", c.ask, c.count)
		var on []string
		for _, a := range replay(t, stageOf(rules, "mode: ids"), fails, 4) {
			on = append(on, fmt.Sprint(a["pcap_cnt"]))
		}
		if got := strings.Join(on, " "); got != c.want {
			t.Errorf("%s: on %q, want %q", c.name, got, c.want)
		}
	}
}

// TestFlowintOfFlows: each flow has its own variables, and a transaction counts once however often it is looked at.
func TestFlowintOfFlows(t *testing.T) {
	rules := `alert http any any -> any any (http.uri; content:"/admin"; flowint:seen,+,1; noalert; sid:1;)
alert tcp any any -> any any (flags:FA; flow:to_server; flowint:seen,==,1; sid:2;)
alert tcp any any -> any any (flowint:seen,>,1; sid:3;)
`
	other := nftest.Packets(nftest.Connection("10.0.0.2:3000", server, "GET /admin HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n")...)
	if got := count(replay(t, stageOf(rules, "mode: ips"), append(page[:len(page):len(page)], other...), 4)); got["2"] != 2 || got["3"] != 0 {
		t.Errorf("alerts by sid: %v, want 2 of 2 and none of 3", got)
	}
}

// TestFlowintFull: what finds no room is counted.
func TestFlowintFull(t *testing.T) {
	var sets strings.Builder
	for i := range 10 {
		fmt.Fprintf(&sets, "flowint:v%d,=,1; ", i)
	}
	r := nftest.Run(stageOf("alert udp any any -> any any ("+sets.String()+"sid:1;)", "mode: ids").Build(t), datagrams("x", "y"), 1)
	if got := r.Count(0, "flowints_full"); got != 2 {
		t.Errorf("flowints_full %d, want 2: once a datagram", got)
	}
}

// variables are rules that count, copy and compare.
const variables = `alert ip any any -> any any (flowint:n,+,1; noalert; sid:1;)
alert ip any any -> any any (flowint:n,==,3; flowint:mark,=,n; sid:2;)
alert ip any any -> any any (flowint:mark,isset; flowint:n,>,mark; flowint:n,-,1; sid:3;)
`

// TestHandOffOfFlowint: variables move with their flow.
func TestHandOffOfFlowint(t *testing.T) {
	s := nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 4}"}, Files: map[string]string{"r": variables}, Flows: 128}
	if got := count(replay(t, s, conversations(), 16)); got["2"] < 3 || got["3"] < 3 {
		t.Fatalf("alerts by sid: %v, want some of each rule", got)
	}
	nftest.HandOff(t, s, conversations(), "memory_used")
}

// TestNoAllocationOfFlowint: neither changes nor comparisons allocate.
func TestNoAllocationOfFlowint(t *testing.T) {
	for _, mode := range []string{"ids", "ips"} {
		nftest.ZeroAlloc(t, stageOf(variables, "mode: "+mode), conversations())
	}
}
