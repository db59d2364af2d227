package ids

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// TestSegmentation: however a sender cuts, repeats or reorders its segments, rules on streams and transactions find the same.
func TestSegmentation(t *testing.T) {
	tried := 0
	for _, c := range corpusCases(t) {
		if !streamsAlone(t, &c) {
			continue
		}
		tried++
		want := fmt.Sprint(count(replay(t, c.stage, c.capture, 64)))
		for name, change := range map[string]func([]nftest.Packet) []nftest.Packet{"cut": cut, "twice": twice, "swapped": swapped} {
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

// streamsAlone reports whether the case's rules are about streams and transactions, not about packets, and inspected as
// a watcher does: inline, a repeated segment is inspected again.
func streamsAlone(t *testing.T, c *testCase) bool {
	if c.expect.Options.Mode == "ips" || c.expect.Options.StreamInline != nil && *c.expect.Options.StreamInline || len(c.capture) > 1000 {
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
	set := rule.NewSet(rule.DefaultVars(rule.Vars(c.expect.Vars)), nil)
	set.Add("test.rules", c.stage.Files["test.rules"])
	for _, s := range detect.New(set.Rules, detect.Config{Records: 64, Limits: 64}).Signatures() {
		if !s.StreamAlone() || s.Rule.Limit != nil || s.Rule.Filter != nil {
			return false
		}
	}
	return true
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
		for at := 0; at < len(payload); {
			n := min(1+r.IntN(40), len(payload)-at)
			out = append(out, piece(p, &in, at, n, at+n == len(payload)))
			at += n
		}
	}
	return out
}

// piece is the segment p with n bytes of its payload from at.
func piece(p nftest.Packet, in *packet.Info, at, n int, last bool) nftest.Packet {
	right := in.CheckL4(p.Data) != packet.Wrong
	d := append([]byte(nil), p.Data[:in.Payload]...)
	d = append(d, in.Bytes(p.Data)[at:at+n]...)
	tcp := d[in.L4:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(at))
	if !last {
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
