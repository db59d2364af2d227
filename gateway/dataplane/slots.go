package dataplane

import (
	"unsafe"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// none is the index of no slot, flow or connection.
const none = ^uint32(0)

// phase is where a slot stands.
type phase uint8

const (
	unused  phase = iota
	held          // a fragment: until its datagram's first one has come
	waiting       // for a worker, or for room on its connection
	sent          // to a worker, no verdict yet
	decided       // what stands before it in its flow and direction is not
	leaving       // in the queue of the other port
)

// slot is one parked packet: where it stands in three lists, who holds it, what it is. One cache line.
type slot struct {
	next          uint32 // behind it in its flow and direction, or in its port's queue once retired
	older, newer  uint32 // in the list of all slots by age
	before, after uint32 // in the list it waits in
	gen           uint32 // incremented at each use, so that a late verdict finds nothing
	flow          uint32 // entry in the flow table
	frame         uint32 // the frame's ID in the port it came from
	received      int64  // shard's clock, ns
	sub           uint16
	headers       uint16 // bytes to ship where a stage reads headers
	phase         phase
	verdict       Reason // why it is dropped, or keep
	side          ingress.Side
	stage         uint8
	chain         uint8
	owner         uint8 // shard whose port owns the frame
	flags         uint8
	holder        uint16 // connection that has it or that it waits for
	losses        uint8  // workers of its stage that were lost while they had it
	spoilt        Reason // why no link could carry what its worker made of it, or keep
	_             [8]byte
}

const (
	reversed   = 1 << 0 // slot flag: which of its flow's two queues it stands in
	bypassed   = 1 << 1 // slot flag: no chain sees it
	fragmented = 1 << 2 // slot flag: a fragment; upper says what its datagram's first one said
)

// A slot fills a cache line exactly: the compiler refuses any other size.
var _ [64]byte = [unsafe.Sizeof(slot{})]byte{}

// keep is the verdict of a packet that is not dropped.
const keep = Reason(255)

// slotTable holds all slots of a shard, and the frames parked in them.
type slotTable struct {
	s      []slot
	frames []ingress.Frame
	upper  []packet.Upper // of slots that are fragmented
	free   []uint32
	oldest uint32
	newest uint32
	inUse  [2]uint64
}

func newSlotTable(n int) *slotTable {
	t := &slotTable{s: make([]slot, n), frames: make([]ingress.Frame, n), upper: make([]packet.Upper, n), free: make([]uint32, n), oldest: none, newest: none}
	for i := range t.free {
		t.free[i] = uint32(n - 1 - i)
	}
	return t
}

// parked is how many slots are in use.
func (t *slotTable) parked() uint64 { return t.inUse[0] + t.inUse[1] }

// take parks f, which arrived at side at time now on a port of shard owner, in a free slot; the caller knows that there is one.
func (t *slotTable) take(f ingress.Frame, side ingress.Side, owner uint8, now int64) uint32 {
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.frames[i] = f
	s := &t.s[i]
	*s = slot{next: none, older: t.newest, newer: none, before: none, after: none, gen: s.gen + 1, frame: f.ID,
		received: now, side: side, owner: owner, verdict: keep, spoilt: keep, holder: noConn}
	if t.newest == none {
		t.oldest = i
	} else {
		t.s[t.newest].newer = i
	}
	t.newest = i
	t.inUse[side]++
	return i
}

// put makes slot i free; it is in no list but that of ages.
func (t *slotTable) put(i uint32) {
	s := &t.s[i]
	if s.older == none {
		t.oldest = s.newer
	} else {
		t.s[s.older].newer = s.newer
	}
	if s.newer == none {
		t.newest = s.older
	} else {
		t.s[s.newer].older = s.older
	}
	t.inUse[s.side]--
	s.phase = unused
	t.frames[i] = ingress.Frame{}
	t.free = append(t.free, i)
}

// ref names slot i as it is used now.
func (t *slotTable) ref(i uint32) uint64 { return uint64(t.s[i].gen)<<32 | uint64(i) }

// get returns the slot that ref names, unless it has been used anew since.
func (t *slotTable) get(ref uint64) (uint32, bool) {
	i := uint32(ref)
	return i, t.s[i].gen == uint32(ref>>32) && t.s[i].phase == sent
}
