package tlsrecord

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

func TestRecordsAllocateNothing(t *testing.T) {
	for _, suite := range suites {
		s, o := pair(t, suite)
		in := NewInbox(o, 1<<17, 1<<17)
		data := make([]byte, 60000, 60001)
		out := make([]byte, 0, 1<<16)
		if n := testing.AllocsPerRun(50, func() {
			out = s.Append(out[:0], data)
			if feed(in, out) != FaultNone || len(in.Bytes()) != len(data) {
				t.Fatal("it did not come through")
			}
			in.Consume(len(data))
		}); n != 0 {
			t.Errorf("%s: %v allocations for four records", tls.CipherSuiteName(suite), n)
		}
	}
}

// memory is a net.Conn that is read from what was written to it.
type memory struct {
	b     []byte
	start int
}

func (m *memory) Write(b []byte) (int, error) {
	if m.start == len(m.b) {
		m.b, m.start = m.b[:0], 0
	}
	m.b = append(m.b, b...)
	return len(b), nil
}

func (m *memory) Read(b []byte) (int, error) {
	if m.start == len(m.b) {
		return 0, io.EOF
	}
	n := copy(b, m.b[m.start:])
	m.start += n
	return n, nil
}
func (*memory) Close() error                     { return nil }
func (*memory) LocalAddr() net.Addr              { return nil }
func (*memory) RemoteAddr() net.Addr             { return nil }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }

// switchable lets a handshake over one connection go on over another.
type switchable struct{ net.Conn }

// BenchmarkOneWay seals and opens in one goroutine, through memory: this package against crypto/tls, which negotiates the same
// AES-128-GCM. A batch of 256 packets of headers is 18 KB, a full one 64 KB, a small one of one packet 100 bytes.
func BenchmarkOneWay(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100B", 100}, {"18KB", 18 << 10}, {"64KB", 64 << 10}} {
		b.Run("record/"+size.name, func(b *testing.B) {
			s, o := pair(b, tls.TLS_AES_128_GCM_SHA256)
			in := NewInbox(o, 1<<17, 1<<17)
			data := make([]byte, size.n, size.n+1)
			out := make([]byte, 0, 1<<17)
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				out = s.Append(out[:0], data)
				if feed(in, out) != FaultNone {
					b.Fatal("it did not come through")
				}
				in.Consume(size.n)
			}
		})
		b.Run("crypto-tls/"+size.name, func(b *testing.B) {
			id := identity(b)
			x, y := loopback(b)
			cs, ss := &switchable{x}, &switchable{y}
			cfg := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"p"}, DynamicRecordSizingDisabled: true}
			client := tls.Client(cs, cfg)
			server := tls.Server(ss, &tls.Config{Certificates: []tls.Certificate{id.certificate}, SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true, NextProtos: []string{"p"}})
			done := make(chan error, 1)
			go func() { done <- server.Handshake() }()
			if err := client.Handshake(); err != nil {
				b.Fatal(err)
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			m := &memory{}
			cs.Conn, ss.Conn = m, m
			data := make([]byte, size.n)
			got := make([]byte, size.n)
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := client.Write(data); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(server, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
