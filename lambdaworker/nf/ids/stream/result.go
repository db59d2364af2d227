package stream

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// Event is something odd about a segment, as a set of bits. None of them ends anything by itself.
type Event uint32

// Events.
const (
	OverlapDifferent Event = 1 << iota // bytes overlap others that are still kept, and differ
	OutOfWindow                        // not taken: outside of the receiver's window
	BadAck                             // not taken: acknowledges what was never sent, or is far too old
	BadReset                           // a RST whose sequence number is not exactly the next: the session goes on
	BadTimestamp                       // not taken: PAWS (RFC 7323 section 5)
	Retransmission                     // all bytes were there before
	KeepAlive                          // a probe with a byte that was acknowledged before
	NoMemory                           // bytes found no room and are a gap
	DepthReached                       // bytes past Config.Depth were not taken
	SynData                            // a SYN with data (RFC 7413)
	BadHandshake                       // a handshake segment that fits none that is known
	Reused                             // the 5-tuple started over
	Unsolicited                        // no session, and no pick-up midstream
	AfterClose                         // the session is closed
	Urgent                             // URG is set
)

// Result is what Packet found.
type Result struct {
	Dir            proto.Dir // of this segment
	Tracked        bool      // it belongs to a session
	New            bool      // a session begins with it: forget what parsers knew of the flow
	WasEstablished bool      // the session was established before this segment (TCP's handshake was complete, or it was picked up)
	Established    bool      // it is now
	Accepted       bool      // the segment passed the checks of the session's state
	Data           bool      // its payload entered the stream
	Rewritten      bool      // inline: payload bytes were changed to what was inspected before; checksums need an update
	Closed         bool      // the session is closed now: both FINs acknowledged, or a valid RST
	Events         Event
}
