package eve

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

var when = time.Date(2017, 4, 7, 22, 24, 37, 251547_999, time.UTC).UnixNano()

func parsed(frame []byte, number uint64) *nf.Packet {
	p := &nf.Packet{Data: frame, Wire: uint32(len(frame)), Flow: nf.NoFlow, Time: when, Number: number}
	packet.Parse(frame, len(frame), &p.Info)
	return p
}

var (
	tcp4 = []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00" +
		"\x45\x20\x00\x2a\x12\x34\x00\x00\x40\x06\x00\x00\xc0\x00\x02\x01\xc6\x33\x64\x02" +
		"\xc3\xb0\x00\x50\x00\x00\x00\x07\x00\x00\x00\x09\x50\x1a\x20\x00\x00\x00\x00\x00hi")
	tcp4back = []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00" +
		"\x45\x00\x00\x28\x12\x34\x00\x00\x40\x06\x00\x00\xc6\x33\x64\x02\xc0\x00\x02\x01" +
		"\x00\x50\xc3\xb0\x00\x00\x00\x07\x00\x00\x00\x09\x50\x10\x20\x00\x00\x00\x00\x00")
	udp6 = append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x81\x00\x00\x0a\x86\xdd"+
		"\x60\x01\x23\x45\x00\x08\x11\x3f"), append(append(netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice()...),
		"\x00\x35\x13\x88\x00\x08\x00\x00"...)...)
	icmp4 = []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00" +
		"\x45\x00\x00\x1c\x00\x01\x00\x00\x40\x01\x00\x00\xc0\x00\x02\x01\xc6\x33\x64\x02\x08\x00\x00\x00\x00\x05\x00\x06")
	arp = append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06"), make([]byte, 28)...)
)

var signature = Signature{GID: 1, ID: 2018358, Rev: 10, Message: "a \"quoted\"\nname", Category: "Potentially Bad Traffic", Severity: 2, Metadata: []byte(`{"tag":["x"]}`)}

