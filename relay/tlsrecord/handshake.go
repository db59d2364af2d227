package tlsrecord

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Session is a connection after its handshake. It holds secrets.
type Session struct {
	Seal *Sealer
	Open *Opener
	// Export is the TLS exporter (RFC 8446, 7.5); nil where there is no TLS.
	Export func(label string, context []byte, size int) ([]byte, error)
}

// Plain returns a session without TLS.
func Plain() *Session { return &Session{Seal: &Sealer{}, Open: &Opener{}} }

// ErrWrongKey is returned by Client when the gateway shows another key than the one it is trusted by.
var ErrWrongKey = errors.New("the gateway's key is not the one that the invocation names")

// Server does the gateway's side of the handshake on c, which it reads not a byte further than the handshake goes.
func Server(ctx context.Context, c net.Conn, id *Identity, protocol string) (*Session, error) {
	s := secrets{}
	defer s.zero()
	t := tls.Server(&recordConn{Conn: c}, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{id.certificate},
		NextProtos:             []string{protocol},
		SessionTicketsDisabled: true, // a ticket would be a record of its own behind the handshake
		KeyLogWriter:           &s,   // goes into memory, and is overwritten below
	})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return s.session(t, protocol, false)
}

// Client does the worker's side of the handshake on c. It trusts the key whose SubjectPublicKeyInfo has that SHA-256 and
// no other; names and dates of the certificate mean nothing.
func Client(ctx context.Context, c net.Conn, key []byte, protocol string) (*Session, error) {
	s := secrets{}
	defer s.zero()
	t := tls.Client(&recordConn{Conn: c}, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		SessionTicketsDisabled: true,
		KeyLogWriter:           &s,
		InsecureSkipVerify:     true, //nolint:gosec // there is no chain to verify: VerifyConnection pins the one key
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) != 1 || !matches(cs.PeerCertificates[0], key) {
				return ErrWrongKey
			}
			return nil
		},
	})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return s.session(t, protocol, true)
}

func matches(cert *x509.Certificate, key []byte) bool {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return subtle.ConstantTimeCompare(sum[:], key) == 1
}

// secrets takes the traffic secrets out of the lines that crypto/tls writes for its key log.
type secrets struct {
	mu             sync.Mutex
	client, server []byte
}

// Write implements io.Writer for tls.Config.KeyLogWriter: "LABEL client-random secret\n".
func (s *secrets) Write(line []byte) (int, error) {
	f := bytes.Fields(line)
	if len(f) != 3 {
		return 0, fmt.Errorf("record: key log line of %d fields", len(f))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch string(f[0]) {
	case "CLIENT_TRAFFIC_SECRET_0":
		s.client, err = hex.AppendDecode(nil, f[2])
	case "SERVER_TRAFFIC_SECRET_0":
		s.server, err = hex.AppendDecode(nil, f[2])
	}
	clear(line) // crypto/tls makes a line for each call and forgets it
	return len(line), err
}

func (s *secrets) zero() {
	clear(s.client)
	clear(s.server)
}

// session takes the connection over. Neither side has sent a record since the handshake's last one, so both directions
// start at sequence number 0 of their application keys.
func (s *secrets) session(t *tls.Conn, protocol string, client bool) (*Session, error) {
	cs := t.ConnectionState()
	switch {
	case cs.Version != tls.VersionTLS13:
		return nil, fmt.Errorf("record: %s negotiated, expected TLS 1.3", tls.VersionName(cs.Version))
	case cs.NegotiatedProtocol != protocol:
		return nil, fmt.Errorf("record: application protocol %q negotiated, expected %q", cs.NegotiatedProtocol, protocol)
	case len(s.client) == 0 || len(s.server) == 0:
		return nil, errors.New("record: crypto/tls gave no traffic secrets")
	}
	in, out := s.client, s.server
	if client {
		in, out = out, in
	}
	open, err := newHalf(cs.CipherSuite, in)
	if err != nil {
		return nil, err
	}
	seal, err := newHalf(cs.CipherSuite, out)
	if err != nil {
		return nil, err
	}
	return &Session{Seal: &Sealer{half: seal}, Open: &Opener{half: open}, Export: cs.ExportKeyingMaterial}, nil
}
