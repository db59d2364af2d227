package ids

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// bulk is a TCP connection over which the server sends body in segments of 1460 bytes, an acknowledgement behind every second.
func bulk(request string, body []byte) []nftest.Packet {
	ps := nftest.Connection(client, server, request)
	ps = ps[:len(ps)-3]
	seq, ack := uint32(5001), uint32(1001+len(request))
	at := ps[len(ps)-1].Since
	for i := 0; len(body) > 0; i++ {
		n := min(1460, len(body))
		at += 1000
		ps = append(ps, nftest.TCP(server, client, "P.", string(body[:n])).Outside().Numbers(seq, ack).At(at))
		seq, body = seq+uint32(n), body[n:]
		if i%2 == 1 || len(body) == 0 {
			ps = append(ps, nftest.TCP(client, server, ".", "").Numbers(ack, seq).At(at+500))
		}
	}
	return nftest.Packets(ps...)
}

// TestStateBytes: what the state of a connection costs on the wire for each packet, in both modes. A plain stream's bytes are
// those of packets that the gateway has; inflated ones are not.
func TestStateBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	text := make([]byte, 0, 1<<20)
	for len(text) < 1<<20 {
		text = fmt.Appendf(text, "<p class=%q>line %d of a page, and %x</p>\n", []string{"a", "b"}[rng.IntN(2)], len(text), rng.Uint64())
	}
	noise := make([]byte, 1<<19)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(text)
	w.Close()
	head := func(fields string, n int) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", fields, n)
	}
	for _, c := range []struct {
		name    string
		capture []nftest.Packet
		batch   int
		most    float64
	}{
		{"a stream of no known protocol", bulk("hello", noise), 64, 64},
		{"the same in small batches", bulk("hello", noise), 8, 128},
		{"a page", bulk("GET /x HTTP/1.1\r\n\r\n", append(head("", len(text)), text...)), 64, 64},
		{"a page in small batches", bulk("GET /x HTTP/1.1\r\n\r\n", append(head("", len(text)), text...)), 8, 128},
		{"a page that is compressed", bulk("GET /x HTTP/1.1\r\n\r\n", append(head("Content-Encoding: gzip\r\n", z.Len()), z.Bytes()...)), 64, 1024},
	} {
		for _, mode := range []string{"ids", "ips"} {
			s := stageOf(evasionRules+`alert tcp any any -> any any (content:"not there"; sid:9;)`, "mode: "+mode)
			whole, patched := 0, 0
			p, q := s.Build(t), s.Build(t)
			for i, k := range c.capture {
				if i%c.batch == 0 {
					if i > 0 {
						p.Run()
						q.Run()
						whole += len(p.AppendDelta(nil))
						patched += len(q.AppendChanges(nil))
					}
					p.Start()
					q.Start()
				}
				p.Add(k.Data, k.Wire, k.From, k.Time, 0)
				q.Add(bytes.Clone(k.Data), k.Wire, k.From, k.Time, 0)
			}
			n := float64(len(c.capture))
			t.Logf("%s, mode %s: %.0f bytes a packet, %.0f as whole states", c.name, mode, float64(patched)/n, float64(whole)/n)
			if float64(patched)/n > c.most {
				t.Errorf("%s, mode %s: %.0f bytes a packet, want at most %.0f", c.name, mode, float64(patched)/n, c.most)
			}
		}
	}
}
