package ids

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// A question of a.b with an OPT record, and an answer: CNAME to c.b, MX of c.b to the root, an OPT record with the high bits of
// a response code.
const (
	dnsQuestion = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x01b\x00\x00\x01\x00\x01" + "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
	dnsAnswer   = "\x12\x34\x81\x83\x00\x01\x00\x02\x00\x00\x00\x01\x01a\x01b\x00\x00\x01\x00\x01" +
		"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01c\xc0\x0e" +
		"\x01c\xc0\x0e\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x03\x00\x0a\x00" +
		"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00"
)

// udpView is a datagram as the engine is shown one.
func udpView(payload []byte, reply bool) *detect.Packet {
	f := make([]byte, 42+len(payload))
	binary.BigEndian.PutUint16(f[12:], packet.EtherIPv4)
	packet.IPv4Header(f[14:34]).Init(28+len(payload), packet.ProtoUDP, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2})
	packet.UDPHeader(f[34:]).Init(1000, 53, 8+len(payload))
	copy(f[42:], payload)
	in := new(packet.Info)
	packet.Parse(f, len(f), in)
	p := &detect.Packet{Info: in, Data: f, Src: in.Src(f), Dst: in.Dst(f), Payload: in.Bytes(f), Wire: len(payload), HasFlow: true, App: rule.AppDNS}
	if reply {
		p.Dir = proto.ToClient
	}
	return p
}

// TestDNSRules: which of a question and its answer a rule is about.
func TestDNSRules(t *testing.T) {
	const both, question, answer, neither = "question answer", "question", "answer", ""
	for _, c := range []struct{ options, want string }{
		{`dns.query; content:"a.b"`, question},
		{`dns.queries.rrname; content:"a.b"; bsize:3`, both},
		{`dns.query.name; content:"a.b"; flow:to_client`, answer},
		{`dns.answers.rrname; content:"c.b"`, answer},
		{`dns.answers.rrname; content:!"c.b"`, answer},
		{`dns.additionals.rrname; content:!"x"`, neither}, // the root has no name to look into
		{`dns.response.rrname; content:"c.b"; startswith; endswith`, answer},
		{`dns.response.rrname; content:"a.b"`, answer},
		{`dns.response.rrname; content:"d"`, neither},
		{`dns.opcode:0`, both},
		{`dns.opcode:!0`, neither},
		{`dns.opcode:!7-15`, both},
		{`dns.rcode:3`, answer}, // the header's four bits alone
		{`dns.rcode:nxdomain`, answer},
		{`dns.rcode:!3`, question},
		{`dns.rcode:0`, question},
		{`dns.rrtype:1`, question}, // questions of a question, answers of an answer
		{`dns.rrtype:a`, question},
		{`dns.rrtype:!2`, both},
		{`dns.rrtype:CNAME`, answer},
		{`dns.rrtype:opt`, neither},
		{`dns.rrtype:15,1`, answer},
		{`dns.rrtype:15,0`, neither},
		{`dns.rrtype:5,all`, neither},
		{`dns.rrtype:count 2`, answer},
	} {
		set := rule.NewSet(rule.DefaultVars(rule.Vars{}), nil)
		set.Add("test", fmt.Sprintf("alert dns any any -> any any (%s; sid:1;)", c.options))
		for _, p := range set.Problems {
			t.Fatalf("%s: %s", c.options, p.Message)
		}
		e := detect.New(set.Rules, detect.Config{Records: 16, Limits: 16})
		var got []string
		for dir, m := range []string{dnsQuestion, dnsAnswer} {
			var msg dns.Message
			if !msg.Parse([]byte(m)) || msg.Problem != dns.OK {
				t.Fatalf("problem %d", msg.Problem)
			}
			p := udpView([]byte(m), dir == 1)
			var tx detect.TxState
			e.Transaction(p, rule.AppDNS, &dnsView{&msg}, &tx, 0)
			var o detect.Outcome
			if e.Finish(p, 0, &o); len(o.Alerts) > 0 {
				got = append(got, []string{question, answer}[dir])
			}
			e.Release(&tx)
		}
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.options, got, want)
		}
	}
}
