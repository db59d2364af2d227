package http

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
	flowstate "github.com/granule-nf/granule/lambdaworker/state"
)

// corpus returns the folder of the test corpora, or skips.
func corpus(t testing.TB, sub string) string {
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	dir = filepath.Join(dir, sub)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus at %s; set GRANULE_CORPUS", dir)
	}
	return dir
}

// frames calls f for each frame of a classic capture file.
func frames(t testing.TB, file string, f func(data []byte, wire int, time int64)) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o binary.ByteOrder = binary.LittleEndian
	if len(b) > 24 && b[0] == 0xa1 {
		o = binary.BigEndian
	}
	raw := o.Uint32(b[20:]) != 1 // no link header: the tests give it one
	for b = b[24:]; len(b) >= 16; {
		n := int(o.Uint32(b[8:]))
		if 16+n > len(b) {
			return
		}
		data := b[16 : 16+n]
		wire := int(o.Uint32(b[12:]))
		if raw && n > 0 {
			link := []byte{12: 8, 13: 0}
			if data[0]>>4 == 6 {
				link[12], link[13] = 0x86, 0xdd
			}
			data, wire = append(link, data...), wire+14
		}
		f(data, wire, int64(o.Uint32(b))*1e9+int64(o.Uint32(b[4:]))*1e3)
		b = b[16+n:]
	}
}

// capture runs a capture through the stream tracker and a parser.
func capture(t testing.TB, file string, cfg Config, inline, midstream bool) *Parser {
	a := arena.New(32 << 20)
	flows := flowstate.NewTable(512, 1<<62, 1)
	tr := stream.New(stream.Config{Flows: 512, Arena: a, Inline: inline, Midstream: midstream})
	cfg.Flows, cfg.Arena, cfg.Inline = 512, a, inline
	p := New(cfg)
	det := make([]proto.Detector, 512)
	drain := func(flow uint32, dir proto.Dir, k *packet.Key) {
		var c stream.Chunk
		for tr.Next(flow, dir, &c) {
			switch {
			case c.Gap > 0:
				p.Gap(flow, dir, c.Gap)
			case c.End:
				p.Close(flow, dir)
			default:
				if det[flow].TCP(dir, c.Data, uint16(k[4]>>48), uint16(k[4]>>32)) == proto.HTTP {
					for d := proto.ToServer; d <= proto.ToClient; d++ {
						if b := det[flow].Pending(d); len(b) > 0 {
							p.Feed(flow, d, b)
							det[flow].Given(d)
						}
					}
					p.Feed(flow, dir, c.Data)
				}
			}
		}
	}
	frames(t, file, func(data []byte, wire int, time int64) {
		var in packet.Info
		var k packet.Key
		packet.Parse(data, wire, &in)
		if in.Kind == packet.NotIP || in.Proto != packet.ProtoTCP {
			return
		}
		rev := in.Key(data, &k)
		var s stream.Segment
		if !s.Read(&in, data, rev, time) {
			return
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
	})
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
	dirs, _ := filepath.Glob(filepath.Join(corpus(t, "ids"), "http-evader*"))
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
