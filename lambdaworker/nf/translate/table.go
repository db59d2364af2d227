package translate

import (
	"math/bits"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// None is no session.
const None = ^uint32(0)

// Session is one conversation.
type Session struct {
	Keys [2]Key // as it looks on the inside and on the outside, by nf.Side

	expires    int64  // ns
	wheel      links  // sessions that end at about the same time
	unanswered links  // those that nobody has answered, the oldest first
	Tag        uint32 // whatever the function keeps with it
	Sub        uint16 // sub-flow of its packets
	phase      phase
	flags      flags
}

// flags of a session.
type flags uint8

const (
	fromOutside flags = 1 << iota // its first packet came from outside
	openerFIN                     // who opened it has sent its FIN
	otherFIN
	both  // both ends have spoken
	used  //
	dirty // a delta has to tell of it
	begun // by the run at hand, of which no packet has passed yet

	fins = openerFIN | otherFIN
)

func (s *Session) is(f flags) bool { return s.flags&f != 0 }

// opener is the side that its first packet came from.
func (s *Session) opener() nf.Side {
	if s.is(fromOutside) {
		return nf.Outside
	}
	return nf.Inside
}

// Proto is the session's protocol.
func (s *Session) Proto() uint8 { return s.Keys[0].Proto() }

// Closed reports that both ends have ended it, or one has reset it: its ports may begin another conversation.
func (s *Session) Closed() bool { return s.phase >= closed }

// Answered reports whether both ends have spoken.
func (s *Session) Answered() bool { return s.is(both) }

// Expires is when it ends if nothing more is said, ns since the Unix epoch.
func (s *Session) Expires() int64 { return s.expires }

// Bytes is what a table takes for each session that it has room for, at most: the entry, and up to four slots of each key.
const Bytes = 128 + 2*4*8

// Table holds sessions. Its size is fixed. It is used by one goroutine.
type Table struct {
	seed     uint64
	mask     uint32
	slots    []slot // linear probing, at most half full
	sessions []Session
	free     []uint32
	timeouts Timeouts
	onEnd    func(id uint32)

	wheel      [spokes]list
	at         int64 // the spoke that was swept last, counted from the epoch
	unanswered list

	dirty   []uint32    // sessions that a delta has to tell of
	removed []removal   // and those that have ended
	fresh   []beginning // of this run
	looked  [nf.MaxBatch]Looked
	touched uint32 // by Ahead

	Expired, Evicted int64 // sessions that ended by time, and that gave way to new ones
}

type slot struct {
	tag uint32 // of the hash; its low bits are the home
	ref uint32 // the session's number and one bit for the key, and one more, since 0 is empty
}

// removal is a session that has ended: its key inside, and its sub-flow.
type removal struct {
	key Key
	sub uint16
}

type beginning struct {
	id     uint32
	packet uint16
}

// maxRemoved is how many sessions a sweep ends at most; others wait for the next.
const maxRemoved = 4096

// New makes a table with room for n sessions.
func New(n int, timeouts Timeouts, seed uint64) *Table {
	n = max(n, 1)
	size := uint32(1) << bits.Len32(uint32(n)*4-1)
	t := &Table{seed: flowhash.Derive(seed, 0x7472616e736c6174), mask: size - 1, slots: make([]slot, size), sessions: make([]Session, n), free: make([]uint32, n), timeouts: timeouts, unanswered: empty,
		dirty: make([]uint32, 0, min(n, 2*maxRemoved)), removed: make([]removal, 0, 2*maxRemoved), fresh: make([]beginning, 0, 2*nf.MaxBatch)}
	for i := range t.free {
		t.free[i] = uint32(n - 1 - i)
	}
	for i := range t.wheel {
		t.wheel[i] = empty
	}
	return t
}

// OnEnd sets what is called when a session is about to end, whatever the reason.
func (t *Table) OnEnd(f func(id uint32)) { t.onEnd = f }

// Len returns how many sessions there are, Cap how many there can be.
func (t *Table) Len() int { return len(t.sessions) - len(t.free) }

// Cap is how many sessions there can be.
func (t *Table) Cap() int { return len(t.sessions) }

// Session returns a session; it must be in use.
func (t *Table) Session(id uint32) *Session { return &t.sessions[id] }

// Find returns the session that looks like k on that side at time now, or None.
func (t *Table) Find(side nf.Side, k *Key, now int64) uint32 {
	tag, at := t.home(k)
	return t.find(side, k, tag, at, now)
}

func (t *Table) find(side nf.Side, k *Key, tag, at uint32, now int64) uint32 {
	for ; t.slots[at].ref != 0; at = (at + 1) & t.mask {
		if s := t.slots[at]; s.tag == tag {
			ref := s.ref - 1
			if x := &t.sessions[ref>>1]; nf.Side(ref&1) == side && x.Keys[side] == *k {
				if x.expires <= now && !x.is(begun) {
					return None // the sweep will come to it
				}
				return ref >> 1
			}
		}
	}
	return None
}

func (t *Table) home(k *Key) (tag, at uint32) {
	tag = uint32(flowhash.Of((*[6]uint64)(k), t.seed) >> 32)
	return tag, tag & t.mask
}

// Open makes a session that packet i begins. It is None if a key is taken, or the table is full of sessions that were answered.
func (t *Table) Open(i uint16, p *nf.Packet, keys *[2]Key, tag uint32) uint32 {
	side, in, now := p.From, &p.Info, p.Time
	id := t.insert(keys, now)
	if id == None {
		return None
	}
	s := &t.sessions[id]
	s.Tag, s.Sub = tag, p.Sub
	s.flags |= begun
	if side == nf.Outside {
		s.flags |= fromOutside
	}
	s.phase = s.next(in, true)
	t.unanswered.push(t, id, waiting)
	t.rearm(id, s, now)
	t.touch(id, s)
	t.fresh = append(t.fresh, beginning{id, i})
	return id
}

// insert finds room for keys, whose session has nothing else yet.
func (t *Table) insert(keys *[2]Key, now int64) uint32 {
	for side := range keys {
		if id := t.lookup(nf.Side(side), &keys[side]); id != None {
			if s := &t.sessions[id]; s.expires > now || s.is(begun) {
				return None
			}
			t.Expired++
			t.end(id)
		}
	}
	if !t.MakeRoom() {
		return None
	}
	id := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	s := &t.sessions[id]
	// It may stand in the list of changes for the session that had its number before.
	*s = Session{Keys: *keys, flags: used | s.flags&dirty, wheel: nowhere, unanswered: nowhere}
	for side := range keys {
		tag, at := t.home(&keys[side])
		for t.slots[at].ref != 0 {
			at = (at + 1) & t.mask
		}
		t.slots[at] = slot{tag, id<<1 | uint32(side) + 1}
	}
	return id
}

// MakeRoom sees to it that there is room for a session: the oldest of those that nobody has answered goes. It reports false if there is none.
func (t *Table) MakeRoom() bool {
	if len(t.free) > 0 {
		return true
	}
	oldest := t.unanswered.head
	if oldest == None || t.sessions[oldest].is(begun) {
		return false
	}
	t.Evicted++
	t.end(oldest)
	return true
}

// lookup is Find whatever the time.
func (t *Table) lookup(side nf.Side, k *Key) uint32 {
	return t.Find(side, k, -1<<63)
}

// Hit notes packet i of a session, which came from side. Errors about it are not: they keep nothing alive.
func (t *Table) Hit(i uint16, id uint32, side nf.Side, in *packet.Info, now int64) {
	s := &t.sessions[id]
	if s.is(begun) {
		t.fresh = append(t.fresh, beginning{id, i})
	}
	byOpener := side == s.opener()
	if !byOpener && !s.is(both) {
		s.flags |= both
		t.unanswered.remove(t, id, waiting)
		t.touch(id, s)
	}
	was := s.phase
	if s.phase = s.next(in, byOpener); s.phase != was {
		t.touch(id, s)
		t.rearm(id, s, now)
		return
	}
	d := t.timeouts.timeout(s)
	if left := s.expires - now; left < d || left > d+d/16 {
		t.touch(id, s)
		t.rearm(id, s, now)
	}
}

// rearm sets when the session ends. It is a sixteenth later than it need be, so that not every packet is news to a successor.
func (t *Table) rearm(id uint32, s *Session, now int64) {
	d := t.timeouts.timeout(s)
	t.schedule(id, s, now+d+d/16)
}

func (t *Table) touch(id uint32, s *Session) {
	if !s.is(dirty) && len(t.dirty) < cap(t.dirty) {
		s.flags |= dirty
		t.dirty = append(t.dirty, id)
	}
}

// End ends a session.
func (t *Table) End(id uint32) { t.end(id) }

func (t *Table) end(id uint32) {
	s := &t.sessions[id]
	if !s.is(begun) && len(t.removed) < cap(t.removed) {
		t.removed = append(t.removed, removal{s.Keys[0], s.Sub})
	}
	t.drop(id)
}

// drop takes a session out without a word to anybody.
func (t *Table) drop(id uint32) {
	if t.onEnd != nil {
		t.onEnd(id)
	}
	s := &t.sessions[id]
	t.wheel[spokeOf(s.expires)].remove(t, id, turning)
	t.unanswered.remove(t, id, waiting)
	for side := range s.Keys {
		t.unslot(side, id)
	}
	*s = Session{flags: s.flags & dirty}
	t.free = append(t.free, id)
}

func (t *Table) unslot(side int, id uint32) {
	_, at := t.home(&t.sessions[id].Keys[side])
	for t.slots[at].ref != id<<1|uint32(side)+1 {
		at = (at + 1) & t.mask
	}
	hole := at
	for next := (at + 1) & t.mask; t.slots[next].ref != 0; next = (next + 1) & t.mask {
		if home := t.slots[next].tag & t.mask; (next-home)&t.mask >= (next-hole)&t.mask {
			t.slots[hole] = t.slots[next]
			hole = next
		}
	}
	t.slots[hole] = slot{}
}

// Forget takes out the sessions of sub-flows that moved to another worker.
func (t *Table) Forget(moved func(sub uint16) bool) {
	for id := range t.sessions {
		if s := &t.sessions[id]; s.is(used) && moved(s.Sub) {
			t.drop(uint32(id))
		}
	}
}

// Begin says that a run of packets begins at time now: sessions that have ended by then go.
func (t *Table) Begin(now int64) {
	t.fresh = t.fresh[:0]
	t.Sweep(now)
}

// Confirm keeps the sessions of which a packet has passed, and withdraws the others that the run has begun.
func (t *Table) Confirm(b *nf.Batch) {
	for _, f := range t.fresh {
		if b.Verdicts[f.packet] == nf.Pass {
			t.sessions[f.id].flags &^= begun
		}
	}
	for _, f := range t.fresh {
		if s := &t.sessions[f.id]; s.is(used) && s.is(begun) {
			t.drop(f.id)
		}
	}
	t.fresh = t.fresh[:0]
}
