package tlsrecord

// Fault is what ends a connection from within the record layer; FaultNone if nothing does.
type Fault uint8

// Faults.
const (
	FaultNone      Fault = iota
	FaultClosed          // close_notify: the peer ended the connection as it should
	FaultAlert           // any other alert
	FaultHandshake       // a handshake message after the handshake: key update or session ticket, which neither side sends
	FaultType            // a record of another type, or an unprotected one
	FaultLength          // a record longer than 2^14+256 bytes, or too short to be one
	FaultMAC             // the record was changed on its way, or sealed with another key
	FaultWorn            // so much went through one key that it has to be given up (RFC 8446, 5.5)
	NumFaults
)

var faultNames = [NumFaults]string{"none", "closed", "alert", "handshake", "type", "length", "mac", "worn"}

// String returns the fault's name as metrics and logs carry it.
func (f Fault) String() string {
	if f < NumFaults {
		return faultNames[f]
	}
	return "unknown"
}
