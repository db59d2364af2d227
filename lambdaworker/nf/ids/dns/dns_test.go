package dns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// question of www.example.com, and a response whose names point back into it.
var (
	query    = []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01")
	response = []byte("\x12\x34\x81\x83\x00\x01\x00\x02\x00\x01\x00\x01\x03www\x07example\x03com\x00\x00\x01\x00\x01" +
		"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03cdn\xc0\x10" +
		"\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04" +
		"\xc0\x10\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x05\x00\x0a\x01m\x00" +
		"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00")
)

func describe(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v op%d rc%d p%d", m.Response, m.Opcode, m.Rcode, m.Problem)
	for s := range NumSections {
		for i := range m.Records(s) {
			r := &m.Records(s)[i]
			fmt.Fprintf(&b, " %d:%s/%d>%s", s, m.Name(r), r.Type, m.Target(r))
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"query", "false op0 rc0 p0 0:www.example.com/1>", query},
		{"response", "true op0 rc19 p0 0:www.example.com/1> 1:www.example.com/5>cdn.example.com 1:cdn.example.com/1> 2:example.com/15>m 3:/41>", response},
		{"pointer to itself", "false op0 rc0 p2", []byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")},
		{"pointer forward", "false op0 rc0 p0 0:a/1>", []byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x12\x00\x01\x00\x01\x01a\x00")},
		{"loop of two", "false op0 rc0 p0 0:" + strings.Repeat("a.", 127) + "a/1>", []byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\xc0\x0c\x00\x01\x00\x01")},
		{"bad authority", "true op0 rc3 p3 0:www.example.com/1> 1:www.example.com/5>cdn.example.com 1:cdn.example.com/1>", response[:80]},
		{"record cut short", "true op0 rc3 p2 0:www.example.com/1> 1:www.example.com/5>cdn.example.com", response[:60]},
		{"opcode 4", "false op4 rc0 p0 0:www.example.com/1>", append([]byte("\x12\x34\x20"), query[3:]...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Message
			if !m.Parse(c.data) {
				t.Fatal("refused")
			}
			if got := describe(&m); got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	var m Message
	if m.Parse(query[:11]) || m.Problem != NotDNS {
		t.Fatal("11 bytes were taken for DNS")
	}
	m.Parse(response)
	var names []string
	for i := 0; ; i++ {
		n, ok := m.ResponseName(i)
		if !ok {
			break
		}
		names = append(names, string(n))
	}
	if got := strings.Join(names, " "); got != "www.example.com www.example.com cdn.example.com cdn.example.com example.com m" {
		t.Fatalf("names of the response: %s", got)
	}
}

// TestStreams cuts three messages in all ways into three pieces, moving the state between them.
func TestStreams(t *testing.T) {
	var wire []byte
	for _, m := range [][]byte{query, response, nil, query} {
		wire = binary.BigEndian.AppendUint16(wire, uint16(len(m)))
		wire = append(wire, m...)
	}
	a := arena.New(1 << 20)
	s := NewStreams(2, a)
	for i := 0; i <= len(wire); i++ {
		for j := i; j <= len(wire); j += 3 {
			var got [][]byte
			for _, p := range [][]byte{wire[:i], wire[i:j], wire[j:]} {
				s.Feed(1, proto.ToServer, p)
				for {
					m, ok := s.Next()
					if !ok {
						break
					}
					got = append(got, bytes.Clone(m))
				}
				if b := s.AppendState(1, nil); len(b) > 0 {
					s.Forget(1)
					if !s.ApplyState(1, b) {
						t.Fatal("state was refused")
					}
				}
			}
			if len(got) != 3 || !bytes.Equal(got[0], query) || !bytes.Equal(got[1], response) || !bytes.Equal(got[2], query) {
				t.Fatalf("cut at %d and %d: %d messages", i, j, len(got))
			}
			if a.Used() != 0 {
				t.Fatalf("cut at %d and %d: %d bytes are kept of nothing", i, j, a.Used())
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var m Message
	s := NewStreams(1, arena.New(1<<20))
	wire := append([]byte{0, byte(len(response))}, response...)
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range [][]byte{wire[:7], wire[7:]} {
			s.Feed(0, proto.ToClient, p)
			for b, ok := s.Next(); ok; b, ok = s.Next() {
				m.Parse(b)
				m.ResponseName(3)
			}
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(query)
	f.Add(response)
	var m Message
	f.Fuzz(func(t *testing.T, b []byte) {
		if !m.Parse(b) && m.Problem == OK {
			t.Fatal("a message is refused and nothing is wrong with it")
		}
		kept, names := 0, 0
		for s := range NumSections {
			if n := len(m.Records(s)); m.Problem != NotDNS && n > int(m.Count[s]) {
				t.Fatalf("section %d has %d records; its header says %d", s, n, m.Count[s])
			}
			for i := range m.Records(s) {
				r := &m.Records(s)[i]
				if r.Section != s || !bytes.Contains(b, m.Data(r)) || len(m.Name(r)) > MaxName || len(m.Target(r)) > MaxName {
					t.Fatalf("record %d of section %d: section %d, data %x, names of %d and %d bytes", i, s, r.Section, m.Data(r), len(m.Name(r)), len(m.Target(r)))
				}
				for _, n := range [][]byte{m.Name(r), m.Target(r)} {
					if len(n) > 0 && m.Response {
						names++
					}
				}
				kept++
			}
		}
		if kept > MaxRecords {
			t.Fatalf("%d records are kept, want at most %d", kept, MaxRecords)
		}
		i := 0
		for ; ; i++ {
			if n, ok := m.ResponseName(i); !ok {
				break
			} else if len(n) == 0 {
				t.Fatalf("name %d of the response is empty", i)
			}
		}
		if i != names {
			t.Fatalf("%d names of the response, want the %d of its records", i, names)
		}
	})
}

func FuzzStreams(f *testing.F) {
	f.Add(append([]byte{0, byte(len(query))}, query...), []byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(5))
	f.Fuzz(func(t *testing.T, b, state []byte, cut uint8) {
		a := arena.New(1 << 20)
		s := NewStreams(1, a)
		s.ApplyState(0, state)
		for len(b) > 0 {
			n := min(int(cut)+1, len(b))
			s.Feed(0, 1, b[:n])
			for _, ok := s.Next(); ok; _, ok = s.Next() {
			}
			b = b[n:]
		}
		s.Forget(0)
		if a.Used() != 0 {
			t.Fatal("leak")
		}
	})
}
