package ids

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// changes are what a sender may do to its segments without its receiver's seeing another stream.
var changes = map[string]func([]nftest.Packet) []nftest.Packet{"cut": cut, "twice": twice, "swapped": swapped}

// TestSegmentation: however a sender cuts, repeats or reorders its segments, rules on streams and transactions find the same.
func TestSegmentation(t *testing.T) {
	tried := 0
	for _, c := range corpusCases(t) {
		if c.inline() || !streamsAlone(&c) {
			continue
		}
		tried++
		want := fmt.Sprint(count(replay(t, c.stage, c.capture, 64)))
		for name, change := range changes {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				if got := fmt.Sprint(count(replay(t, c.stage, change(c.capture), 64))); got != want {
					t.Errorf("alerts by sid: %s, untouched: %s", got, want)
				}
			})
		}
	}
	if tried < 45 {
		t.Errorf("only %d cases were tried", tried)
	}
}

// TestSegmentationInline: inspected as they arrive, segments cut, repeated or reordered give alerts of the same rules: those on
// transactions as often; those on the bare stream at least once for each time before, for each packet that adds
// to the bytes around a match is judged by them again.
func TestSegmentationInline(t *testing.T) {
	tried := 0
	for _, c := range corpusCases(t) {
		if !c.inline() || !streamsAlone(&c) {
			continue
		}
		tried++
		bare := map[string]bool{}
		for _, s := range signatures(&c) {
			if s.Type != detect.OfTx {
				bare[fmt.Sprint(s.Rule.SID)] = true
			}
		}
		want := count(replay(t, c.stage, c.capture, 64))
		for name, change := range changes {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				got := count(replay(t, c.stage, change(c.capture), 64))
				for sid, n := range want {
					if got[sid] < n || got[sid] > n && !bare[sid] {
						t.Errorf("sid %s: %d alerts, untouched: %d", sid, got[sid], n)
					}
				}
				for sid, n := range got {
					if want[sid] == 0 {
						t.Errorf("sid %s: %d alerts, untouched: none", sid, n)
					}
				}
			})
		}
	}
	if tried < 30 {
		t.Errorf("only %d cases were tried", tried)
	}
}

// TestSegmentationDrops: with drop (or reject) in place of alert, inline, the same flows are dropped however their segments come,
// and nothing of a flow passes after the packet that completed the match.
func TestSegmentationDrops(t *testing.T) {
	tried, hit := 0, 0
	for _, c := range corpusCases(t) {
		if o := c.expect.Options; o.StreamInline != nil && !*o.StreamInline || !streamsAlone(&c) {
			continue
		}
		action := []string{"drop ", "reject "}[tried%2]
		tried++
		c.stage.Flows = 128
		c.stage.NFs[0] = regexp.MustCompile(`"mode":"\w*"`).ReplaceAllString(c.stage.NFs[0], `"mode":"ips","memory":4`)
		c.stage.Files = map[string]string{"test.rules": regexp.MustCompile(`(?m)^alert `).ReplaceAllString(c.stage.Files["test.rules"], action)}
		want := droppedFlows(t, c.stage, c.capture)
		if want != "" {
			hit++
		}
		name := []string{"twice", "swapped"}[tried/2%2] // in turns, and swapped cuts as well: many instances are made
		t.Run(c.name+"/"+action+name, func(t *testing.T) {
			if got := droppedFlows(t, c.stage, changes[name](c.capture)); got != want {
				t.Errorf("flows dropped: %q, untouched: %q", got, want)
			}
		})
	}
	t.Logf("%d cases, %d with drops", tried, hit)
	if tried < 75 || hit < 50 {
		t.Errorf("only %d cases were tried, %d with drops", tried, hit)
	}
}

