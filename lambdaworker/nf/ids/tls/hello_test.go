package tls

import (
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// TestVersionOfHello: a version counts once its hello could be read.
func TestVersionOfHello(t *testing.T) {
	random := string(make([]byte, 32))
	for _, c := range []struct {
		name, body string
		want       uint16
	}{
		{"whole", "\x03\x03" + random + "\x00\x00\x02\x13\x01\x01\x00", 0x0303},
		{"it supports others", "\x03\x03" + random + "\x00\x00\x02\x13\x01\x01\x00" + "\x00\x0b\x00\x2b\x00\x07\x06\x1a\x1a\x03\x04\x03\x03", 0x0304},
		{"ciphers past the end", "\x03\x03" + random + "\x00\xff\x02\x13\x01\x01\x00", 0},
		{"random cut short", "\x03\x03" + random[:8], 0},
	} {
		p := New(Config{Flows: 1, Arena: arena.New(1 << 16)})
		m := "\x01\x00\x00" + string([]byte{byte(len(c.body))}) + c.body
		p.Feed(0, proto.ToServer, []byte("\x16\x03\x01\x00"+string([]byte{byte(len(m))})+m))
		s := p.State(0)
		if s == nil || s.ClientVersion != c.want || s.RecordVersion[proto.ToServer] != 0x0301 {
			t.Errorf("%s: %+v, want version %#x", c.name, s, c.want)
		}
	}
}
