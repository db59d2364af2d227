package http

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	flowstate "github.com/granule-nf/granule/lambdaworker/state"
)

// capture runs a capture through the stream tracker and a parser.
func capture(t testing.TB, file string, cfg Config, inline, midstream bool) *Parser {
	a := arena.New(32 << 20)
	flows := flowstate.NewTable(512, 1<<62, 1)
	tr := stream.New(stream.Config{Flows: 512, Arena: a, Inline: inline, Midstream: midstream})
	cfg.Flows, cfg.Arena, cfg.Inline = 512, a, inline
	p := New(cfg)
	det := make([]proto.Detector, 512)
	var drain func(flow uint32, dir proto.Dir, k *packet.Key)
	drain = func(flow uint32, dir proto.Dir, k *packet.Key) {
		var c stream.Chunk
		for tr.Next(flow, dir, &c) {
			switch {
			case c.Gap > 0:
				p.Gap(flow, dir, c.Gap)
			case c.End:
				p.Close(flow, dir)
			default:
				left, was := 0, det[flow].Proto
				switch det[flow].TCP(dir, c.Data, uint16(k[4]>>48), uint16(k[4]>>32)) {
				case proto.HTTP:
					if was == proto.Unknown {
						drain(flow, dir.Opposite(), k)
					}
					left = p.Feed(flow, dir, c.Data)
				case proto.Unknown:
					left = len(c.Data)
				}
				if left > 0 {
					tr.Unread(flow, dir, left)
					return
				}
			}
		}
	}
	for _, c := range nftest.ReadPCAP(t, file) {
		data, time := c.Data, c.Time
		var in packet.Info
		var k packet.Key
		packet.Parse(data, int(c.Wire), &in)
		if in.Kind == packet.NotIP || in.Proto != packet.ProtoTCP {
			continue
		}
		rev := in.Key(data, &k)
		var s stream.Segment
		if !s.Read(&in, data, rev, time) {
			continue
		}
		flow, _ := flows.Get((*[6]uint64)(&k), time)
		var r stream.Result
		tr.Packet(flow, &s, &r)
		if r.New {
			p.Forget(flow)
			det[flow] = proto.Detector{}
		}
		drain(flow, r.Dir.Opposite(), &k)
		drain(flow, r.Dir, &k)
	}
	flows.Each(func(flow uint32) {
		tr.Flush(flow)
		k := packet.Key(*flows.Key(flow))
		drain(flow, proto.ToServer, &k)
		drain(flow, proto.ToClient, &k)
	})
	return p
}

// TestEvader: whatever a server does to hide it, the test file is seen as a browser would.
func TestEvader(t *testing.T) {
	dirs, _ := filepath.Glob(filepath.Join(corpus.Larger(t, "ids"), "http-evader*"))
	if len(dirs) == 0 {
		t.Fatal("no cases")
	}
	for _, d := range dirs {
		t.Run(filepath.Base(d), func(t *testing.T) {
			p := capture(t, filepath.Join(d, "input.pcap"), Config{DecompressLayers: 3}, false, false)
			var seen strings.Builder
			for i := range p.txs {
				b, _ := p.Buffer(&p.txs[i], proto.ToClient, FileData)
				if bytes.Contains(b, []byte("EICAR-STANDARD-ANTIVIRUS-TEST-FILE")) && bytes.Contains(b, []byte("X5O!P%@AP[4")) {
					return
				}
				seen.WriteString(string(p.arena.Bytes(p.txs[i].side[1].head)) + "|" + string(b) + "\n")
			}
			t.Fatalf("not seen in %d transactions: %.600q", len(p.txs), seen.String())
		})
	}
}
