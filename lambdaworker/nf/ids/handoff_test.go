package ids

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// TestHandOffOfCorpus: cut at every k-th packet, with the state moved into a fresh instance, a capture gives the events of one
// instance that saw it all.
func TestHandOffOfCorpus(t *testing.T) {
	for _, c := range corpusCases(t) {
		if len(c.capture) > 400 && c.name != "decode-sll2-02" {
			continue // hundreds of instances each
		}
		// Many instances are made: small ones.
		c.stage.Flows = 128
		c.stage.NFs[0] = strings.Replace(c.stage.NFs[0], "{", `{"memory":4,`, 1)
		t.Run(c.name, func(t *testing.T) {
			want := play(c.stage.Build(t), c.capture, 1)
			for _, k := range []int{1 + len(c.capture)/30, 3 + len(c.capture)/15} {
				if got := moved(t, c.stage, c.capture, k); got != want {
					t.Errorf("cut every %d packets:\n%s\nwant\n%s", k, got, want)
				}
			}
		})
	}
}

func moved(t *testing.T, s nftest.Stage, capture []nftest.Packet, k int) string {
	t.Helper()
	var out strings.Builder
	now := int64(0)
	var state []byte // the deltas of every batch: what the gateway's replica is made from
	p := s.Build(t)
	take := func(b *nf.Batch) {
		lines, _ := b.Events.Take()
		out.Write(lines)
	}
	for i, c := range capture {
		if i > 0 && i%k == 0 {
			p = s.Build(t)
			if err := p.ApplyDelta(state); err != nil {
				t.Fatalf("before packet %d: %v", i+1, err)
			}
		}
		p.Start()
		p.Add(append([]byte(nil), c.Data...), c.Wire, nf.Inside, c.Time, uint64(i+1))
		take(p.Run())
		state = p.AppendDelta(state)
		now = max(now, c.Time)
	}
	take(p.Flush(now))
	return out.String()
}

// TestHandOffOfThresholds: what a threshold counted moves, by snapshot and by deltas, with the counters.
func TestHandOffOfThresholds(t *testing.T) {
	rules := `alert udp any any -> any 53 (msg:"a"; threshold:type threshold, track by_src, count 3, seconds 60; sid:1;)
alert udp any any -> any 53 (msg:"b"; detection_filter:track by_dst, count 4, seconds 60; sid:2;)
alert udp any any -> any 53 (msg:"c"; threshold:type limit, track by_rule, count 2, seconds 5; sid:3;)
`
	var ps []nftest.P
	for i := range 40 {
		ps = append(ps, nftest.UDP(fmt.Sprintf("10.0.0.%d:1000", 1+i%3), "192.0.2.1:53", "payload"))
	}
	nftest.HandOff(t, nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 4}"}, Files: map[string]string{"r": rules}, Flows: 128}, nftest.Packets(ps...), "memory_used")
}

// TestHandOffOfFragments: datagrams that wait for fragments move, be they of the same two hosts, of both IP versions, or
// pieces of a TCP segment.
func TestHandOffOfFragments(t *testing.T) {
	rules := `alert udp any any -> any any (msg:"udp"; content:"begin"; content:"over the cut"; content:"end"; sid:1;)
alert tcp any any -> any any (msg:"tcp"; flow:established,to_server; content:"over the cut"; sid:2;)
`
	text := "begin " + strings.Repeat("x", 90) + " over the cut " + strings.Repeat("y", 90) + " end"
	var parts [][]nftest.Packet
	for i := range 12 {
		src, dst := fmt.Sprintf("10.0.0.%d:1000", 1+i%3), "192.0.2.1:53"
		if i%2 == 1 {
			src, dst = fmt.Sprintf("[2001:db8::%d]:1000", 1+i%3), "[2001:db8:1::1]:53"
		}
		parts = append(parts, pieces(nftest.UDP(src, dst, text).Packet(), uint32(100+i)))
	}
	conn := nftest.Packets(nftest.Connection("10.0.0.9:4000", "192.0.2.1:80", text)...)
	capture := slices.Clone(conn[:3])
	parts = append(parts, pieces(conn[3], 900))
	for left := true; left; { // a piece of each in turn, the last pieces first
		left = false
		for i, p := range parts {
			if len(p) > 0 {
				capture, parts[i], left = append(capture, p[len(p)-1]), p[:len(p)-1], true
			}
		}
	}
	capture = append(capture, conn[4:]...)
	for i := range capture {
		capture[i].Time = conn[0].Time + int64(i)*1e6
	}
	s := nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 2}"}, Files: map[string]string{"r": rules}, Flows: 64}
	if got := count(replay(t, s, capture, 16)); got["1"] != 12 || got["2"] != 1 {
		t.Fatalf("alerts by sid: %v, want 12 of 1 and 1 of 2", got)
	}
	nftest.HandOff(t, s, capture, "memory_used")
}

// pieces are fragments of 40 bytes of a packet.
func pieces(p nftest.Packet, id uint32) (all []nftest.Packet) {
	var in packet.Info
	packet.Parse(p.Data, int(p.Wire), &in)
	data := p.Data[in.L4:in.End]
	for at := 0; at < len(data); at += 40 {
		n := min(40, len(data)-at)
		more := at+n < len(data)
		d := slices.Clone(p.Data[:in.L4])
		if in.Kind == packet.IPv4 {
			h := packet.IPv4Header(d[in.L3:])
			binary.BigEndian.PutUint16(h[4:], uint16(id))
			binary.BigEndian.PutUint16(h[6:], uint16(at/8))
			if more {
				h[6] |= 0x20
			}
			h.SetTotalLen(20 + n)
			h.SetChecksum()
		} else {
			f := []byte{d[in.L3+6], 0, byte(at >> 8), byte(at), 0, 0, 0, 0}
			if more {
				f[3] |= 1
			}
			binary.BigEndian.PutUint32(f[4:], id)
			d[in.L3+6] = packet.ProtoFragment
			binary.BigEndian.PutUint16(d[in.L3+4:], uint16(8+n))
			d = append(d, f...)
		}
		d = append(d, data[at:at+n]...)
		all = append(all, nftest.Packet{Data: d, Wire: uint32(len(d)), From: p.From, Time: p.Time})
	}
	return all
}

// FuzzApplyFlow: bytes that no instance wrote give an error and no panic, and what was taken is given again.
func FuzzApplyFlow(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Add(slices.Concat([]byte{0, 0x80, 1}, make([]byte, 63)))
	n := instance(f, `alert http any any -> any any (http.uri; content:"x"; sid:1;)`, "memory: 1", 16)
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = n.ApplyFlow(3, data)
		if err := n.ApplyFlow(4, n.AppendFlow(nil, 3)); err != nil {
			t.Fatalf("what was appended is refused: %v", err)
		}
		n.ForgetFlow(3)
		n.ForgetFlow(4)
		_ = n.ApplyShared(data)
	})
}

// optionsText is options as YAML text, for tests that need the instance itself.
type optionsText string

func (o optionsText) Decode(v any) error { return yaml.Unmarshal([]byte(o), v) }

func (o optionsText) Pos(string) (string, int, int) { return "test.yaml", 1, 1 }

// instance makes a function without a pipeline.
func instance(t testing.TB, rules, more string, flows int) *IDS {
	t.Helper()
	o := "rules: [r]\n" + more
	f, err := New(nf.Setup{Options: optionsText(o), Flows: state.NewTable(flows, 1<<40, 1), Open: func(string) ([]byte, error) { return []byte(rules), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*IDS)
}