// droppedFlows returns the flows of which packets were dropped, and fails where one passes behind the drop of its flow.
func droppedFlows(t *testing.T, s nftest.Stage, capture []nftest.Packet) string {
	t.Helper()
	p := s.Build(t)
	dropped := map[packet.Key]bool{}
	for i, c := range capture {
		p.Start()
		p.Add(append([]byte(nil), c.Data...), c.Wire, c.From, c.Time, uint64(i+1))
		b := p.Run()
		b.Events.Take()
		k := b.Packets[0].Key
		if b.Verdicts[0] != nf.Pass {
			dropped[k] = true
		} else if dropped[k] {
			t.Errorf("packet %d passes, its flow was dropped before", i+1)
		}
	}
	var all []string
	for k := range dropped {
		all = append(all, fmt.Sprint(k))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// inline reports whether the case wants streams inspected as they arrive.
func (c *testCase) inline() bool {
	o := c.expect.Options
	return o.Mode == "ips" || o.StreamInline != nil && *o.StreamInline
}

// streamsAlone reports whether the case's rules are about streams and transactions, not about packets, and its packets are TCP.
func streamsAlone(c *testCase) bool {
	if len(c.capture) > 1000 {
		return false
	}
	for _, p := range c.capture {
		var in packet.Info
		packet.Parse(p.Data, int(p.Wire), &in)
		// Data of a SYN is a stream's only with TCP fast open, whose option a cut segment would lack.
		if in.Proto != packet.ProtoTCP || in.Frag || in.TCPFlags&packet.SYN != 0 && in.PayloadLen() > 0 {
			return false
		}
	}
	for _, s := range signatures(c) {
		if !s.StreamAlone() || s.Rule.Limit != nil || s.Rule.Filter != nil {
			return false
		}
	}
	return true
}

// signatures compiles the case's rules.
func signatures(c *testCase) []*detect.Signature {
	set := rule.NewSet(rule.DefaultVars(rule.Vars(c.expect.Vars)), nil)
	set.Add("test.rules", c.stage.Files["test.rules"])
	return detect.New(set.Rules, detect.Config{Records: 64, Limits: 64}).Signatures()
}

// cut sends each payload in pieces of 1 to 40 bytes.
func cut(capture []nftest.Packet) (out []nftest.Packet) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, p := range capture {
		var in packet.Info
		packet.Parse(p.Data, int(p.Wire), &in)
		payload := in.Bytes(p.Data)
		if len(payload) < 2 || len(payload) != in.PayloadLen() {
			out = append(out, p)
			continue
		}
		right := in.CheckL4(p.Data) != packet.Wrong
		for at := 0; at < len(payload); {
			n := min(1+r.IntN(40), len(payload)-at)
			out = append(out, piece(p, &in, at, n, right))
			at += n
		}
	}
	return out
}

// piece is the segment p with n bytes of its payload from at; its checksum is as right as that of p.
func piece(p nftest.Packet, in *packet.Info, at, n int, right bool) nftest.Packet {
	d := append([]byte(nil), p.Data[:in.Payload]...)
	d = append(d, in.Bytes(p.Data)[at:at+n]...)
	tcp := d[in.L4:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(at))
	if at+n < in.PayloadLen() {
		tcp[13] &^= packet.FIN | packet.PSH
	}
	if in.Kind == packet.IPv4 {
		packet.IPv4Header(d[in.L3:]).SetTotalLen(len(d) - int(in.L3))
		packet.IPv4Header(d[in.L3:]).SetChecksum()
	} else {
		binary.BigEndian.PutUint16(d[in.L3+4:], uint16(len(d)-int(in.L3)-40))
	}
	packet.TCPHeader(tcp).SetChecksum(in.Src(d), in.Dst(d))
	if !right {
		tcp[16] ^= 0xff
	}
	p.Data, p.Wire = d, uint32(len(d))
	return p
}

// twice sends every segment with data two times.
func twice(capture []nftest.Packet) (out []nftest.Packet) {
	for _, p := range capture {
		var in packet.Info
		packet.Parse(p.Data, int(p.Wire), &in)
		out = append(out, p)
		if in.PayloadLen() > 0 && in.TCPFlags&(packet.SYN|packet.FIN|packet.RST) == 0 {
			out = append(out, p)
		}
	}
	return out
}

// swapped lets segments with data that follow each other in one direction overtake.
func swapped(capture []nftest.Packet) []nftest.Packet {
	out := cut(capture)
	for i := 1; i+1 < len(out); i += 2 {
		var a, b packet.Info
		packet.Parse(out[i].Data, int(out[i].Wire), &a)
		packet.Parse(out[i+1].Data, int(out[i+1].Wire), &b)
		if a.PayloadLen() > 0 && b.PayloadLen() > 0 && (a.TCPFlags|b.TCPFlags)&(packet.SYN|packet.FIN|packet.RST) == 0 && string(a.Src(out[i].Data)) == string(b.Src(out[i+1].Data)) &&
			a.SrcPort == b.SrcPort && a.DstPort == b.DstPort && i > 3 {
			out[i], out[i+1] = out[i+1], out[i]
		}
	}
	return out
}
