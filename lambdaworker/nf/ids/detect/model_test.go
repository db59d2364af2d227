package detect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// datagram is a UDP packet as the engine is shown one.
func datagram(payload []byte) *Packet {
	f := make([]byte, 42+len(payload))
	binary.BigEndian.PutUint16(f[12:], packet.EtherIPv4)
	packet.IPv4Header(f[14:34]).Init(28+len(payload), packet.ProtoUDP, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2})
	packet.UDPHeader(f[34:]).Init(1000, 53, 8+len(payload))
	copy(f[42:], payload)
	in := new(packet.Info)
	packet.Parse(f, len(f), in)
	return &Packet{Info: in, Data: f, Src: in.Src(f), Dst: in.Dst(f), Payload: in.Bytes(f), Wire: len(payload)}
}

// engine compiles the rules of text, all of which have to load.
func engine(t testing.TB, text string) *Engine {
	t.Helper()
	set := rule.NewSet(rule.DefaultVars(rule.Vars{}), nil)
	set.Add("test", text)
	for _, p := range set.Problems {
		t.Fatalf("%d:%d: %s: %s", p.Line, p.Column, p.Keyword, p.Message)
	}
	return New(set.Rules, Config{Records: 256, Limits: 256})
}

// sids returns the ids of the rules that alert on the packet.
func (e *Engine) sids(p *Packet) (ids []uint32) {
	e.Packet(p)
	var o Outcome
	e.Finish(p, 0, &o)
	for _, m := range o.Alerts {
		ids = append(ids, m.Sig.Rule.SID)
	}
	slices.Sort(ids)
	return ids
}

// holds is the model: is there a way to place the contents so that all conditions are met? It tries every place of
// every content.
func holds(items []*rule.Item, buf []byte, at int) bool {
	if len(items) == 0 {
		return true
	}
	c := &items[0].Content
	lo, hi := 0, len(buf)
	if c.HasOffset {
		lo = int(c.Offset.N)
	}
	if c.HasDepth {
		hi = lo + int(c.Depth.N)
	}
	if c.StartsWith {
		hi = len(c.Pattern)
	}
	if c.Relative() {
		lo = max(at+int(c.Distance.N), 0)
		if c.HasWithin {
			hi = at + int(c.Distance.N) + int(c.Within.N)
		}
	}
	found := false
	for i := lo; i+len(c.Pattern) <= min(hi, len(buf)); i++ {
		end := i + len(c.Pattern)
		same := bytes.Equal(buf[i:end], c.Pattern) || c.NoCase && bytes.EqualFold(buf[i:end], c.Pattern)
		if !same || c.EndsWith && end != len(buf) {
			continue
		}
		found = true
		if !items[0].Negated && holds(items[1:], buf, end) {
			return true
		}
	}
	return items[0].Negated && !found && holds(items[1:], buf, at)
}

// randomContent makes a content keyword. It is relative only behind a content that is not negated: behind a negated one
// Suricata, and so the engine, does not try other places for the content before that, which the model would.
func randomContent(r *rand.Rand, relative bool) (string, bool) {
	p := make([]byte, 1+r.IntN(5))
	for i := range p {
		p[i] = "abAB"[r.IntN(4)]
	}
	neg := ""
	if r.IntN(4) == 0 {
		neg = "!"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "content:%s\"%s\"; ", neg, p)
	if r.IntN(2) == 0 {
		b.WriteString("nocase; ")
	}
	switch k := r.IntN(8); {
	case k == 0:
		fmt.Fprintf(&b, "offset:%d; ", r.IntN(6))
	case k == 1:
		fmt.Fprintf(&b, "depth:%d; ", len(p)+r.IntN(8))
	case k == 2:
		b.WriteString("startswith; ")
	case k < 6 && relative:
		fmt.Fprintf(&b, "distance:%d; ", r.IntN(8)-3)
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "within:%d; ", len(p)+r.IntN(6))
		}
	}
	if r.IntN(8) == 0 {
		b.WriteString("endswith; ")
	}
	return b.String(), neg == ""
}

// TestAgainstModel: random rules on random payloads, through prefilter and evaluation, match when the model says so.
func TestAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	matched := 0
	for round := range 400 {
		var text strings.Builder
		for sid := 1; sid <= 12; sid++ {
			fmt.Fprintf(&text, "alert udp any any -> any any (")
			relative := false
			for range 1 + r.IntN(4) {
				var c string
				c, relative = randomContent(r, relative)
				text.WriteString(c)
			}
			fmt.Fprintf(&text, "sid:%d;)\n", sid)
		}
		e := engine(t, text.String())
		for range 30 {
			payload := make([]byte, 1+r.IntN(24))
			for i := range payload {
				payload[i] = "abABx"[r.IntN(5)]
			}
			var want []uint32
			for _, s := range e.Signatures() {
				if holds(s.Rule.Sections[0].Items, payload, 0) {
					want = append(want, s.Rule.SID)
				}
			}
			slices.Sort(want)
			matched += len(want)
			if got := e.sids(datagram(payload)); !slices.Equal(got, want) {
				t.Fatalf("round %d, payload %q: %v, the model says %v\n%s", round, payload, got, want, text.String())
			}
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matches: the rules are too rare to show anything", matched)
	}
}

