package wire

import "encoding/binary"

var le = binary.LittleEndian

// Version of the protocol. A peer of another version is refused at the join.
const Version = 1

// Limits that both sides hold to.
const (
	HeaderSize = 16
	MaxPackets = 256      // packets of a batch
	MaxPacket  = 65000    // bytes of a packet, so that a batch always has room for one
	MaxBatch   = 64 << 10 // bytes of a Batch frame with its header
	MaxFrame   = 16 << 20 // bytes of any other frame with its header: a result may carry the state of 256 flows
	MaxControl = 64       // body of a frame before the join is complete
	Subflows   = 1 << 12  // sub-flows of a chain
	MaxBody    = MaxFrame - HeaderSize
)

// Type is what a frame is.
type Type uint8

// Types. G and W: from the gateway to the worker and from the worker to the gateway.
const (
	_                 Type = iota
	TypeBatch              // G: packets to be judged
	TypeResult             // W: the answer to one batch
	TypeEvents             // W: EVE JSON lines
	TypeReportRequest      // G: asks for a Report
	TypeReport             // W: counters as JSON
	TypePing               // both: asks for a Pong
	TypePong               // both
	TypeDrain              // W: this worker goes away at a deadline
	TypeRetire             // G: answer what you have, then leave
	TypeState              // G: state to be taken over before the next batch
	TypeHello              // W: who I am, with proof
	TypeWelcome            // G: joined
	TypeChallenge          // G: nonce for the proof where there is no TLS
	TypeBye                // both: why the connection is being closed
	TypeRelease            // G: sub-flows that another worker has now: forget their flows
	TypeLoad               // W: how busy it has been
	numTypes
)

// Flags of the frame header.
const (
	FlagState     = 1 << 0 // Result: a state section stands before the verdicts
	FlagRewritten = 1 << 1 // Result: a section of rewritten packets follows the verdicts
	FlagInjected  = 1 << 2 // Result: a section of injected frames follows
	FlagMore      = 1 << 0 // State: its last entry goes on in the next State frame
	FlagUnseen    = 1 << 1 // State: packets have passed that the worker has not seen
	FlagSkip      = 1 << 7 // a receiver that does not know the type may skip the frame
)

// shape is what the header of a type may say.
type shape struct {
	min, max uint32 // of the length
	flags    uint8
	count    bool // the count may be other than zero
}

var shapes = [numTypes]shape{
	TypeBatch:         {8 + DescriptorSize, MaxBatch - HeaderSize, 0, true},
	TypeResult:        {runSize, MaxBody, FlagState | FlagRewritten | FlagInjected, true},
	TypeEvents:        {4, MaxBody, 0, false},
	TypeReportRequest: {0, 0, 0, false},
	TypeReport:        {2, MaxBody, 0, false},
	TypePing:          {8, 8, 0, false},
	TypePong:          {8, 8, 0, false},
	TypeDrain:         {8, 8, 0, false},
	TypeRetire:        {0, 0, 0, false},
	TypeState:         {0, MaxBody, FlagMore | FlagUnseen, false},
	TypeHello:         {helloSize, helloSize, 0, false},
	TypeWelcome:       {welcomeSize, welcomeSize, 0, false},
	TypeChallenge:     {NonceSize, NonceSize, 0, false},
	TypeBye:           {byeSize, byeSize, 0, false},
	TypeRelease:       {2, 2 * Subflows, 0, false},
	TypeLoad:          {loadSize, loadSize, 0, false},
}

// Header stands before every frame.
//
//	 0        1        2                 4                                   8
//	+--------+--------+-----------------+-----------------------------------+
//	|  type  | flags  |      count      |              length               |
//	+--------+--------+-----------------+-----------------------------------+
//	|             sequence              |              credit               |
//	+-----------------------------------+-----------------------------------+
type Header struct {
	Type     Type
	Flags    uint8
	Count    uint16 // Batch: packets; Result: verdict runs
	Length   uint32 // of the body, which follows
	Sequence uint32 // Batch: its number; Result: that of the batch it answers
	Credit   uint32 // from a worker: bytes of Batch frames it agrees to hold without having answered them
}

// ParseHeader reads the header from the first HeaderSize bytes of b, and checks it against what its type allows.
// Frames that a receiver may skip are of a type for which Known is false.
func ParseHeader(b []byte) (h Header, fault Fault) {
	if len(b) < HeaderSize {
		return h, FaultShort
	}
	b = b[:HeaderSize]
	h = Header{
		Type: Type(b[0]), Flags: b[1], Count: le.Uint16(b[2:]), Length: le.Uint32(b[4:]),
		Sequence: le.Uint32(b[8:]), Credit: le.Uint32(b[12:]),
	}
	if !h.Type.Known() {
		switch {
		case h.Flags&FlagSkip == 0:
			return h, FaultType
		case h.Length > MaxBody:
			return h, FaultLong
		}
		return h, FaultNone
	}
	s := &shapes[h.Type]
	switch {
	case h.Length > s.max:
		return h, FaultLong
	case h.Length < s.min:
		return h, FaultShort
	case h.Flags&^s.flags != 0:
		return h, FaultFlags
	case h.Count != 0 && !s.count:
		return h, FaultReserved
	}
	return h, FaultNone
}

// Known reports whether t is a type of this version.
func (t Type) Known() bool { return t > 0 && t < numTypes }

// FromWorker reports whether a worker that has joined may send frames of type t; FromGateway the same of the gateway.
func (t Type) FromWorker() bool {
	switch t {
	case TypeResult, TypeEvents, TypeReport, TypePing, TypePong, TypeDrain, TypeBye, TypeLoad:
		return true
	}
	return false
}

// FromGateway reports whether the gateway may send frames of type t to a worker that has joined.
func (t Type) FromGateway() bool {
	switch t {
	case TypeBatch, TypeReportRequest, TypePing, TypePong, TypeRetire, TypeState, TypeBye, TypeRelease:
		return true
	}
	return false
}

var typeNames = [numTypes]string{
	"", "batch", "result", "events", "report_request", "report", "ping", "pong", "drain", "retire", "state", "hello",
	"welcome", "challenge", "bye", "release", "load",
}

// String returns the type's name.
func (t Type) String() string {
	if t.Known() {
		return typeNames[t]
	}
	return "unknown"
}

// Append appends the header to dst.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, make([]byte, HeaderSize)...)
	h.put(dst[len(dst)-HeaderSize:])
	return dst
}

func (h Header) put(b []byte) {
	b = b[:HeaderSize]
	b[0], b[1] = byte(h.Type), h.Flags
	le.PutUint16(b[2:], h.Count)
	le.PutUint32(b[4:], h.Length)
	le.PutUint32(b[8:], h.Sequence)
	le.PutUint32(b[12:], h.Credit)
}

// SetLength changes the length in the header that frame begins with, for a sender that keeps the body elsewhere.
func SetLength(frame []byte, n int) { le.PutUint32(frame[4:], uint32(n)) }