// Every line is compared as JSON with what Suricata would have written for the same packet, member by member.
func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		line []byte
		want string
	}{
		{"alert over TCP", AppendAlert(nil, parsed(tcp4, 7), &signature, false,
			&Context{App: "http", Tx: 4, Direction: ToServer, Members: []byte(`"http":{"hostname":"a"}`)}),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"pcap_cnt":7,"in_iface":"inside","event_type":"alert",
			"src_ip":"192.0.2.1","src_port":50096,"dest_ip":"198.51.100.2","dest_port":80,"proto":"TCP","ip_v":4,"pkt_src":"wire/pcap",
			"alert":{"action":"allowed","gid":1,"signature_id":2018358,"rev":10,"signature":"a \"quoted\"\nname",
			"category":"Potentially Bad Traffic","severity":2,"metadata":{"tag":["x"]}},
			"tx_id":4,"app_proto":"http","direction":"to_server","http":{"hostname":"a"}}`},
		{"blocked, nothing more known", AppendAlert(nil, parsed(udp6, 0), &Signature{GID: 1, ID: 5, Severity: 3}, true, nil),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"in_iface":"inside","event_type":"alert","vlan":[10],
			"src_ip":"2001:db8::1","src_port":53,"dest_ip":"2001:db8::2","dest_port":5000,"proto":"UDP","ip_v":6,"pkt_src":"wire/pcap",
			"alert":{"action":"blocked","gid":1,"signature_id":5,"rev":0,"signature":"","category":"","severity":3}}`},
		{"drop of TCP", AppendDrop(nil, parsed(tcp4, 1), nf.DropRule, nil, nil),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"pcap_cnt":1,"in_iface":"inside","event_type":"drop",
			"src_ip":"192.0.2.1","src_port":50096,"dest_ip":"198.51.100.2","dest_port":80,"proto":"TCP","ip_v":4,"pkt_src":"wire/pcap",
			"drop":{"len":42,"tos":32,"ttl":64,"ipid":4660,"tcpseq":7,"tcpack":9,"tcpwin":8192,"syn":true,"ack":true,"psh":true,
			"rst":false,"urg":false,"fin":false,"tcpres":0,"tcpurgp":0,"reason":"firewall_rule"}}`},
		{"drop of UDP over IPv6 by a signature", AppendDrop(nil, parsed(udp6, 0), nf.DropIDS, &Signature{GID: 1, ID: 5, Severity: 3}, nil),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"in_iface":"inside","event_type":"drop","vlan":[10],
			"src_ip":"2001:db8::1","src_port":53,"dest_ip":"2001:db8::2","dest_port":5000,"proto":"UDP","ip_v":6,"pkt_src":"wire/pcap",
			"drop":{"len":48,"tc":0,"hoplimit":63,"flowlbl":74565,"udplen":8,"reason":"ids_rule"},
			"alert":{"action":"blocked","gid":1,"signature_id":5,"rev":0,"signature":"","category":"","severity":3}}`},
		{"drop of ICMP", AppendDrop(nil, parsed(icmp4, 0), nf.DropRate, nil, nil),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"in_iface":"inside","event_type":"drop",
			"src_ip":"192.0.2.1","dest_ip":"198.51.100.2","proto":"ICMP","icmp_type":8,"icmp_code":0,"ip_v":4,"pkt_src":"wire/pcap",
			"drop":{"len":28,"tos":0,"ttl":64,"ipid":1,"icmp_id":5,"icmp_seq":6,"reason":"rate_limit"}}`},
		{"drop of what is not IP", AppendDrop(nil, parsed(arp, 0), nf.DropPanic, nil, nil),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","in_iface":"inside","event_type":"drop","pkt_src":"wire/pcap",
			"drop":{"len":42,"reason":"nf_panic"}}`},
		{"flow", AppendFlow(nil, when, &FlowRecord{Key: &packet.Key{}, From: nf.Outside, Client: netip.MustParseAddrPort("192.0.2.1:50096"),
			Server: netip.MustParseAddrPort("198.51.100.2:80"), Proto: 6, App: "tls", Packets: [2]uint64{3, 2}, Bytes: [2]uint64{300, 200},
			Start: when - 2500e6, End: when, State: "closed", Reason: "timeout", Alerted: true, TCPFlags: [2]uint8{0x1b, 0x12}}),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"in_iface":"outside","event_type":"flow",
			"src_ip":"192.0.2.1","src_port":50096,"dest_ip":"198.51.100.2","dest_port":80,"proto":"TCP","app_proto":"tls",
			"flow":{"pkts_toserver":3,"pkts_toclient":2,"bytes_toserver":300,"bytes_toclient":200,"start":"2017-04-07T22:24:34.751547+0000",
			"end":"2017-04-07T22:24:37.251547+0000","age":2,"state":"closed","reason":"timeout","alerted":true},
			"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"12"}}`},
		{"flow without ports", AppendFlow(nil, when, &FlowRecord{Key: &packet.Key{}, Client: netip.MustParseAddrPort("192.0.2.1:0"),
			Server: netip.MustParseAddrPort("198.51.100.2:0"), Proto: 47, Start: when, End: when, State: "new", Reason: "forced"}),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","flow_id":0,"in_iface":"inside","event_type":"flow",
			"src_ip":"192.0.2.1","dest_ip":"198.51.100.2","proto":"GRE",
			"flow":{"pkts_toserver":0,"pkts_toclient":0,"bytes_toserver":0,"bytes_toclient":0,"start":"2017-04-07T22:24:37.251547+0000",
			"end":"2017-04-07T22:24:37.251547+0000","age":0,"state":"new","reason":"forced","alerted":false}}`},
		{"stats", AppendStats(nil, when, "", 8, []Stat{{"decoder.pkts", 5}, {"decoder.ipv4.tcp", 4}, {"decoder.ipv4.udp", 1}, {"decoder.bytes", 9}, {"flow.total", 2}, {"drops", 0}}),
			`{"timestamp":"2017-04-07T22:24:37.251547+0000","event_type":"stats","stats":{"uptime":8,
			"decoder":{"pkts":5,"ipv4":{"tcp":4,"udp":1},"bytes":9},"flow":{"total":2},"drops":0}}`},
		{"no stats", AppendStats(nil, when, "", 8, nil), `{"timestamp":"2017-04-07T22:24:37.251547+0000","event_type":"stats","stats":{"uptime":8}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got, want map[string]any
			if err := json.Unmarshal(tt.line, &got); err != nil {
				t.Fatalf("%v in %s", err, tt.line)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if id, ok := got["flow_id"]; ok {
				if id.(float64) <= 0 {
					t.Errorf("flow_id %v", id)
				}
				got["flow_id"] = float64(0)
			}
			g, _ := json.MarshalIndent(got, "", " ")
			w, _ := json.MarshalIndent(want, "", " ")
			if !bytes.Equal(g, w) {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
			if bytes.IndexByte(tt.line, '\n') >= 0 {
				t.Error("an event takes more than one line")
			}
		})
	}
}

func TestFlowIDIsTheSameBothWays(t *testing.T) {
	a, b, c := FlowID(parsed(tcp4, 0)), FlowID(parsed(tcp4back, 0)), FlowID(parsed(udp6, 0))
	if a != b || a == c || a >= 1<<51 {
		t.Errorf("flow ids %d there, %d back, %d of another flow; want the first two equal, below 2^51", a, b, c)
	}
	p := parsed(tcp4, 0)
	p.Key, p.Flow = packet.Key{}, 3
	if FlowID(p) != KeyID(&packet.Key{}) {
		t.Error("the key that the pipeline found is not used")
	}
}

