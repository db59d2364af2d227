package tls

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/stream"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// streams returns the bytes of both directions of each TCP flow of a capture that speaks TLS, as a watcher sees them.
func streams(t testing.TB, sub string) (all [][2][]byte) {
	flows := state.NewTable(256, 1<<62, 1)
	tr := stream.New(stream.Config{Flows: 256, Arena: arena.New(16 << 20), Midstream: true})
	got := make([][2][]byte, 256)
	drain := func(flow uint32) {
		var c stream.Chunk
		for d := proto.ToServer; d <= proto.ToClient; d++ {
			for tr.Next(flow, d, &c) {
				got[flow][d] = append(got[flow][d], c.Data...)
			}
		}
	}
	for _, c := range nftest.ReadPCAP(t, filepath.Join(corpus.Larger(t, ""), sub)) {
		data := c.Data
		var in packet.Info
		var k packet.Key
		packet.Parse(data, int(c.Wire), &in)
		var s stream.Segment
		if in.Kind == packet.NotIP || !s.Read(&in, data, in.Key(data, &k), 0) {
			continue
		}
		flow, _ := flows.Get((*[6]uint64)(&k), 0)
		var r stream.Result
		tr.Packet(flow, &s, &r)
		drain(flow)
	}
	flows.Each(func(flow uint32) {
		tr.Flush(flow)
		drain(flow)
		if len(got[flow][0]) > 5 && len(got[flow][1]) > 5 && got[flow][1][0] == 0x16 {
			all = append(all, got[flow])
		}
	})
	return all
}

// describe tells all that the engine can see of flow 1.
func describe(p *Parser) string {
	var b strings.Builder
	s := p.State(1)
	fmt.Fprintf(&b, "%+v\n", *s)
	for d := proto.ToServer; d <= proto.ToClient; d++ {
		for v := range NumBuffers {
			for i := 0; ; i++ {
				x, ok := p.Buffer(1, d, v, i)
				if !ok {
					break
				}
				fmt.Fprintf(&b, "%v %d %q\n", d, v, x)
			}
		}
	}
	return b.String()
}

// value returns the values of a buffer of all TLS flows of a capture, each once.
func values(t *testing.T, capture string, dir proto.Dir, b Buffer) string {
	t.Helper()
	var out []string
	seen := map[string]bool{}
	for _, s := range streams(t, capture) {
		p := New(Config{Flows: 2, Arena: arena.New(1 << 20)})
		p.Feed(1, proto.ToServer, s[0])
		p.Feed(1, proto.ToClient, s[1])
		for i := 0; ; i++ {
			v, ok := p.Buffer(1, dir, b, i)
			if !ok {
				break
			}
			if !seen[string(v)] {
				seen[string(v)] = true
				out = append(out, string(v))
			}
		}
	}
	return strings.Join(out, "|")
}

// TestCorpus compares with what the cases' rules expect, and with tshark's reading of the same captures.
func TestCorpus(t *testing.T) {
	for _, c := range []struct {
		capture string
		dir     proto.Dir
		b       Buffer
		want    string // is contained
	}{
		{"ids/tls__tls-subject/input.pcap", 1, Subject, "C=FR, ST=IDF, L=Paris, O=Stamus, CN=SELKS"},
		{"ids/tls__tls-issuer-zero/input.pcap", 1, Issuer, "C=US, O=Microsoft Corporation, CN=Microsoft RSA TL\x00 CA 01"},
		{"ids/tls__tls-fingerprint-alert/input.pcap", 1, Fingerprint, "90:86:a4:3b:f5:cf:1b:2e:4e:f7:97:96:f9:de:ba:b9:66:35:86:3f"},
		{"ids/tls__tls-cert-noissuer/input.pcap", 1, Subject, "localhost"},
		{"ids/tls__tls-glupteba-mb/input.pcap", 1, SubjectAltName, "server15.xn--j1ahhq.xn--p1ai"},
		{"ids/tls-alpn-log-detect-02/input.pcap", 0, SNI, "icloud"},
		{"ids/tls-alpn-log-detect-02/input.pcap", 0, Version, "1.2"},
		{"ids/tls__tls-subject/input.pcap", 0, JA3Hash, "308b0bd904abbef5e0034a1ff7a78920"},
		{"ids/tls__tls-subject/input.pcap", 0, JA3Hash, "17f35db704ac47c259abb89f8387bbae"},
		{"ids/tls__tls-subject/input.pcap", 1, Serial, "00:97:E6:47:09:8E:EA:C9:B4"},
		{"ids/tls-alpn-log-detect-02/input.pcap", 0, ALPN, "http/1.1"},
		{"ids/tls-alpn-log-detect-02/input.pcap", 1, SubjectAltName, "p142-contacts.icloud.com"},
	} {
		if got := values(t, c.capture, c.dir, c.b); !strings.Contains(got, c.want) {
			t.Errorf("%s: buffer %d is %.300q, want %q in it", c.capture, c.b, got, c.want)
		}
	}
}

