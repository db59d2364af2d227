package tls

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// Buffer is an inspection buffer. Names are those of Suricata's sticky buffers.
type Buffer uint8

// Buffers.
const (
	SNI            Buffer = iota // tls.sni
	ALPN                         // tls.alpn: many, of either direction
	Version                      // tls.version: "1.2"
	Subject                      // tls.cert_subject, of the first certificate
	Issuer                       // tls.cert_issuer
	Serial                       // tls.cert_serial: "AB:CD"
	Fingerprint                  // tls.cert_fingerprint: SHA-1, "ab:cd:..."
	SubjectAltName               // tls.subjectaltname: many
	Certs                        // tls.certs: many, each a certificate as DER
	Random                       // tls.random: 32 bytes of the hello of the direction
	RandomTime                   // tls.random_time: its first 4
	RandomBytes                  // tls.random_bytes: its last 28
	JA3Hash                      // ja3.hash
	JA3String                    // ja3.string
	JA3SHash                     // ja3s.hash
	JA3SString                   // ja3s.string
	JA4                          // ja4.hash
	NumBuffers
)

// Dir returns the direction to which b belongs and true, or false if it exists in both.
func (b Buffer) Dir() (proto.Dir, bool) {
	switch b {
	case SNI, JA3Hash, JA3String, JA4:
		return proto.ToServer, true
	case JA3SHash, JA3SString:
		return proto.ToClient, true
	}
	return 0, false
}

// Many reports whether there may be several values, each inspected by itself.
func (b Buffer) Many() bool { return b == ALPN || b == SubjectAltName || b == Certs }
