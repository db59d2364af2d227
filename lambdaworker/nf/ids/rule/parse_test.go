package rule

import (
	"net/netip"
	"strings"
	"testing"
)

func TestProblemsHaveTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		line, column int
		keyword      string
	}{
		{"unknown keyword", `alert tcp any any -> any any (msg:"x"; frobnicate:1; sid:1;)`, 1, 40, "frobnicate"},
		{"second line", "alert tcp any any -> any any ( \\\n  content:\"a|4\"; \\\n sid:1;)", 2, 3, "content"},
		{"comments and blank lines count", "# x\n\nalert tcp any any -> any any (nope; sid:1;)", 3, 31, "nope"},
		{"action", `allow tcp any any -> any any (sid:1;)`, 1, 1, "action"},
		{"protocol", `alert rdp any any -> any any (sid:1;)`, 1, 7, "protocol rdp"},
		{"address", `alert tcp 1.2.3.4/99 any -> any any (sid:1;)`, 1, 11, "source address"},
		{"netmask", `alert tcp 1.2.3.0/24x any -> any any (sid:1;)`, 1, 11, "source address"},
		{"list left open", `alert tcp 1.2.3.4,[1.2.3.5 any -> any any (sid:1;)`, 1, 11, "source address"},
		{"variable", `alert tcp any any -> $NOWHERE any (sid:1;)`, 1, 22, "destination address"},
		{"port", `alert tcp any 70000 -> any any (sid:1;)`, 1, 15, "source port"},
		{"direction", `alert tcp any any <- any any (sid:1;)`, 1, 19, "direction"},
		{"no sid", `alert tcp any any -> any any (msg:"x";)`, 1, 30, "sid"},
		{"bracket", `alert tcp any any -> any any (sid:1;`, 1, 36, "options"},
		{"semicolon", `alert tcp any any -> any any (sid:1)`, 1, 31, "sid:1"},
		{"lookahead", `alert tcp any any -> any any (pcre:"/a(?R)b/"; sid:1;)`, 1, 31, "pcre"},
		{"modifier of nothing", `alert tcp any any -> any any (nocase; sid:1;)`, 1, 31, "nocase"},
		{"short depth", `alert tcp any any -> any any (content:"abc"; depth:2; sid:1;)`, 1, 30, "payload"},
		{"upper case where there is none", `alert http any any -> any any (http.host; content:"Example"; sid:1;)`, 1, 31, "http.host"},
		{"two protocols", `alert dns any any -> any any (http.uri; content:"a"; sid:1;)`, 1, 31, "http.uri"},
		{"sticky without content", `alert http any any -> any any (http.uri; sid:1;)`, 1, 31, "http.uri"},
		{"wrong direction", `alert http any any -> any any (flow:to_client; http.uri; content:"a"; sid:1;)`, 1, 31, "flow"},
		{"sid twice", "alert tcp any any -> any any (sid:1;)\nalert udp any any -> any any (sid:1;)", 2, 31, "sid"},
		{"stream_size in short", `alert tcp any any -> any any (stream_size:client,>5; sid:1;)`, 1, 31, "stream_size"},
		{"stream_size of nobody", `alert tcp any any -> any any (stream_size:peer,>,5; sid:1;)`, 1, 31, "stream_size"},
		{"stream_size with =>", `alert tcp any any -> any any (stream_size:both,=>,5; sid:1;)`, 1, 31, "stream_size"},
		{"stream_size too large", `alert tcp any any -> any any (stream_size:both,>,4294967296; sid:1;)`, 1, 31, "stream_size"},
		{"flow.pkts without direction", `alert ip any any -> any any (flow.pkts:>5; sid:1;)`, 1, 30, "flow.pkts"},
		{"flow.bytes, direction unknown", `alert ip any any -> any any (flow.bytes:up,>5; sid:1;)`, 1, 30, "flow.bytes"},
		{"flow.age too large", `alert ip any any -> any any (flow.age:>4294967296; sid:1;)`, 1, 30, "flow.age"},
		{"flow.pkts_toclient with direction", `alert ip any any -> any any (flow.pkts_toclient:toclient,5; sid:1;)`, 1, 30, "flow.pkts_toclient"},
		{"flowint without operation", `alert ip any any -> any any (flowint:n; sid:1;)`, 1, 30, "flowint"},
		{"flowint, operation unknown", `alert ip any any -> any any (flowint:n,*,2; sid:1;)`, 1, 30, "flowint"},
		{"flowint without value", `alert ip any any -> any any (flowint:n,+; sid:1;)`, 1, 30, "flowint"},
		{"flowint isset with value", `alert ip any any -> any any (flowint:n,isset,1; sid:1;)`, 1, 30, "flowint"},
		{"flowint too large", `alert ip any any -> any any (flowint:n,=,4294967296; sid:1;)`, 1, 30, "flowint"},
		{"flowint of a number", `alert ip any any -> any any (flowint:1n,=,1; sid:1;)`, 1, 30, "flowint"},
		{"unknown variable", `alert tcp any any -> any any (content:"a"; offset:n; sid:1;)`, 1, 44, "offset"},
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		s.Add("x.rules", c.text)
		if len(s.Problems) != 1 {
			t.Errorf("%s: %d problems: %+v", c.name, len(s.Problems), s.Problems)
			continue
		}
		if p := s.Problems[0]; p.Line != c.line || p.Column != c.column || p.Keyword != c.keyword || p.File != "x.rules" || p.Message == "" {
			t.Errorf("%s: %d:%d %q (%s), want %d:%d %q", c.name, p.Line, p.Column, p.Keyword, p.Message, c.line, c.column, c.keyword)
		}
	}
}