// FuzzEngine: any rule that loads is tried on any payload without a panic.
func FuzzEngine(f *testing.F) {
	f.Add(`content:"a"; byte_test:2,>,100,0,relative; content:"b"; distance:1;`, []byte("xa\x01\x02zb"))
	f.Add(`byte_extract:1,0,n; content:"b"; offset:n; isdataat:!n,relative;`, []byte("\x03xxb"))
	f.Add(`byte_jump:4,0,string,dec,multiplier 9,post_offset -5; byte_math:bytes 1, offset 0, oper <<, rvalue 60, result r; pcre:"/^a.*(b|c)$/sR";`, []byte("0012aab"))
	f.Add(`dsize:>2; ttl:64; ip_proto:17; pcre:"/(a{1,200}){3}/"; content:!"q"; within:3;`, []byte("aaaa"))
	f.Fuzz(func(t *testing.T, options string, payload []byte) {
		if strings.ContainsAny(options, "\n\r") || len(payload) > 2000 {
			return
		}
		set := rule.NewSet(rule.DefaultVars(rule.Vars{}), nil)
		set.Add("fuzz", "alert udp any any -> any any ("+options+" sid:1;)")
		if len(set.Rules) == 0 {
			return
		}
		e := New(set.Rules, Config{Records: 64, Limits: 64})
		e.sids(datagram(payload))
	})
}

func TestByteKeywords(t *testing.T) {
	for _, c := range []struct {
		options, payload string
		want             bool
	}{
		{`byte_test:2,=,258,0;`, "\x01\x02", true},
		{`byte_test:2,=,513,0,little;`, "\x01\x02", true},
		{`byte_test:2,!=,258,0;`, "\x01\x02", false},
		{`byte_test:3,>,122,0,string,dec;`, "123", true},
		{`byte_test:4,=,0xbeef,1,string,hex;`, "xbeef", true},
		{`byte_test:4,=,31,0,string;`, "0x1f", true},
		{`byte_test:3,=,8,0,string;`, "010", true},
		{`byte_test:0,=,17,1,string,dec;`, "a17x", true},
		{`byte_extract:3,1,n,string,dec; content:"x"; distance:0; within:1;`, "a17x", true},
		{`byte_extract:8,0,n; byte_test:1,=,1,n;`, "\xff\xff\xff\xff\xff\xff\xff\xff", false},
		{`byte_extract:8,0,n; byte_extract:1,n,m; byte_test:1,=,1,m;`, "\x7f\xff\xff\xff\xff\xff\xff\xff", false},
		{`byte_extract:8,0,n; byte_jump:1,n;`, "\x7f\xff\xff\xff\xff\xff\xff\xff", false},
		{`byte_extract:8,0,n; isdataat:n,relative;`, "\x7f\xff\xff\xff\xff\xff\xff\xff", false},
		{`byte_extract:8,0,n; isdataat:!n;`, "\xff\xff\xff\xff\xff\xff\xff\xff", true},
		{`byte_extract:8,0,n; content:!"a"; offset:n;`, "\xff\xff\xff\xff\xff\xff\xff\xffa", true},
		{`byte_extract:8,0,n; byte_math:bytes 1, offset 8, oper -, rvalue n, result m; byte_test:1,=,m,9;`, "\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", true},
		{`byte_test:1,&,0x80,0;`, "\x81", true},
		{`byte_test:1,<=,5,0; `, "\x05", true},
		{`byte_test:4,>,1,0;`, "\x01\x02", false},
		{`content:"a"; byte_test:1,=,7,1,relative;`, "xa\x00\x07", true},
		{`byte_jump:1,0; content:"z"; distance:0; within:1;`, "\x02abz", true},
		{`byte_jump:1,0,align; content:"z"; distance:0; within:1;`, "\x01abcdz", true},
		{`byte_jump:1,0,from_beginning,post_offset 1; content:"z"; distance:0; within:1;`, "\x02abz", true},
		{`byte_extract:1,0,n; content:"z"; offset:n; depth:1;`, "\x03abz", true},
		{`byte_extract:1,0,n; content:"z"; offset:n; depth:1;`, "\x02abz", false},
		{`byte_extract:1,0,n; byte_test:1,=,n,1;`, "\x07\x07", true},
		{`byte_math:bytes 1, offset 0, oper *, rvalue 3, result n; content:"z"; offset:n; depth:1;`, "\x01abz", true},
		{`byte_math:bytes 1, offset 0, oper +, rvalue 1, result n, bitmask 0xf0; byte_test:1,=,n,1;`, "\x0f\x01", true},
		{`byte_test:1,=,1,0,bitmask 0xf0;`, "\x1f", true},
		{`content:"a"; isdataat:2,relative;`, "abc", true},
		{`content:"a"; isdataat:!3,relative;`, "abc", true},
		{`isdataat:3;`, "abc", false},
		{`content:"ab"; content:"ab"; distance:0;`, "abxab", true},
		{`content:"a"; content:"b"; distance:0; within:1;`, "axxab", true},
		{`content:"a"; pcre:"/^b/R";`, "axxab", true},
		{`pcre:"/a/"; content:"b"; distance:0; within:1;`, "axab", true},
		{`content:!"a"; content:"b";`, "b", true},
		{`dsize:2<>5;`, "abc", true},
		{`dsize:2<>3;`, "ab", false},
	} {
		e := engine(t, "alert udp any any -> any any ("+c.options+" sid:1;)")
		if got := len(e.sids(datagram([]byte(c.payload)))) == 1; got != c.want {
			t.Errorf("%s on %q: %v", c.options, c.payload, got)
		}
	}
}

