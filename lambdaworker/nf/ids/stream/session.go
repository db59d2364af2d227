package stream

import (
	"unsafe"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// phase is where a session stands.
type phase uint8

const (
	none phase = iota
	synSent
	synReceived
	established // until both FINs are acknowledged
	closed
)

// session is what is known of a flow: both halves, indexed by the direction in which their bytes travel.
type session struct {
	half      [2]half
	phase     phase
	swapped   bool // the client is the higher endpoint of the key
	midstream bool
	fastOpen  bool
	times     bool // timestamps on both handshake segments, or on what was picked up
	otherAck  bool // synReceived: other is the number of another SYN-ACK that may be the true one
	other     seq
}

// half is one sender's stream. Offsets count its bytes from 0, the first behind the SYN or the first seen.
type half struct {
	isn, next, acked seq    // next: behind the highest byte seen, FIN included; acked: highest acknowledgement, which may be ahead of it
	right            seq    // right edge of the window that the receiver offers
	base             seq    // sequence number at offset baseOff
	baseOff          uint64 // where buf begins
	app              uint64 // handed out by Next up to here
	given            uint64 // and once up to here, but given back from app on: nothing before it changes any more
	edge             uint64 // contiguous up to here
	raw              uint64 // shown by Raw up to here
	breakAt, breakTo uint64 // a gap that Raw has not crossed yet, if breakAt < breakTo
	floor            uint64 // Raw shows nothing before it: the end of the last gap
	fin              uint64 // offset of the FIN, if finSeen
	buf              arena.Buf
	waiting          uint32 // number of records
	first, last      uint32 // waiting segments by start, as records of the pool + 1
	tsval            uint32
	wscale           uint8
	begun            bool // isn, next and base mean something
	finSeen          bool
	finAcked         bool
	ended            bool // Next has said End
	flushed          bool // everything contiguous is released
	watch            bool // keep for Raw
	ignored          bool
	trigger          bool
	deep             bool // Config.Depth was reached
}

// A flow's record must stay small: 50,000 of them are part of every worker.
const maxSession = 384

var _ [maxSession - unsafe.Sizeof(session{})]byte

func (s *session) dir(reverse bool) proto.Dir {
	if reverse == s.swapped {
		return proto.ToServer
	}
	return proto.ToClient
}

// start makes h begin with the byte of sequence number first.
func (h *half) start(isn, first seq, watch bool) {
	h.isn, h.next, h.acked, h.base, h.right = isn, first, first, first, first
	h.begun, h.watch = true, watch
}

// offset returns where n stands in the stream; negative if before its start.
func (h *half) offset(n seq) int64 { return int64(h.baseOff) + int64(int32(n-h.base)) }

// ackedOffset is the offset up to which the receiver has acknowledged bytes; the FIN is none.
func (h *half) ackedOffset() uint64 {
	o := max(h.offset(h.acked), 0)
	if h.finSeen {
		o = min(o, int64(h.fin))
	}
	return uint64(o)
}

// segment is a record of the pool: [start, end) of the stream is in the half's buffer.
type segment struct {
	start, end uint64
	next       uint32
}
