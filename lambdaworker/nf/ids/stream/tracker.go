package stream

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Tracker follows the TCP sessions of a flow table. It is used by one goroutine.
type Tracker struct {
	cfg Config
}

// Chunk is a piece of a stream for the parsers: bytes, or a gap, or the end.
type Chunk struct {
	Data   []byte // valid until the tracker is used again; empty for a gap
	Offset uint64 // of Data[0] or of the gap in the direction's stream, from 0
	Gap    uint64 // bytes that were lost, of which Data has nothing
	End    bool   // nothing follows: FIN or RST, or Flush
}

// Stats are counters of a Tracker since its start.
type Stats struct {
	Sessions      uint64
	Midstream     uint64
	Reused        uint64
	Gaps          uint64
	GapBytes      uint64
	NoMemory      uint64 // segments that found no room
	Overlaps      uint64 // segments with bytes that overlap waiting ones
	Different     uint64 // of those, with different bytes
	OutOfOrder    uint64
	DepthReached  uint64
	BadChecksum   uint64
	Rejected      uint64 // segments that failed a check of their session's state
	HistoryMissed uint64 // bytes that Raw could not be shown: no memory
}

// New makes a tracker.
func New(cfg Config) *Tracker {
	cfg.defaults()
	return &Tracker{cfg: cfg}
}

// Packet judges a segment of flow, takes its bytes, and fills out.
func (t *Tracker) Packet(flow uint32, s *Segment, out *Result) {}

// Next fills c with the next piece of a direction that has not been handed out, and reports whether there is one. It is called until there is none.
func (t *Tracker) Next(flow uint32, dir proto.Dir, c *Chunk) bool { return false }

// Raw returns bytes of the stream for rules on the bare stream, if a look is due: Config.Chunk bytes are there, or a
// trigger, the depth, or the session's end says not to wait. data[fresh:] was never shown before; data[0] stands at offset
// in the stream. The caller ends its look with RawDone.
func (t *Tracker) Raw(flow uint32, dir proto.Dir) (data []byte, fresh int, offset uint64, due bool) {
	return nil, 0, 0, false
}

// RawDone says that all Raw returned was looked at.
func (t *Tracker) RawDone(flow uint32, dir proto.Dir) {}

// Trigger makes the next Raw of a direction due, however few bytes there are; parsers' transactions that end want it.
func (t *Tracker) Trigger(flow uint32, dir proto.Dir) {}

// Watch says whether bytes are kept for Raw. It is on for new sessions if Config.Raw is.
func (t *Tracker) Watch(flow uint32, dir proto.Dir, on bool) {}

// Ignore ends reassembly of a direction: nothing is handed out or kept any more. Sequence numbers are still followed.
func (t *Tracker) Ignore(flow uint32, dir proto.Dir) {}

// Flush releases all contiguous bytes of a flow, acknowledged or not, and makes Raw due; the flow is at its end.
func (t *Tracker) Flush(flow uint32) {}

// Forget drops all that is known of a flow and gives its memory back.
func (t *Tracker) Forget(flow uint32) {}

// Swapped reports whether the client is the higher endpoint of the flow's key; Segment.Reverse equal to it is to the server.
func (t *Tracker) Swapped(flow uint32) bool { return false }

// Size returns how many bytes of a direction's stream have been handed out or skipped, for stream_size.
func (t *Tracker) Size(flow uint32, dir proto.Dir) uint64 { return 0 }

// Stats returns the counters.
func (t *Tracker) Stats() Stats { return Stats{} }

// AppendState appends all that is known of flow, waiting bytes included, as versioned bytes to b; nothing if there is no session.
func (t *Tracker) AppendState(flow uint32, b []byte) []byte { return b }

// ApplyState replaces what is known of flow by what AppendState wrote. It reports false, and forgets the flow, if state is not
// well-formed or there is no room.
func (t *Tracker) ApplyState(flow uint32, state []byte) bool { return false }
