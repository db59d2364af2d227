package tls

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
	ClientVersion uint16    // of the ClientHello's body, e.g. 0x0303; 0 if none was seen
	ServerVersion uint16    // chosen: supported_versions (TLS 1.3) before the ServerHello's body
	RecordVersion [2]uint16 // of the last record of each direction
	NotBefore     int64     // validity of the server's first certificate, Unix seconds; both 0 if there is none
	NotAfter      int64
	Chain         int     // certificates of the server
	Done          [2]bool // that direction is not inspected any further
}
