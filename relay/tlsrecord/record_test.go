package tlsrecord

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

var suites = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// pair returns the sender of one direction and the receiver at its other end.
func pair(t testing.TB, suite uint16) (*Sealer, *Opener) {
	t.Helper()
	secret := make([]byte, 48)
	if suite != tls.TLS_AES_256_GCM_SHA384 {
		secret = secret[:32]
	}
	rand.Read(secret)
	a, err := newHalf(suite, secret)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newHalf(suite, secret)
	if err != nil {
		t.Fatal(err)
	}
	return &Sealer{half: a}, &Opener{half: b}
}

func TestEverySuiteAndSize(t *testing.T) {
	for _, suite := range suites {
		s, o := pair(t, suite)
		in := NewInbox(o, 1<<20, 0)
		for _, n := range []int{0, 1, 15, 16, 17, 1400, maxPlain - 1, maxPlain, maxPlain + 1, 3*maxPlain + 5} {
			for _, spare := range []int{0, 1} {
				data := make([]byte, n+spare)
				rand.Read(data)
				before := bytes.Clone(data)
				out := s.Append(nil, data[:n])
				if !bytes.Equal(data, before) {
					t.Fatalf("%s: what was sealed has changed", tls.CipherSuiteName(suite))
				}
				if len(out) > n+Overhead(n) {
					t.Errorf("%d bytes became %d, Overhead says %d", n, len(out), Overhead(n))
				}
				var got []byte
				for len(out) > 0 { // in the pieces that the inbox has room for
					took := copy(in.Space(), out)
					out = out[took:]
					if fault := in.Filled(took); fault != FaultNone {
						t.Fatalf("%s, %d bytes: %v", tls.CipherSuiteName(suite), n, fault)
					}
					got = append(got, in.Bytes()...)
					in.Consume(len(in.Bytes()))
				}
				if !bytes.Equal(got, before[:n]) {
					t.Errorf("%s: %d bytes came back as %d others", tls.CipherSuiteName(suite), n, len(got))
				}
			}
		}
		if fault := feed(in, s.Close(nil)); fault != FaultClosed {
			t.Errorf("close_notify: %v", fault)
		}
	}
}

func feed(in *Inbox, b []byte) Fault { return in.Filled(copy(in.Space(), b)) }

func TestPlainPassesThrough(t *testing.T) {
	p := Plain()
	in := NewInbox(p.Open, 100, 0)
	out := p.Seal.Append([]byte("a"), []byte("b"))
	if out = p.Seal.Close(out); string(out) != "ab" {
		t.Errorf("sealed as %q", out)
	}
	if fault := feed(in, out); fault != FaultNone || string(in.Bytes()) != "ab" || in.Received() != 2 {
		t.Errorf("%v, %q", fault, in.Bytes())
	}
	in.Consume(1)
	if feed(in, []byte("c")); string(in.Bytes()) != "bc" {
		t.Errorf("a rest and more: %q", in.Bytes())
	}
}