func TestFast(t *testing.T) {
	s := Signature{GID: 1, ID: 2009187, Rev: 4, Message: "ET WEB\n_CLIENT", Category: "Web Application Attack", Severity: 3}
	for _, tt := range []struct {
		frame   []byte
		blocked bool
		sig     *Signature
		want    string
	}{
		{tcp4, false, &s, "04/07/2017-22:24:37.251547  [**] [1:2009187:4] ET WEB _CLIENT [**] [Classification: Web Application Attack] [Priority: 3] {TCP} 192.0.2.1:50096 -> 198.51.100.2:80"},
		{udp6, true, &Signature{GID: 1, ID: 2, Message: "m", Severity: 1}, "04/07/2017-22:24:37.251547  [Drop] [**] [1:2:0] m [**] [Classification: (null)] [Priority: 1] {UDP} 2001:db8::1:53 -> 2001:db8::2:5000"},
		{icmp4, false, &Signature{GID: 1, ID: 2, Severity: 1}, "04/07/2017-22:24:37.251547  [**] [1:2:0]  [**] [Classification: (null)] [Priority: 1] {ICMP} 192.0.2.1:0 -> 198.51.100.2:0"},
	} {
		p := parsed(tt.frame, 0)
		if got := string(AppendFast(nil, p, tt.sig, tt.blocked)); got != tt.want {
			t.Errorf("AppendFast\n got %s\nwant %s", got, tt.want)
		}
		got, ok := Fast(nil, AppendAlert(nil, p, tt.sig, tt.blocked, nil))
		if !ok || string(got) != tt.want {
			t.Errorf("Fast of the EVE line\n got %s\nwant %s", got, tt.want)
		}
	}
	for _, line := range []string{"", "{}", "{", `{"event_type":"drop"}`, `{"event_type":"alert","timestamp":"yesterday"}`} {
		if got, ok := Fast([]byte("x"), []byte(line)); ok || string(got) != "x" {
			t.Errorf("Fast(%q) = %q, %v; want nothing appended, false", line, got, ok)
		}
	}
}

// Suricata's published schema: these members are required of every event, and these types are what readers index.
func TestSchema(t *testing.T) {
	kinds := map[string]string{
		"timestamp": "string", "event_type": "string", "flow_id": "number", "pcap_cnt": "number", "in_iface": "string", "vlan": "array",
		"src_ip": "string", "src_port": "number", "dest_ip": "string", "dest_port": "number", "proto": "string", "ip_v": "number",
		"pkt_src": "string", "app_proto": "string", "tx_id": "number", "direction": "string", "icmp_type": "number", "icmp_code": "number",
		"alert": "object", "drop": "object", "flow": "object", "anomaly": "object", "stats": "object", "tcp": "object",
	}
	for _, frame := range [][]byte{tcp4, tcp4back, udp6, icmp4, arp} {
		p := parsed(frame, 3)
		c := &Context{App: "dns", Tx: 1, Direction: ToClient}
		for _, line := range [][]byte{
			AppendAlert(nil, p, &signature, true, c), AppendDrop(nil, p, nf.DropIDS, &signature, c),
		} {
			var v map[string]any
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatal(err)
			}
			for _, must := range []string{"timestamp", "event_type"} {
				if _, ok := v[must]; !ok {
					t.Errorf("%s is missing in %s", must, line)
				}
			}
			for name, x := range v {
				kind := "object"
				switch x.(type) {
				case string:
					kind = "string"
				case float64:
					kind = "number"
				case []any:
					kind = "array"
				}
				if kinds[name] != kind {
					t.Errorf("member %s is of type %s, the schema says %q", name, kind, kinds[name])
				}
			}
		}
	}
}

func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"": `""`, "plain": `"plain"`, "a\"b\\c": `"a\"b\\c"`, "\r\n\t": `"\r\n\t"`, "\x00\x1f\x7f": `"\u0000\u001f\u007f"`,
		"ü€😀": `"ü€😀"`, "\xff\xc3": `"\\xff\\xc3"`, "a\xed\xa0\x80": `"a\\xed\\xa0\\x80"`, "\ufffd": "\"\ufffd\"", "\u2028": "\"\u2028\"",
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\xffb\x00\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendString(nil, []byte(s))
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if utf8.ValidString(s) && back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}

func TestNothingAllocates(t *testing.T) {
	buf := make([]byte, 0, 4096)
	c := &Context{App: "http", Tx: 1, Members: []byte(`"http":{}`)}
	for _, frame := range [][]byte{tcp4, udp6, icmp4, arp} {
		p := parsed(frame, 1)
		if n := testing.AllocsPerRun(100, func() {
			AppendAlert(buf, p, &signature, true, c)
			AppendDrop(buf, p, nf.DropIDS, &signature, c)
			if p.Kind != packet.NotIP {
				AppendFast(buf, p, &signature, true)
			}
		}); n != 0 {
			t.Errorf("%v allocations a line, want 0", n)
		}
	}
}

func BenchmarkAlert(b *testing.B) {
	buf := make([]byte, 0, 4096)
	p := parsed(tcp4, 1)
	s := signature
	s.Message = strings.Repeat("x", 60)
	b.ReportAllocs()
	for range b.N {
		buf = AppendAlert(buf[:0], p, &s, true, nil)
	}
}
