package relay

import (
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// Status is the outcome of a call on a Conn.
type Status uint8

// Statuses. After Closed and Broken nothing is sent or received any more; Reason tells why, Outstanding what is owed.
const (
	OK     Status = iota // done; Read: there may be more to read
	Again                // the socket takes no more, or has no more, for now
	Closed               // the worker, or the network, ended the connection
	Broken               // the worker broke the format, or the socket failed
)

var statusNames = [...]string{"ok", "again", "closed", "broken"}

// String returns the status's name.
func (s Status) String() string { return statusNames[s&3] }

// Reason is why a Conn is Closed or Broken, one byte for each cause so that it can be counted.
type Reason uint8

// Reasons. The faults of packages wire and tlsrecord follow: see WireReason and RecordReason.
const (
	ReasonNone    Reason = iota
	ReasonEOF            // the worker's end was closed without a word
	ReasonBye            // the worker said goodbye
	ReasonReset          // the worker's end reset the connection
	ReasonTimeout        // the network did not acknowledge for too long
	ReasonSocket         // any other error of the socket
	ReasonLocal          // Close was called
	ReasonRate           // the worker sent more frames or records that nobody asked for than it may
	reasonWire           // + wire.Fault
	reasonRecord  = reasonWire + Reason(wire.NumFaults)
	NumReasons    = reasonRecord + Reason(tlsrecord.NumFaults)
)

var reasonNames = func() (names [NumReasons]string) {
	copy(names[:], []string{"none", "eof", "bye", "reset", "timeout", "socket", "local", "rate"})
	for f := range wire.NumFaults {
		names[WireReason(f)] = "wire_" + f.String()
	}
	for f := range tlsrecord.NumFaults {
		names[RecordReason(f)] = "record_" + f.String()
	}
	return names
}()

// WireReason is the reason of a worker that broke the frame format.
func WireReason(f wire.Fault) Reason { return reasonWire + Reason(f) }

// RecordReason is the reason of a connection that ended in the record layer.
func RecordReason(f tlsrecord.Fault) Reason { return reasonRecord + Reason(f) }

// String returns the reason's name as metrics and logs carry it.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}