// TestSegmentation: any cut of the bytes gives the same, also when the flow moves between any two.
func TestSegmentation(t *testing.T) {
	for _, capture := range []string{"ids/tls__tls-subject/input.pcap", "ids/tls-alpn-log-detect-02/input.pcap", "ids/tls__tls-cert-chain-len/input.pcap"} {
		a := arena.New(1 << 20)
		for _, s := range streams(t, capture) {
			run := func(cut int, move bool) string {
				p := New(Config{Flows: 2, Arena: a})
				for d, b := range s {
					for len(b) > 0 {
						n := min(cut, len(b))
						p.Feed(1, proto.Dir(d), b[:n])
						b = b[n:]
						if move {
							st := p.AppendState(1, nil)
							p.Forget(1)
							q := New(Config{Flows: 2, Arena: a})
							if !q.ApplyState(1, st) || !bytes.Equal(q.AppendState(1, nil), st) {
								t.Fatal("state was refused or changed on its way")
							}
							p = q
						}
					}
				}
				out := describe(p)
				p.Forget(1)
				if a.Used() != 0 {
					t.Fatal("leak")
				}
				return out
			}
			whole := run(1<<20, false)
			for _, cut := range []int{1, 3, 100, 1400} {
				if got := run(cut, cut > 10); got != whole {
					t.Fatalf("%s in pieces of %d:\n%.1000s\nwhole:\n%.1000s", capture, cut, got, whole)
				}
			}
		}
	}
}

// TestValidity reads the dates of a certificate that tshark shows as 2015-02-12 18:07:27 and 2025-02-09 18:07:27.
func TestValidity(t *testing.T) {
	for _, s := range streams(t, "ids/tls__tls-subject/input.pcap") {
		p := New(Config{Flows: 2, Arena: arena.New(1 << 20)})
		p.Feed(1, proto.ToServer, s[0])
		p.Feed(1, proto.ToClient, s[1])
		st := p.State(1)
		if st.Seen&ServerCert == 0 {
			continue // resumed
		}
		if st.NotBefore != 1423764447 || st.NotAfter != 1739124447 || st.Chain != 1 {
			t.Fatalf("%+v", *st)
		}
		return
	}
	t.Fatal("no certificate was seen")
}

// TestFingerprints: the ClientHello of JA4's own description (a browser with GREASE), built by hand.
func TestFingerprints(t *testing.T) {
	var f hello
	f.version, f.supported, f.hasSNI, f.alpn = 0x0303, 0x0304, true, []byte("h2")
	f.ciphers.addAll([]byte("\x1a\x1a\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\xc0\x13\xc0\x14\x00\x9c\x00\x9d\x00\x2f\x00\x35"))
	for _, e := range []uint16{0xdada, 0x001b, 0, 0x33, 0x10, 0x4469, 0x17, 0x2d, 0xd, 5, 0x23, 0x12, 0x2b, 0xff01, 0xb, 0xa, 0x15, 0x4a4a} {
		f.extensions.add(e)
	}
	f.signatures.addAll([]byte("\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01"))
	if got := string(appendJA4(nil, &f)); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Fatalf("JA4 %s", got)
	}
}

func TestNoAllocations(t *testing.T) {
	s := streams(t, "ids/tls-alpn-log-detect-02/input.pcap")[0]
	p := New(Config{Flows: 2, Arena: arena.New(1 << 20)})
	if n := testing.AllocsPerRun(50, func() {
		for d, b := range s {
			for len(b) > 0 {
				k := min(1400, len(b))
				p.Feed(1, proto.Dir(d), b[:k])
				b = b[k:]
			}
		}
		for v := range NumBuffers {
			p.Buffer(1, 0, v, 0)
			p.Buffer(1, 1, v, 1)
		}
		p.Forget(1)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03"), []byte("\x16\x03\x01\x00\x0a\x0b\x00\x00\x06\x00\x00\x03\x00\x00\x00"), []byte{stateVersion, 0}, uint8(3))
	a := arena.New(1 << 20)
	f.Fuzz(func(t *testing.T, x, y, state []byte, cut uint8) {
		p := New(Config{Flows: 2, Arena: a})
		run := func(n int) string {
			for d, b := range [2][]byte{x, y} {
				for len(b) > 0 {
					k := min(n, len(b))
					p.Feed(1, proto.Dir(d), b[:k])
					b = b[k:]
				}
			}
			s := ""
			if p.State(1) != nil {
				s = describe(p)
			}
			p.Forget(1)
			return s
		}
		if whole, parts := run(1<<20), run(int(cut)+1); whole != parts {
			t.Fatalf("whole:\n%s\nparts:\n%s", whole, parts)
		}
		p.ApplyState(1, state)
		run(100)
		if a.Used() != 0 {
			t.Fatal("leak")
		}
	})
}