// TestSpellings: words that rules of other years use.
func TestSpellings(t *testing.T) {
	for _, options := range []string{`icmp_id:"300";`, `icmp_seq: "0" ;`, `id:"7";`} {
		s := NewSet(DefaultVars(Vars{}), nil)
		s.Add("x", "alert icmp any any -> any any ("+options+" sid:1;)")
		if len(s.Problems) > 0 || len(s.Rules) != 1 || len(s.Rules[0].Fields) != 1 {
			t.Errorf("%s: %+v", options, s.Problems)
		}
	}
	s := NewSet(DefaultVars(Vars{}), nil)
	s.Add("x", `alert tls any any -> any any (tls.sni; content:"a"; tls_store; sid:1;)`)
	if len(s.Problems) > 0 {
		t.Errorf("tls_store: %+v", s.Problems)
	}
}

// TestCaseOfBuffers: a buffer that has only one case is met by contents in the other.
func TestCaseOfBuffers(t *testing.T) {
	for options, want := range map[string]string{
		`tls.cert_serial; content:"0a:bc";`:      "0A:BC",
		`tls.cert_fingerprint; content:"AA:0b";`: "aa:0b",
		`ja3.hash; content:"E7D7";`:              "e7d7",
		`tls.sni; content:"Ab";`:                 "Ab",
	} {
		s := NewSet(DefaultVars(Vars{}), nil)
		s.Add("x", "alert tls any any -> any any ("+options+" sid:1;)")
		if len(s.Problems) > 0 {
			t.Fatalf("%s: %+v", options, s.Problems)
		}
		if got := string(s.Rules[0].Sections[0].Items[0].Content.Pattern); got != want {
			t.Errorf("%s: %q, want %q", options, got, want)
		}
	}
}

