package tls

import (
	"golang.org/x/crypto/cryptobyte"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

var itemOf = [NumBuffers]item{
	SNI: itemSNI, ALPN: itemALPN, Subject: itemSubject, Issuer: itemIssuer, Serial: itemSerial, Fingerprint: itemFingerprint,
	SubjectAltName: itemSAN, JA3Hash: itemJA3Hash, JA3String: itemJA3, JA3SHash: itemJA3Hash, JA3SString: itemJA3, JA4: itemJA4,
}

// Buffer returns the i-th value of a buffer, and whether there is one. Certificates and their fields are those that dir
// carried. Bytes are valid until the parser is used again.
func (p *Parser) Buffer(flow uint32, dir proto.Dir, b Buffer, i int) ([]byte, bool) {
	c := p.conns.Get(flow)
	if c == nil || i < 0 || i > 0 && !b.Many() {
		return nil, false
	}
	if d, fixed := b.Dir(); fixed {
		dir = d
	}
	h := &c.half[dir]
	switch b {
	case Version:
		return c.version()
	case Random, RandomTime, RandomBytes:
		from, to := 0, 32
		if b == RandomTime {
			to = 4
		} else if b == RandomBytes {
			from = 4
		}
		return h.random[from:to], h.hasRandom
	case Certs:
		return nth(p.arena.Bytes(h.certs), 3, i)
	}
	s := h.items[itemOf[b]]
	v := p.arena.Bytes(h.values)[s.from:s.to]
	if b.Many() {
		return nth(v, 2, i)
	}
	return v, len(v) > 0
}

// nth returns the i-th of the parts in b, each behind a length of 2 or 3 bytes.
func nth(b cryptobyte.String, length, i int) (part []byte, ok bool) {
	var v cryptobyte.String
	for ; length == 2 && b.ReadUint16LengthPrefixed(&v) || length == 3 && b.ReadUint24LengthPrefixed(&v); i-- {
		if i == 0 {
			return v, true
		}
	}
	return nil, false
}

// Names of versions, as tls.version has them.
var (
	ssl2         = []byte("SSLv2")
	ssl3         = []byte("SSLv3")
	tls10        = []byte("1.0")
	tls11        = []byte("1.1")
	tls12        = []byte("1.2")
	tls13        = []byte("1.3")
	undetermined = []byte("UNDETERMINED")
)

// version is that of the handshake: what the server chose, or else what the client said.
func (c *conn) version() ([]byte, bool) {
	v := c.ServerVersion
	if v == 0 {
		v = c.ClientVersion
	}
	switch v {
	case 0:
		return nil, false
	case 0x0200, 0x0002:
		return ssl2, true
	case 0x0300:
		return ssl3, true
	case 0x0301:
		return tls10, true
	case 0x0302:
		return tls11, true
	case 0x0303:
		return tls12, true
	case 0x0304:
		return tls13, true
	}
	return undetermined, true
}
