// Package tlsrecord protects a connection between the gateway and a worker: TLS 1.3, byte for byte (RFC 8446).
//
// The handshake is that of crypto/tls. When it is done, both sides take the connection over with the record layer here,
// keyed with the same traffic secrets, for two reasons: crypto/tls reads and writes through a blocking net.Conn, and a
// shard of the gateway must never block; and it allocates for records it reads. So that nothing is lost in between,
// crypto/tls reads through a connection that never gives it a byte of the next record.
//
// A Sealer and an Opener without keys pass bytes through as they are: a connection without TLS takes the same path.
package tlsrecord
