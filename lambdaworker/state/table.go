// Package state keeps what functions know about flows, and moves it between workers.
//
// A Table gives each flow a small dense handle; functions keep their records in slices indexed by it. The package
// knows nothing of packets: keys are six words, whatever they mean.
package state

import (
	"math/bits"

	"github.com/granule-nf/granule/flowhash"
)

// None is the handle of no flow.
const None = ^uint32(0)

// Table maps keys to handles 0..Cap-1. Its size is fixed, so a flood can't grow it. When it is full a new flow pushes out one of the lowest Class
// there is, in constant time; each is counted by class. Flows go by time where somebody calls Sweep. It holds no pointers.
type Table struct {
	seed    uint64
	mask    uint32
	slots   []slot // linear probing, at most half full
	entries []entry
	free    []uint32
	hand    uint32
	idle    int64
	live    int
	queues  [Established]queue
	links   []link // of flows in queues
	evicted [NumClasses]uint64
	refused uint64
	swept   uint32 // where Sweep goes on
	batch   uint32
	onEvict func(flow uint32)
}

type slot struct {
	tag uint32 // high bits of the hash, with bit 0 set where the slot is used
	idx uint32
}

type entry struct {
	key   [6]uint64
	seen  int64
	batch uint32 // in which it was used last
	used  bool
	class Class
}

// NewTable makes a table for n flows; a flow idle for longer than idle ns is a new flow when its next packet comes. seed
// keeps senders from aiming at one bucket.
func NewTable(n int, idle int64, seed uint64) *Table {
	size := uint32(1) << bits.Len32(uint32(max(n, 8))*2-1)
	t := &Table{seed: seed, mask: size - 1, slots: make([]slot, size), entries: make([]entry, n), links: make([]link, n), idle: idle}
	for c := range t.queues {
		t.queues[c] = queue{None, None}
	}
	t.free = make([]uint32, n)
	for i := range t.free {
		t.free[i] = uint32(n - 1 - i)
	}
	return t
}

// OnEvict sets what is called when a flow's handle is about to mean nothing: evicted, expired or deleted.
func (t *Table) OnEvict(f func(flow uint32)) { t.onEvict = f }

// NewBatch says that handles given out before are no longer held. Until the next call every flow that Get returns keeps its
// handle and its meaning: it is neither evicted nor found idle.
func (t *Table) NewBatch() {
	if t.batch++; t.batch == 0 { // 0 is where nobody ever calls NewBatch, and nothing is held
		t.batch = 1
	}
}

func (t *Table) held(e *entry) bool { return t.batch != 0 && e.batch == t.batch }

// Cap returns the number of handles.
func (t *Table) Cap() int { return len(t.entries) }

// Len returns the number of flows.
func (t *Table) Len() int { return t.live }

// Key returns the key of a flow.
func (t *Table) Key(flow uint32) *[6]uint64 { return &t.entries[flow].key }

// Seen returns when a flow had its last packet.
func (t *Table) Seen(flow uint32) int64 { return t.entries[flow].seen }

// Used reports whether the handle means a flow.
func (t *Table) Used(flow uint32) bool { return t.entries[flow].used }

// Idle returns after how many ns without a packet a flow is forgotten.
func (t *Table) Idle() int64 { return t.idle }

// KeepIdle changes after how many ns without a packet a flow is forgotten: before the first flow, when it is known who uses the table.
func (t *Table) KeepIdle(idle int64) { t.idle = idle }

// Keep says that a flow is alive at now, though it had no packet: another one, which it belongs to, had.
func (t *Table) Keep(flow uint32, now int64) {
	e := &t.entries[flow]
	e.seen = max(e.seen, now)
}

// Each calls f for every flow, in the order of handles.
func (t *Table) Each(f func(flow uint32)) {
	for i := range t.entries {
		if t.entries[i].used {
			f(uint32(i))
		}
	}
}

