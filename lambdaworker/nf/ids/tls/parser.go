package tls

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Config is how a Parser works.
type Config struct {
	Flows          int          // handles are below it
	Arena          *arena.Arena // where handshakes are kept
	Connections    int          // flows followed at once (Flows)
	HandshakeLimit int          // bytes of the handshake messages of a direction (65536)
}

// Seen are the parts of a handshake, for ssl_state and for when a buffer is complete.
type Seen uint16

// What was seen.
const (
	ClientHello Seen = 1 << iota
	ServerHello
	ServerCert // a Certificate from the server
	ClientCert // a Certificate from the client
	ClientKeyX
	ServerDone
	ClientCipher // change_cipher_spec or the first encrypted record from the client
	ServerCipher
	Alert
	Encrypted // both sides are encrypted: nothing more will be seen
	SSLv2
	Heartbeat
)

// State is what is known of one flow. Parser.State lends it, valid until the parser is used again.
type State struct {
	Seen          Seen
	ClientVersion uint16 // of the ClientHello's body, e.g. 0x0303
	ServerVersion uint16 // chosen: supported_versions (TLS 1.3) before the ServerHello's body
	RecordVersion [2]uint16
	NotBefore     int64 // validity of the first server certificate, Unix seconds; both 0 if there is none
	NotAfter      int64
	Chain         int     // certificates of the server
	Done          [2]bool // that direction is not inspected any further
}

// Parser follows the TLS of many flows. It is used by one goroutine.
type Parser struct{ cfg Config }

// New makes a parser.
func New(cfg Config) *Parser { return &Parser{cfg: cfg} }

// Feed takes the next bytes of a direction of flow. It reports false when that direction is not inspected any further.
func (p *Parser) Feed(flow uint32, dir proto.Dir, data []byte) bool { return false }

// Gap says that n bytes of a direction were lost: its inspection ends.
func (p *Parser) Gap(flow uint32, dir proto.Dir, n uint64) bool { return false }

// Forget drops all that is known of a flow.
func (p *Parser) Forget(flow uint32) {}

// State lends what is known of a flow, nil if that is nothing.
func (p *Parser) State(flow uint32) *State { return nil }

// Buffer returns the i-th value of a buffer, and whether there is one. Bytes are valid until the parser is used again.
func (p *Parser) Buffer(flow uint32, dir proto.Dir, b Buffer, i int) ([]byte, bool) {
	return nil, false
}

// AppendState appends what is known of flow, as versioned bytes, to b; nothing if nothing is known.
func (p *Parser) AppendState(flow uint32, b []byte) []byte { return b }

// ApplyState replaces what is known of flow by what AppendState wrote, and reports whether that was well-formed and fitted.
func (p *Parser) ApplyState(flow uint32, state []byte) bool { return false }
