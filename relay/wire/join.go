package wire

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Sizes and labels of the join.
const (
	TokenSize = 32
	NonceSize = 32
	ProofSize = sha256.Size

	// ExporterLabel is the label of the TLS exporter (RFC 8446, 7.5) that a proof is made over; its context is JoinContext.
	ExporterLabel = "EXPORTER-granule-join"
	// ALPN is the application protocol that both sides offer in the TLS handshake.
	ALPN = "granule/1"

	helloSize   = 12 + ProofSize
	welcomeSize = 16
)

// Hello is the first frame of a worker on a connection.
type Hello struct {
	Version uint16
	Shard   uint16 // which of its connections this is, from 0
	Worker  uint32
	Epoch   uint32
	Credit  uint32
	Proof   [ProofSize]byte
}

// Append appends the frame.
func (h *Hello) Append(dst []byte) []byte {
	dst = Header{Type: TypeHello, Length: helloSize, Credit: h.Credit}.Append(dst)
	dst = le.AppendUint16(dst, h.Version)
	dst = le.AppendUint16(dst, h.Shard)
	dst = le.AppendUint32(dst, h.Worker)
	dst = le.AppendUint32(dst, h.Epoch)
	return append(dst, h.Proof[:]...)
}

// Parse reads the frame with header head. The version is checked before anything else, since another one may mean
// something else by the rest.
func (h *Hello) Parse(head Header, body []byte) Fault {
	if len(body) < 2 {
		return FaultShort
	}
	if h.Version = le.Uint16(body); h.Version != Version {
		return FaultVersion
	}
	if len(body) != helloSize {
		return FaultShort
	}
	h.Shard, h.Worker, h.Epoch, h.Credit = le.Uint16(body[2:]), le.Uint32(body[4:]), le.Uint32(body[8:]), head.Credit
	copy(h.Proof[:], body[12:])
	return FaultNone
}

// Welcome is the gateway's answer to a Hello that it believes.
type Welcome struct {
	Version uint16
	Time    int64 // the gateway's clock, ns since the Unix epoch
}

// Append appends the frame.
func (w *Welcome) Append(dst []byte) []byte {
	dst = Header{Type: TypeWelcome, Length: welcomeSize}.Append(dst)
	dst = le.AppendUint16(dst, w.Version)
	dst = append(dst, 0, 0, 0, 0, 0, 0)
	return le.AppendUint64(dst, uint64(w.Time))
}

// Parse reads the frame.
func (w *Welcome) Parse(body []byte) Fault {
	if len(body) != welcomeSize {
		return FaultShort
	}
	if w.Version = le.Uint16(body); w.Version != Version {
		return FaultVersion
	}
	w.Time = int64(le.Uint64(body[8:]))
	return FaultNone
}

// AppendChallenge appends the frame with the nonce that a proof is made over where there is no TLS.
func AppendChallenge(dst []byte, nonce *[NonceSize]byte) []byte {
	return append(Header{Type: TypeChallenge, Length: NonceSize}.Append(dst), nonce[:]...)
}

// JoinContext is what a proof is bound to besides the connection: who claims to join as what.
func JoinContext(worker, epoch uint32, shard uint16) []byte {
	b := le.AppendUint32(nil, worker)
	b = le.AppendUint32(b, epoch)
	return le.AppendUint16(b, shard)
}

// Proof is the HMAC-SHA256, keyed by token, of what ties it to one connection: with TLS the 32 bytes that the exporter gives
// for ExporterLabel and JoinContext; without, PlainBinding.
func Proof(token, binding []byte) (p [ProofSize]byte) {
	m := hmac.New(sha256.New, token)
	m.Write(binding)
	m.Sum(p[:0])
	return p
}

// PlainBinding is what a proof is made over where there is no TLS.
func PlainBinding(nonce *[NonceSize]byte, context []byte) []byte {
	b := append([]byte("granule-join-plain\x00"), nonce[:]...)
	return append(b, context...)
}