// Get returns the flow of key, made if it was not there, and whether it is new. A flow that was idle too long is
// forgotten first and counts as new. It is None when all flows near the clock's hand belong to the running batch.
func (t *Table) Get(key *[6]uint64, now int64) (flow uint32, fresh bool) {
	if flow, fresh = t.place(key, now, t.idle); flow != None {
		t.entries[flow].seen = now
		t.entries[flow].batch = t.batch
	}
	return flow, fresh
}

// Put returns the flow of key, made if it was not there, as one that had a packet at seen. It is how flows are imported.
func (t *Table) Put(key *[6]uint64, seen int64) (flow uint32) {
	if flow, _ = t.place(key, seen, 1<<63-1); flow != None {
		t.entries[flow].seen = max(t.entries[flow].seen, seen)
	}
	return flow
}

func (t *Table) place(key *[6]uint64, now, idle int64) (flow uint32, fresh bool) {
	if len(t.entries) == 0 {
		return None, false
	}
	h := flowhash.Of(key, t.seed)
	at := uint32(h) & t.mask
	tag := uint32(h>>32) | 1
	for t.slots[at].tag != 0 {
		if s := t.slots[at]; s.tag == tag && t.entries[s.idx].key == *key {
			if e := &t.entries[s.idx]; now-e.seen > idle && !t.held(e) {
				t.evict(s.idx)
				t.SetClass(s.idx, Unanswered)
				fresh = true
			}
			return s.idx, fresh
		}
		at = (at + 1) & t.mask
	}
	if len(t.free) == 0 {
		if !t.evictOne() {
			t.refused++
			return None, false
		}
		// Deleting shifts slots back; the place found above may not be the first free one any more.
		for at = uint32(h) & t.mask; t.slots[at].tag != 0; {
			at = (at + 1) & t.mask
		}
	}
	idx := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.slots[at] = slot{tag, idx}
	t.entries[idx] = entry{key: *key, seen: now, batch: t.batch - 1, used: true}
	t.enqueue(idx)
	t.live++
	return idx, true
}

// Find returns the flow of key, or None.
func (t *Table) Find(key *[6]uint64) uint32 {
	h := flowhash.Of(key, t.seed)
	tag := uint32(h>>32) | 1
	for at := uint32(h) & t.mask; t.slots[at].tag != 0; at = (at + 1) & t.mask {
		if s := t.slots[at]; s.tag == tag && t.entries[s.idx].key == *key {
			return s.idx
		}
	}
	return None
}

// Delete forgets a flow and frees its handle.
func (t *Table) Delete(flow uint32) {
	if !t.entries[flow].used {
		return
	}
	t.evict(flow)
	t.unqueue(flow)
	h := flowhash.Of(&t.entries[flow].key, t.seed)
	at := uint32(h) & t.mask
	for t.slots[at].tag == 0 || t.slots[at].idx != flow {
		at = (at + 1) & t.mask
	}
	t.unslot(at)
	t.entries[flow] = entry{}
	t.free = append(t.free, flow)
	t.live--
}

func (t *Table) evict(flow uint32) {
	if t.onEvict != nil {
		t.onEvict(flow)
	}
}

// MakeRoom evicts flows until n handles are free, or all that could go have gone.
func (t *Table) MakeRoom(n int) {
	for len(t.free) < n && t.evictOne() {
	}
}

// unslot empties slot at and moves later ones of its run back (no tombstones).
func (t *Table) unslot(at uint32) {
	hole := at
	for next := (at + 1) & t.mask; t.slots[next].tag != 0; next = (next + 1) & t.mask {
		home := uint32(flowhash.Of(&t.entries[t.slots[next].idx].key, t.seed)) & t.mask
		if (next-home)&t.mask >= (next-hole)&t.mask {
			t.slots[hole] = t.slots[next]
			hole = next
		}
	}
	t.slots[hole] = slot{}
}
