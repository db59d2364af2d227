package match

import (
	"encoding/binary"
	"testing"
)

// frame builds a TCP packet 10.0.0.1:1234 -> 192.168.1.2:80 with SYN set.
func frame() []byte {
	f := make([]byte, 74)
	copy(f, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 60})
	f[22], f[23] = 64, 6
	copy(f[26:], []byte{10, 0, 0, 1, 192, 168, 1, 2})
	binary.BigEndian.PutUint16(f[34:], 1234)
	binary.BigEndian.PutUint16(f[36:], 80)
	f[46], f[47] = 0x50, 2
	return f
}

func tagged(f []byte, id byte) []byte {
	out := append([]byte{}, f[:12]...)
	out = append(out, 0x81, 0, 0, id)
	return append(out, f[12:]...)
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		expression string
		frame      []byte
		want       bool
	}{
		{"tcp port 80", frame(), true},
		{"src port 80", frame(), false},
		{"src or dst port 80", frame(), true},
		{"port 53 or 80", frame(), true},
		{"port 53 or 443 or (80 or 81)", frame(), true},
		{"tcp and not (port 80 or 443)", frame(), false},
		{"udp or tcp and port 53", frame(), false}, // equal rank, from the left
		{"net 10", frame(), true},
		{"src net 10.0.0.0/8 and dst host 192.168.1.2", frame(), true},
		{"src and dst net 10.0.0.0/8", frame(), false},
		{"tcp[tcpflags] & tcp-syn != 0", frame(), true},
		{"ip[8] < 5", frame(), false},
		{"ip proto tcp", frame(), true}, // tcpdump wants ip proto \tcp
		{"ether src 02:00:00:00:00:01", frame(), true},
		{"less 74 and greater 74", frame(), true},
		{"port http", frame(), true},
		{"portrange 79-81", frame(), true},
		{"portrange http-https", frame(), true},
		{"ip or ip6", tagged(frame(), 7), false},
		{"ip or (vlan and ip)", tagged(frame(), 7), true},
		{"vlan 7 and tcp port 80", tagged(frame(), 7), true},
		{"vlan 8", tagged(frame(), 7), false},
		{"vlan 8 or ip", tagged(frame(), 7), true}, // ip is looked for behind the tag from `vlan` on
		{"tcp port 80", frame()[:36], false},       // cut short
		{"not tcp port 80", frame()[:36], false},   // no answer is no, also under not
		{"ip", frame()[:14], true},
		{"ip", nil, false},
		{"(((tcp)))", frame(), true},
		{"!!tcp", frame(), true},
		{"1 + 2 * 3 = 7", frame(), true},
		{"len - 14 = ip[2:2]", frame(), true},
		{"ip[0:4294967295 - 4294967294] = 0x45", nil, false},
	} {
		f, err := Compile(c.expression)
		if err != nil {
			if c.frame == nil {
				continue
			}
			t.Errorf("%q: %v at %d", c.expression, err, err.Offset)
			continue
		}
		if got := f.Match(c.frame, uint32(len(c.frame))); got != c.want {
			t.Errorf("%q: %v, want %v", c.expression, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		expression string
		offset     int
		message    string
	}{
		{"80", 0, "found \"80\" with nothing that says what it is; expected a primitive, such as `port 80`"},
		{"ip or 80", 6, "found \"80\" with nothing that says what it is; expected a primitive, such as `port 80`"},
		{"10.0.0.1", 0, "found \"10.0.0.1\" with nothing that says what it is; expected a primitive, such as `host 10.0.0.1`"},
		{"tcp 80", 4, "found \"80\" behind \"tcp\"; expected port, host, net, src, dst or proto before it"},
		{"ip and", 6, "found the end of the expression; expected a primitive, such as `host 10.0.0.1`, `tcp port 80` or `net 10.0.0.0/8`"},
		{"(ip", 3, "found the end of the expression; expected `)` for the `(` before it"},
		{"ip)", 2, "found \")\"; expected `and`, `or` or the end of the expression"},
		{"ip tcp", 3, "found \"tcp\"; expected `and`, `or` or the end of the expression"},
		{"host example.com", 5, "found the name \"example.com\"; expected an address: names are not looked up, since what they mean may change while flows run"},
		{"host 10.0.0.0/8", 5, "found a prefix behind `host`; expected `net` before it"},
		{"net 10.1.0.0/8", 4, "found bits beyond the mask in \"10.1.0.0\"; expected 10.0.0.0"},
		{"net 10.0.0.0/33", 13, "found the prefix length \"33\"; expected 0 to 32"},
		{"net 2001:db8::1/32", 4, "found bits beyond the prefix in \"2001:db8::1\"; expected 2001:db8::"},
		{"host 10.0.0.256", 5, "found \"10.0.0.256\"; expected four numbers of 0 to 255 with dots between"},
		{"tcp host 10.0.0.1", 9, "found \"10.0.0.1\" behind \"tcp\"; expected \"ip\", or nothing, before an address: write `tcp and host 10.0.0.1`"},
		{"ip6 host 10.0.0.1", 9, "found \"10.0.0.1\" behind \"ip6\"; expected \"ip\", or nothing, before an address: write `ip6 and host 10.0.0.1`"},
		{"ether host 10.0.0.1", 11, "found \"10.0.0.1\" behind `ether`; expected an Ethernet address, such as 02:00:00:00:00:01"},
		{"host 02:00:00:00:00:01", 5, "found the Ethernet address \"02:00:00:00:00:01\"; expected `ether host`, `ether src` or `ether dst` before it"},
		{"port 65536", 5, "found the port 65536; expected 0 to 65535"},
		{"udp port http", 9, "found \"http\" behind \"udp\", but the service is one of tcp; write the number"},
		{"ip port 80", 8, "found a port behind \"ip\"; expected tcp, udp, sctp or nothing before it"},
		{"portrange 80", 12, ""},
		{"portrange 80-x", 10, "found \"80-x\"; expected a range of ports, such as 1000-2000"},
		{"gateway gw", 0, "\"gateway\" is not understood: it needs names of hosts to be looked up; write `ether host MAC and not host ADDRESS`"},
		{"src gateway gw", 4, "\"gateway\" is not understood: it needs names of hosts to be looked up; write `ether host MAC and not host ADDRESS`"},
		{"mpls", 0, "\"mpls\" is not understood: a frame is matched by its IP header, whatever labels stand before it"},
		{"ip broadcast", 3, "found \"broadcast\" behind \"ip\"; expected `ether broadcast`: which IP addresses are broadcasts depends on a mask that the gateway does not have"},
		{"ether", 0, "\"ether\" alone says nothing; expected `ether host MAC`, `ether proto TYPE` or `ether[OFFSET]`"},
		{"ether proto 100", 12, "found the Ethernet type \"100\"; expected more than 1500: frames of the older, length-counted kind never reach a chain"},
		{"proto 256", 6, "found the protocol \"256\"; expected 0 to 255"},
		{"vlan 4096", 5, "found the VLAN \"4096\"; expected 0 to 4095"},
		{"less many", 5, "found \"many\" behind \"less\"; expected a length in bytes"},
		{"tcp[13", 6, "found the end of the expression; expected `]` for the `[` before it"},
		{"tcp[13]", 7, "found the end of the expression behind a value; expected = != < > <= or >="},
		{"tcp[13:3] = 1", 7, "found the size \"3\"; expected 1, 2 or 4 bytes"},
		{"tcp[x] = 1", 4, "found \"x\"; expected a number, len, or bytes of a header, such as tcp[13]"},
		{"ah[0] = 1", 2, "bytes of \"ah\" can't be read; expected ether, ip, ip6, tcp, udp, icmp, icmp6 or their like"},
		{"len / 0 = 1", 4, "found a division by zero; expected another divisor"},
		{"1 << 32 = 1", 2, "found a shift by 32; expected 0 to 31"},
		{"ip @ tcp", 3, "found '@'; expected a word, a number, an address or an operator"},
		{"foo", 0, "found \"foo\" with nothing that says what it is; expected a primitive, such as `host foo`"},
	} {
		_, err := Compile(c.expression)
		switch {
		case c.message == "":
			if err != nil {
				t.Errorf("%q: %v; tcpdump takes it", c.expression, err)
			}
		case err == nil:
			t.Errorf("%q was taken, want %s", c.expression, c.message)
		case err.Message != c.message || err.Offset != c.offset:
			t.Errorf("%q at %d:\n%s\nwant at %d:\n%s", c.expression, err.Offset, err.Message, c.offset, c.message)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	f, err := Compile("(vlan and tcp[13] & 2 != 0) or host 10.0.0.1 or net 2001:db8::/32 or (tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420) or portrange 1-80")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{frame(), tagged(frame(), 1), nil} {
		if n := testing.AllocsPerRun(100, func() { f.Match(p, 74) }); n != 0 {
			t.Errorf("asking allocates %v times", n)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, e := range oracleExpressions {
		f.Add(e, frame())
	}
	f.Fuzz(func(t *testing.T, expression string, packet []byte) {
		filter, err := Compile(expression)
		if err != nil {
			if err.Offset < 0 || err.Offset > len(expression) || err.Message == "" {
				t.Fatalf("%q: %+v", expression, err)
			}
			return
		}
		filter.Match(packet, uint32(len(packet)))
	})
}

func BenchmarkMatch(b *testing.B) {
	f, err := Compile("ip or ip6 and not (port 22 or port 3389)")
	if err != nil {
		b.Fatal(err)
	}
	p := frame()
	for b.Loop() {
		f.Match(p, 74)
	}
}