func TestRule(t *testing.T) {
	s := NewSet(DefaultVars(Vars{}), DefaultClasses())
	s.Add("x", `drop http [10.0.0.0/8,!10.1.0.0/16] !80 <> $HOME_NET [1:5,7] (msg:"a \"b\"\; c"; flow:established,to_server; content:"A|42 43|\;d"; nocase; http_uri; pcre:"/x+/Ui"; classtype:trojan-activity; metadata:k v, k w; gid:2; sid:7; rev:3; flowbits:isset,a|b;)`)
	if len(s.Problems) > 0 || len(s.Rules) != 1 {
		t.Fatalf("%+v", s.Problems)
	}
	r := s.Rules[0]
	if r.Action != Drop || r.Proto != HTTP || !r.Both || r.Msg != `a "b"; c` || r.GID != 2 || r.SID != 7 || r.Rev != 3 || r.Priority != 1 ||
		r.Category != "A Network Trojan was detected" || !r.Flow.Established || !r.Flow.ToServer || len(r.Bits) != 1 || len(r.Bits[0].Names) != 2 {
		t.Errorf("%+v", r)
	}
	if len(r.Sections) != 1 || r.Sections[0].Buffer != HTTPURI || len(r.Sections[0].Items) != 2 || string(r.Sections[0].Items[0].Content.Pattern) != "ABC;d" {
		t.Errorf("sections: %+v", r.Sections)
	}
	for addr, want := range map[string]bool{"\x0a\x00\x00\x01": true, "\x0a\x01\x02\x03": false, "\x0b\x00\x00\x00": false} {
		if r.Src.Contains([]byte(addr)) != want {
			t.Errorf("source %v", []byte(addr))
		}
	}
	for port, want := range map[uint16]bool{0: false, 1: true, 5: true, 6: false, 7: true, 8: false} {
		if r.DstPort.Contains(port) != want {
			t.Errorf("port %d", port)
		}
	}
	if r.SrcPort.Contains(80) || !r.SrcPort.Contains(81) {
		t.Error("!80")
	}
}

// TestLists: lists with and without brackets, nested, negated in part.
func TestLists(t *testing.T) {
	for _, c := range []struct {
		text    string
		in, out string
		negated bool
	}{
		{"10.0.0.0/8,1.2.3.4", "1.2.3.4", "1.2.3.5", false},
		{"[10.0.0.0/8,[1.2.3.4,::1]]", "::1", "::2", false},
		{"![10.0.0.0/8,1.2.3.4]", "1.2.3.5", "10.1.1.1", true},
		{"10.0.0.0/8,!10.1.0.0/16", "10.2.0.1", "10.1.0.1", true},
		{"[!1.2.3.4]", "::1", "1.2.3.4", true},
		{"10.0.0.0/255.255.0.0", "10.0.255.1", "10.1.0.1", false},
		{"1.2.3.4-1.2.3.6", "1.2.3.6", "1.2.3.7", false},
	} {
		a, err := DefaultVars(Vars{}).addresses(c.text, 0)
		if in, out := netip.MustParseAddr(c.in).AsSlice(), netip.MustParseAddr(c.out).AsSlice(); err != nil || !a.Contains(in) || a.Contains(out) || a.Negated != c.negated {
			t.Errorf("%s: %v, %s %v, %s %v, negated %v", c.text, err, c.in, a.Contains(in), c.out, a.Contains(out), a.Negated)
		}
	}
	p, err := DefaultVars(Vars{}).portSet("80,[443:445,!444]")
	if err != nil || !p.Contains(80) || !p.Contains(443) || p.Contains(444) || p.Contains(81) {
		t.Errorf("ports: %v %+v", err, p)
	}
}

// FuzzParse: any text gives rules or problems, each within the text.
func FuzzParse(f *testing.F) {
	f.Add("alert tcp $HOME_NET any -> any [80,!81] (msg:\"x\"; content:\"a|62|\"; distance:1; pcre:\"/a/R\"; sid:1;)")
	f.Add("alert http any any <> any any (http.uri; to_lowercase; content:\"a\"; bsize:<5; byte_test:1,>,2,3,relative; \\\n sid:2;)")
	f.Add("pass dns [!1.2.3.0/24,::/0] any -> any any (dns.opcode:!0; threshold:type both, track by_src, count 1, seconds 2; sid:3;)")
	f.Add("alert tcp any any -> any any (stream_size:both,>=,5; flow.pkts:either,1<>3; flow.bytes_toclient:>1kb; flow.age:!0; flowint:a,+,b; flowint:a,>=,3; flowint:b,notset; sid:4;)")
	f.Fuzz(func(t *testing.T, text string) {
		s := NewSet(DefaultVars(Vars{}), nil)
		s.Add("f", text)
		lines := strings.Count(text, "\n") + 1
		for _, p := range s.Problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" || p.Keyword == "" {
				t.Fatalf("%+v", p)
			}
		}
		for _, r := range s.Rules {
			r.Src.Contains([]byte{1, 2, 3, 4})
			r.Dst.Contains(make([]byte, 16))
		}
	})
}