func TestRecordFaults(t *testing.T) {
	seal := func(s *Sealer, kind byte, data string) []byte { return s.append(nil, []byte(data), kind) }
	for _, c := range []struct {
		name string
		make func(s *Sealer) []byte
		want Fault
	}{
		{"good", func(s *Sealer) []byte { return s.Append(nil, []byte("x")) }, FaultNone},
		{"part of a header", func(*Sealer) []byte { return []byte{typeData, 3} }, FaultNone},
		{"close_notify", func(s *Sealer) []byte { return s.Close(nil) }, FaultClosed},
		{"alert", func(s *Sealer) []byte { return seal(s, typeAlert, "\x02\x28") }, FaultAlert},
		{"half an alert", func(s *Sealer) []byte { return seal(s, typeAlert, "\x00") }, FaultAlert},
		{"key update", func(s *Sealer) []byte { return seal(s, typeShake, "\x18\x00\x00\x01\x00") }, FaultHandshake},
		{"unknown content", func(s *Sealer) []byte { return seal(s, 99, "x") }, FaultType},
		{"nothing but padding", func(s *Sealer) []byte { return seal(s, 0, "\x00\x00") }, FaultType},
		{"unprotected alert", func(*Sealer) []byte { return []byte{typeAlert, 3, 3, 0, 2, 1, 0} }, FaultType},
		{"version", func(s *Sealer) []byte { b := s.Append(nil, []byte("x")); b[2] = 4; return b }, FaultType},
		{"too long", func(*Sealer) []byte { return []byte{typeData, 3, 3, 0x41, 1} }, FaultLength},
		{"too short", func(*Sealer) []byte { return []byte{typeData, 3, 3, 0, 16} }, FaultLength},
		{"changed", func(s *Sealer) []byte { b := s.Append(nil, []byte("x")); b[6] ^= 1; return b }, FaultMAC},
		{"header changed", func(s *Sealer) []byte { b := append(s.Append(nil, []byte("xx")), 0); b[4]++; return b }, FaultMAC},
		{"left out", func(s *Sealer) []byte { s.Append(nil, []byte("x")); return s.Append(nil, []byte("y")) }, FaultMAC},
		{"twice", func(s *Sealer) []byte { b := s.Append(nil, []byte("x")); return append(b, b...) }, FaultMAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, o := pair(t, tls.TLS_AES_128_GCM_SHA256)
			if got := feed(NewInbox(o, 1000, 0), c.make(s)); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestPaddingIsTakenOff(t *testing.T) {
	s, o := pair(t, tls.TLS_AES_128_GCM_SHA256)
	in := NewInbox(o, 1000, 0)
	padded := s.append(nil, []byte("hello\x17\x00\x00"), 0) // content, type, padding
	if fault := feed(in, padded); fault != FaultNone || string(in.Bytes()) != "hello" {
		t.Errorf("%v, %q", fault, in.Bytes())
	}
}

func TestWornKey(t *testing.T) {
	s, o := pair(t, tls.TLS_AES_128_GCM_SHA256)
	s.used, o.used = keyLife-1, keyLife
	good := s.Append(nil, []byte("x"))
	if s.Worn() || len(good) == 0 {
		t.Fatal("given up too early")
	}
	if fault := feed(NewInbox(o, 1000, 0), good); fault != FaultWorn {
		t.Errorf("opened with a worn key: %v", fault)
	}
	if out := s.Append(nil, []byte("y")); !s.Worn() || len(out) != 0 {
		t.Errorf("sealed %d bytes with a worn key", len(out))
	}
}

// loopback returns both ends of a TCP connection.
func loopback(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return a, b
}

func identity(t testing.TB) *Identity {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

type outcome struct {
	s   *Session
	err error
}

func TestHandshakeBothSides(t *testing.T) {
	id := identity(t)
	a, b := loopback(t)
	done := make(chan outcome, 1)
	go func() {
		s, err := Server(t.Context(), b, id, "granule/1")
		done <- outcome{s, err}
	}()
	client, err := Client(t.Context(), a, id.Key(), "granule/1")
	server := <-done
	if err != nil || server.err != nil {
		t.Fatal(err, server.err)
	}
	x, err1 := client.Export("label", []byte("context"), 32)
	y, err2 := server.s.Export("label", []byte("context"), 32)
	z, _ := client.Export("label", []byte("another"), 32)
	if err1 != nil || err2 != nil || !bytes.Equal(x, y) || bytes.Equal(x, z) {
		t.Errorf("exporters: %x and %x (%v, %v), other context %x", x, y, err1, err2, z)
	}
	for _, d := range []struct {
		from *Sealer
		to   *Opener
	}{{client.Seal, server.s.Open}, {server.s.Seal, client.Open}} {
		in := NewInbox(d.to, 100, 0)
		if fault := feed(in, d.from.Append(nil, []byte("hello"))); fault != FaultNone || string(in.Bytes()) != "hello" {
			t.Errorf("%v, %q", fault, in.Bytes())
		}
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	a, b := loopback(t)
	go func() { _, _ = Server(t.Context(), b, identity(t), "granule/1") }()
	if _, err := Client(t.Context(), a, identity(t).Key(), "granule/1"); !errors.Is(err, ErrWrongKey) {
		t.Errorf("error %v, want %v", err, ErrWrongKey)
	}
}

func TestOldTLSAndOtherProtocolsAreRefused(t *testing.T) {
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.2":          {MaxVersion: tls.VersionTLS12, NextProtos: []string{"granule/1"}},
		"another protocol": {NextProtos: []string{"h2"}},
		"no protocol":      {},
	} {
		t.Run(name, func(t *testing.T) {
			id := identity(t)
			a, b := loopback(t)
			cfg.InsecureSkipVerify = true
			go func() {
				c := tls.Client(a, cfg)
				_ = c.Handshake()
				_, _ = io.Copy(io.Discard, c)
			}()
			if _, err := Server(t.Context(), b, id, "granule/1"); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestAgainstCryptoTLS has crypto/tls at the other end, as server and as client, and moves data both ways through records of
// every size. So what is on the wire is TLS 1.3 and not something that only this package can read.
func TestAgainstCryptoTLS(t *testing.T) {
	id := identity(t)
	for _, weAreClient := range []bool{true, false} {
		t.Run(fmt.Sprintf("client=%v", weAreClient), func(t *testing.T) {
			a, b := loopback(t)
			var theirs *tls.Conn
			if weAreClient {
				theirs = tls.Server(b, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{id.certificate}, NextProtos: []string{"p"}, SessionTicketsDisabled: true})
			} else {
				theirs = tls.Client(b, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"p"}})
			}
			const total = 3 << 20
			echoed := make(chan error, 1)
			go func() { // it says something at once, while our side may still be in its handshake; then it echoes
				if _, err := theirs.Write([]byte("early")); err != nil {
					echoed <- err
					return
				}
				buf := make([]byte, 20000)
				for n := 0; n < total; {
					k, err := theirs.Read(buf)
					if err == nil {
						_, err = theirs.Write(buf[:k])
					}
					if err != nil {
						echoed <- err
						return
					}
					n += k
				}
				_, err := theirs.Read(buf)
				if !errors.Is(err, io.EOF) {
					echoed <- fmt.Errorf("after our close_notify: %w", err)
					return
				}
				echoed <- theirs.CloseWrite()
			}()
			var s *Session
			var err error
			if weAreClient {
				s, err = Client(t.Context(), a, id.Key(), "p")
			} else {
				s, err = Server(t.Context(), a, id, "p")
			}
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, total)
			rand.Read(data)
			want := append([]byte("early"), data...)
			go func() {
				rest := data
				for n := 1; len(rest) > 0; n = n*3%40000 + 1 {
					k := min(n, len(rest))
					if _, err := a.Write(s.Seal.Append(nil, rest[:k:k])); err != nil {
						return // the reader below finds out
					}
					rest = rest[k:]
				}
				_, _ = a.Write(s.Seal.Close(nil))
			}()
			in := NewInbox(s.Open, 1<<16, 0)
			got := 0
			fault := FaultNone
			for fault == FaultNone {
				n, err := a.Read(in.Space())
				if err != nil {
					t.Fatalf("after %d bytes: %v", got, err)
				}
				fault = in.Filled(n)
				b := in.Bytes()
				if got+len(b) > len(want) || !bytes.Equal(b, want[got:got+len(b)]) {
					t.Fatalf("differs somewhere behind byte %d", got)
				}
				got += len(b)
				in.Consume(len(b))
			}
			if fault != FaultClosed || got != len(want) {
				t.Errorf("%d of %d bytes, then %v", got, len(want), fault)
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHandshakeIsBounded(t *testing.T) {
	id := identity(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, b := loopback(t)
	if _, err := Server(ctx, b, id, "p"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent peer: %v", err)
	}
}

func FuzzInbox(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, []byte("x"), 3)
	f.Fuzz(func(t *testing.T, garbage, data []byte, cut int) {
		s, o := pair(t, tls.TLS_AES_128_GCM_SHA256)
		in := NewInbox(o, 1<<16, 0)
		good := s.Append(nil, data)
		if cut = min(max(cut, 0), len(good)); len(data) > 1<<15 {
			return
		}
		if feed(in, good[:cut]) != FaultNone || feed(in, good[cut:]) != FaultNone || !bytes.Equal(in.Bytes(), data) {
			t.Fatal("good records in two pieces did not come through")
		}
		in.Consume(len(data))
		if len(garbage) < len(in.Space()) {
			if feed(in, garbage); len(in.Bytes()) != 0 {
				t.Fatal("garbage came through")
			}
		}
	})
}
