package replica

import (
	"math/bits"
	"unsafe"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/lambdaworker/state"
)

const none = ^uint32(0)

// blockData is how much of an entry's data a block holds. Chains of equal blocks waste half a block an entry and never
// fragment: whatever is evicted makes room for whatever comes.
const blockData = 64

type block [blockData]byte

// record is one function's state of one flow. Its layout is that of the file (file.go); what stands before the lists is under its checksum.
type record struct {
	key          [6]uint64
	seen         int64
	told         uint64 // grows with each time that an entry is told
	data         uint32 // first block
	size         uint32
	version      uint16
	sub          uint16
	epoch        uint16 // of its function
	nf           uint8
	used         bool
	older, newer uint32 // in the order of last told, among those of its owner
	back, ahead  uint32 // the same among those of its sub-flow
	sum          uint32 // kept where the memory is a file
	owner        uint8
}

// What an entry costs: its record with two slots of the index, and its blocks with their links.
const (
	recordBytes = uint64(unsafe.Sizeof(record{})) + 16 // slots are a power of two: two to four a record
	blockBytes  = blockData + 4
	perEntry    = 256 // memory divided by this is how many records there are: one leaves room for 2.3 blocks, 150 bytes of data
)

// store holds records in an index of linear probing, and their data in blocks. It holds no pointers, and its size is fixed.
type store struct {
	seed       uint64
	slots      []uint32 // record + 1; 0 is empty. At most half full
	mask       uint32
	records    []record
	top        uint32 // records from here on have never been used
	freeRecord uint32 // list by newer
	blocks     []block
	next       []uint32
	topBlock   uint32
	freeBlock  uint32
	blocksFree int
	blocksUsed int
	owners     []owner
	speaks     uint8 // the owner that told last
	subs       []subFlow
	copies     []Copy // in use or not
	live       int
	evicted    uint64
	refused    uint64
	told       uint64 // entries told so far
	era        uint64
	eraSum     uint32
	sealed     bool                 // the memory is a file: records have checksums
	epochs     [maxFunctions]uint16 // of each function: records of an earlier one are forgotten, and go when they are the oldest
}

// subFlow is the list of a sub-flow's records, in the order of last told.
type subFlow struct {
	oldest, newest uint32
	copy           uint16 // index + 1 of the copy that is made of it
}

func newStore(z sizes, m memory, seed uint64) store {
	slots := 1 << bits.Len(uint(2*z.records-1))
	subs := make([]subFlow, SubFlows)
	for i := range subs {
		subs[i] = subFlow{oldest: none, newest: none}
	}
	return store{seed: seed, subs: subs, slots: make([]uint32, slots), mask: uint32(slots - 1), records: m.records, freeRecord: none,
		blocks: m.blocks, next: m.next, freeBlock: none, blocksFree: len(m.blocks), owners: make([]owner, maxOwners)}
}

// first returns the first slot that has a record of key; following the next one behind slot i.
func (s *store) first(key *[6]uint64) (slot uint32, ok bool) {
	return s.following(s.home(key)-1, key)
}

func (s *store) following(i uint32, key *[6]uint64) (slot uint32, ok bool) {
	for i = (i + 1) & s.mask; s.slots[i] != 0; i = (i + 1) & s.mask {
		if s.records[s.slots[i]-1].key == *key {
			return i, true
		}
	}
	return i, false
}

// find returns the record of e's key and function that worker has a say in. There may be others, under sub-flows that are not its.
func (s *store) find(e *state.Entry, worker uint32, say Say) (slot uint32, ok bool) {
	i, ok := s.first(&e.Key)
	for ; ok; i, ok = s.following(i, &e.Key) {
		if r := &s.records[s.slots[i]-1]; r.nf == e.NF && (r.sub == e.Sub || say.Holds(worker, r.sub)) {
			break
		}
	}
	return i, ok
}

// put replaces what is known of e's key and function by e, which worker says, as far as it has a say in that. No data is no state.
func (s *store) put(e *state.Entry, worker uint32, say Say) {
	i, ok := s.find(e, worker, say)
	if !ok && !s.unrivalled(e, say) {
		s.refused++
		return
	}
	if len(e.Data) == 0 {
		s.forgotten(e)
		if ok {
			s.remove(i)
		}
		return
	}
	need := (len(e.Data) + blockData - 1) / blockData
	if need > len(s.blocks) {
		s.forgotten(e) // what was known is no longer true
		if ok {
			s.remove(i)
		}
		s.evicted++
		return
	}
	if ok {
		rec := s.slots[i] - 1
		if r := &s.records[rec]; (int(r.size)+blockData-1)/blockData == need {
			s.unlink(rec)
			s.fill(rec, e) // the common case: the same blocks again
			s.link(rec, worker)
			return
		}
		s.remove(i)
	}
	for need > s.blocksFree || s.freeRecord == none && int(s.top) == len(s.records) {
		s.evict()
	}
	rec := s.takeRecord()
	r := &s.records[rec]
	r.key, r.nf, r.used, r.data = e.Key, e.NF, true, s.takeBlocks(need)
	s.fill(rec, e)
	s.link(rec, worker)
	s.live++
	i = s.home(&e.Key)
	for s.slots[i] != 0 {
		i = (i + 1) & s.mask
	}
	s.slots[i] = rec + 1
}

