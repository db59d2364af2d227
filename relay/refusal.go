package relay

import "sync/atomic"

// Refusal is why somebody who dialled the gateway did not become a Conn.
type Refusal uint8

// Refusals.
const (
	RefusedHalfOpen Refusal = iota // it was in its handshake when too many others came
	RefusedTimeout                 // the handshake and the join took too long
	RefusedBytes                   // too much was sent before the join
	RefusedTLS                     // the TLS handshake failed
	RefusedFormat                  // the first frame was no Hello
	RefusedVersion                 // a Hello of another version
	RefusedUnknown                 // nobody expects that worker and epoch
	RefusedLate                    // its token has expired
	RefusedShard                   // a connection beyond the number declared
	RefusedUsed                    // that connection has been made already, or the token is burnt
	RefusedProof                   // the token was not that worker's
	RefusedGone                    // it closed the connection before it had joined
	RefusedSocket                  // the socket could not be set up
	NumRefusals
)

var refusalNames = [NumRefusals]string{
	"half_open", "timeout", "bytes", "tls", "format", "version", "unknown", "late", "shard", "used", "proof", "gone", "socket",
}

// String returns the refusal's name as metrics and logs carry it.
func (r Refusal) String() string {
	if r < NumRefusals {
		return refusalNames[r]
	}
	return "unknown_refusal"
}

// refusals counts by reason, from many goroutines.
type refusals [NumRefusals]atomic.Uint64