func TestOrderOfActions(t *testing.T) {
	e := engine(t, `alert udp any any -> any any (content:"x"; sid:1;)
drop udp any any -> any any (content:"x"; sid:2;)
pass udp any any -> any any (content:"xy"; sid:3;)
`)
	for payload, want := range map[string][]uint32{"x": {1, 2}, "xy": nil} {
		if got := e.sids(datagram([]byte(payload))); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", payload, got, want)
		}
	}
}

func TestFlowbits(t *testing.T) {
	e := engine(t, `alert udp any any -> any any (content:"b"; flowbits:isset,one|two; sid:1;)
alert udp any any -> any any (content:"s"; flowbits:set,two; flowbits:noalert; sid:2;)
alert udp any any -> any any (content:"u"; flowbits:unset,two; sid:3;)
alert udp any any -> any any (content:"t"; flowbits:toggle,three; sid:4;)
alert udp any any -> any any (content:"n"; flowbits:isnotset,three; sid:5;)
`)
	var bits Bits
	for _, c := range []struct {
		payload string
		want    []uint32
	}{{"b", nil}, {"sb", []uint32{1}}, {"b", []uint32{1}}, {"u", []uint32{3}}, {"b", nil}, {"n", []uint32{5}}, {"t", []uint32{4}}, {"n", nil}, {"t", []uint32{4}}, {"n", []uint32{5}}} {
		p := datagram([]byte(c.payload))
		p.HasFlow, p.Bits = true, &bits
		if got := e.sids(p); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.payload, got, c.want)
		}
	}
}

func TestTransforms(t *testing.T) {
	tr := newTransformer()
	for _, c := range []struct {
		kind     rule.TransformKind
		in, want string
	}{
		{rule.ToLower, "aBC", "abc"}, {rule.ToUpper, "aBc", "ABC"}, {rule.StripWhitespace, " a\tb ", "ab"}, {rule.CompressWhitespace, "a \t b", "a b"},
		{rule.DotPrefix, "a.com", ".a.com"}, {rule.URLDecode, "a%20b+c%4", "a b c%4"}, {rule.FromBase64, "aGVsbG8=", "hello"},
		{rule.StripPseudoHeaders, ":method: GET\r\nA: b\r\n", "A: b\r\n"}, {rule.HeaderLowercase, "Ab: Cd\r\nEf: Gh", "ab: Cd\r\nef: Gh"},
		{rule.Domain, "www.example.co.uk", "example.co.uk"}, {rule.TLD, "www.example.co.uk", "co.uk"},
	} {
		if got, _ := tr.apply([]rule.Transform{{Kind: c.kind}}, 0, []byte(c.in)); string(got) != c.want {
			t.Errorf("%d: %q became %q, want %q", c.kind, c.in, got, c.want)
		}
	}
}

func TestThresholds(t *testing.T) {
	const second = int64(1e9)
	for _, c := range []struct {
		options string
		times   []int64 // of packets, in seconds
		want    string  // which of them alert
	}{
		{"threshold:type limit, track by_src, count 2, seconds 10", []int64{0, 1, 2, 10, 11, 12, 13}, "xx..xx."},
		{"threshold:type threshold, track by_dst, count 3, seconds 10", []int64{0, 1, 2, 3, 4, 5, 20, 21, 22}, "..x..x..x"},
		{"threshold:type both, track by_both, count 2, seconds 10", []int64{0, 1, 2, 3, 20, 21, 22}, ".x...x."},
		{"threshold:type backoff, track by_rule, count 1, multiplier 3", []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "x.x.....x."},
		{"detection_filter:track by_src, count 2, seconds 10", []int64{0, 1, 2, 3, 20, 21, 22}, "..xx..x"},
	} {
		e := engine(t, "alert udp any any -> any any (content:\"x\"; "+c.options+"; sid:1;)")
		got := ""
		for _, at := range c.times {
			p := datagram([]byte("x"))
			e.Packet(p)
			var o Outcome
			e.Finish(p, at*second, &o)
			got += string(".x"[min(len(o.Alerts), 1)])
		}
		if got != c.want {
			t.Errorf("%s at %v: %s, want %s", c.options, c.times, got, c.want)
		}
	}
}
