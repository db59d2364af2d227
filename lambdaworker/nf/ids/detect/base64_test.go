package detect

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

func TestDecodeBase64(t *testing.T) {
	for _, c := range []struct {
		data string
		b    rule.Base64
		want string
	}{
		{"Zm9vYmFy", rule.Base64{}, "foobar"},
		{"Zm9vYg==", rule.Base64{}, "foob"},
		{"Zm9vYg", rule.Base64{}, "foob"},
		{"Zm9vY", rule.Base64{}, "foo"},
		{"Zm 9v", rule.Base64{}, "f"}, // a byte that doesn't belong there ends the data
		{"Zm 9v Ym Fy", rule.Base64{Mode: rule.RFC2045}, "foobar"},
		{"Zm 9v", rule.Base64{Mode: rule.StrictBase64}, ""},
		{"Zm9vYg==", rule.Base64{Mode: rule.StrictBase64}, "foob"},
		{"x=Zm9vYmFy", rule.Base64{Offset: 2, Bytes: 4}, "foo"},
		{"Zm9v", rule.Base64{Offset: 4}, ""},
		{"", rule.Base64{}, ""},
	} {
		if got := string(decodeBase64(make([]byte, 0, 64), []byte(c.data), c.b)); got != c.want {
			t.Errorf("%q %+v: %q, want %q", c.data, c.b, got, c.want)
		}
	}
	long := base64.StdEncoding.EncodeToString(make([]byte, 100))
	if got := decodeBase64(make([]byte, 0, 10), []byte(long), rule.Base64{}); len(got) != 10 {
		t.Errorf("%d bytes in a room of 10", len(got))
	}
}

// TestBase64Rules: base64_decode counts from the match before it, base64_data is a buffer of its own.
func TestBase64Rules(t *testing.T) {
	e := engine(t, `alert udp any any -> any any (content:"k="; base64_decode:relative; base64_data; content:"bar"; offset:3; sid:1;)
alert udp any any -> any any (base64_decode:bytes 8, offset 8; base64_data; content:"foobar"; bsize:6; sid:2;)
alert udp any any -> any any (content:"k="; base64_decode:bytes 4, relative; base64_data; content:"bar"; sid:3;)
alert udp any any -> any any (content:"k="; base64_decode:relative; base64_data; pcre:"/^fo+bar$/"; pkt_data; content:"end"; endswith; sid:4;)
alert udp any any -> any any (content:"k="; base64_decode:relative; base64_data; content:!"foo"; sid:5;)
alert udp any any -> any any (content:"="; base64_decode:relative; base64_data; content:"foobar"; sid:6;)`)
	p := datagram([]byte("a=%;%;k=Zm9vYmFy;end"))
	if got := e.sids(p); !slices.Equal(got, []uint32{1, 2, 4, 6}) {
		t.Errorf("%v", got)
	}
	if n := testing.AllocsPerRun(50, func() { e.Packet(p); var o Outcome; e.Finish(p, 0, &o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	set := rule.NewSet(rule.DefaultVars(rule.Vars{}), nil)
	set.Add("test", `alert udp any any -> any any (base64_data; content:"a"; sid:1;)
alert udp any any -> any any (base64_decode:bytes 0; base64_data; content:"a"; sid:2;)
alert udp any any -> any any (base64_decode; base64_data; base64_decode; base64_data; content:"a"; sid:3;)`)
	if len(set.Problems) != 3 || len(set.Rules) != 0 {
		t.Errorf("%d rules, %+v", len(set.Rules), set.Problems)
	}
}