func (s *store) fill(rec uint32, e *state.Entry) {
	r := &s.records[rec]
	s.told++
	r.told = s.told
	r.seen, r.version, r.sub, r.epoch, r.size = e.Seen, e.Version, e.Sub, s.epochs[e.NF], uint32(len(e.Data))
	b := r.data
	for data := e.Data; len(data) > 0; b = s.next[b] {
		data = data[copy(s.blocks[b][:], data):]
	}
	if s.sealed {
		r.sum, _ = s.seal(r)
	}
}

// append appends record rec as an entry.
func (s *store) append(dst []byte, rec uint32, e *state.Entry) []byte {
	r := &s.records[rec]
	*e = state.Entry{Kind: state.Flow, NF: r.nf, Version: r.version, Sub: r.sub, Key: r.key, Seen: r.seen}
	start := len(dst)
	dst = state.Begin(dst, e)
	data := len(dst)
	for left, b := int(r.size), r.data; left > 0; left, b = left-blockData, s.next[b] {
		dst = append(dst, s.blocks[b][:min(left, blockData)]...)
	}
	return state.End(dst, start, data)
}

// unrivalled reports whether a flow that is new in e's sub-flow may be known there. What another worker says of the same flow stays if
// the flow is one of its sub-flow by its key, and goes if it is one of e's.
func (s *store) unrivalled(e *state.Entry, say Say) bool {
	for i, ok := s.first(&e.Key); ok; i, ok = s.following(i, &e.Key) {
		r := &s.records[s.slots[i]-1]
		if r.nf != e.NF {
			continue
		}
		if say.Home(r.sub, &e.Key) {
			return false
		}
		if say.Home(e.Sub, &e.Key) {
			rival := state.Entry{Kind: state.Flow, NF: r.nf, Version: r.version, Sub: r.sub, Key: r.key}
			s.forgotten(&rival)
			s.remove(i)
			i-- // removing moves later slots of the run back
		}
	}
	return true
}

// evict gives up the record told longest ago by the worker that has most. There is one: nothing else takes room.
func (s *store) evict() {
	rec := s.largest().oldest
	i, _ := s.first(&s.records[rec].key)
	for s.slots[i] != rec+1 {
		i, _ = s.following(i, &s.records[rec].key)
	}
	s.remove(i)
	s.evicted++
}

// remove frees the record of slot i and moves later slots of its run back.
func (s *store) remove(i uint32) {
	rec := s.slots[i] - 1
	r := &s.records[rec]
	s.unlink(rec)
	s.freeBlocks(r.data, (int(r.size)+blockData-1)/blockData)
	*r = record{newer: s.freeRecord}
	s.freeRecord = rec
	s.live--
	hole := i
	for j := (i + 1) & s.mask; s.slots[j] != 0; j = (j + 1) & s.mask {
		home := s.home(&s.records[s.slots[j]-1].key)
		if (j-home)&s.mask >= (j-hole)&s.mask {
			s.slots[hole] = s.slots[j]
			hole = j
		}
	}
	s.slots[hole] = 0
}

func (s *store) takeRecord() uint32 {
	if rec := s.freeRecord; rec != none {
		s.freeRecord = s.records[rec].newer
		return rec
	}
	s.top++
	return s.top - 1
}

// takeBlocks returns a chain of n blocks; there are as many.
func (s *store) takeBlocks(n int) (first uint32) {
	first = none
	s.blocksFree -= n
	s.blocksUsed += n
	for range n {
		b := s.freeBlock
		if b != none {
			s.freeBlock = s.next[b]
		} else {
			b = s.topBlock
			s.topBlock++
		}
		s.next[b] = first
		first = b
	}
	return first
}

func (s *store) freeBlocks(first uint32, n int) {
	s.blocksFree += n
	s.blocksUsed -= n
	for b := first; n > 0; n-- {
		after := s.next[b]
		s.next[b] = s.freeBlock
		s.freeBlock = b
		b = after
	}
}

func (s *store) link(rec, worker uint32) {
	r := &s.records[rec]
	r.owner = s.ownerOf(worker)
	o := &s.owners[r.owner]
	o.live++
	r.older, r.newer = o.newest, none
	if o.newest == none {
		o.oldest = rec
	} else {
		s.records[o.newest].newer = rec
	}
	o.newest = rec
	l := &s.subs[r.sub]
	r.back, r.ahead = l.newest, none
	if l.newest == none {
		l.oldest = rec
	} else {
		s.records[l.newest].ahead = rec
	}
	l.newest = rec
	if l.copy != 0 {
		if c := &s.copies[l.copy-1]; c.next == none {
			c.next = rec
		}
	}
}

func (s *store) unlink(rec uint32) {
	r := &s.records[rec]
	o := &s.owners[r.owner]
	o.live--
	if r.older == none {
		o.oldest = r.newer
	} else {
		s.records[r.older].newer = r.newer
	}
	if r.newer == none {
		o.newest = r.older
	} else {
		s.records[r.newer].older = r.older
	}
	l := &s.subs[r.sub]
	if l.copy != 0 {
		if c := &s.copies[l.copy-1]; c.next == rec {
			c.next = r.ahead
		}
	}
	if r.back == none {
		l.oldest = r.ahead
	} else {
		s.records[r.back].ahead = r.ahead
	}
	if r.ahead == none {
		l.newest = r.back
	} else {
		s.records[r.ahead].back = r.back
	}
}

// home is the slot where the search for key begins.
func (s *store) home(key *[6]uint64) uint32 { return uint32(flowhash.Of(key, s.seed)) & s.mask }
