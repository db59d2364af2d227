package flowtable

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
)

// Config says how big a Table is and how long it remembers.
type Config struct {
	Flows  int    // flows at a time, 1 to 1<<28
	IdleNS int64  // a flow that was idle for longer is forgotten; 0 means 300 s
	Seed   uint64 // secret of the hash; keeps senders from aiming at one bucket
}

// candidates is how many entries a full table looks at to find one to give up.
const candidates = 16

// Table finds the Entry of a flow. See the package's comment.
type Table struct {
	entries []Entry // Cap of them, then the overflow entries
	slots   []slot  // a power of two; linear probing, at most two thirds full
	shift   uint8   // home slot of a tag is tag >> shift
	mask    uint32
	flows   uint32
	free    uint32 // first of the free entries, None if there is none
	hand    uint32 // where the next look for idle entries starts
	idle    int64
	seed    uint64
	live    int
	expired uint64
	evicted uint64
	full    uint64
	touched uint64 // sum of what Prefetch read, so that the reads are not optimised away
	homes   [MaxBurst]uint32
}

// slot is one place of the directory. tag is the top of the key's hash with bit 0 set, 0 where the slot is empty. Its upper bits
// say which slot is its home, so slots can be moved without a look at the entries.
type slot struct {
	tag uint32
	idx uint32
}

// New makes a table, and touches all its memory so that no packet pays for it. A Config out of range is brought into it.
func New(cfg Config) *Table {
	n := max(1, min(cfg.Flows, 1<<28))
	if cfg.IdleNS <= 0 {
		cfg.IdleNS = 300e9
	}
	width := max(3, bits.Len32(uint32(n)+uint32(n)/2-1))
	t := &Table{
		entries: make([]Entry, n+Overflows),
		slots:   make([]slot, 1<<width),
		shift:   uint8(32 - width),
		mask:    1<<width - 1,
		flows:   uint32(n),
		idle:    cfg.IdleNS,
		seed:    cfg.Seed,
	}
	clear(t.slots)
	for i := range n {
		t.entries[i].link = uint32(i + 1)
	}
	t.entries[n-1].link = None
	for i := range Overflows {
		t.entries[n+i].reset(&packet.Key{}, 0)
		t.entries[n+i].SubFlow = uint16(i)
	}
	return t
}

// Get returns the index of key's entry and notes that it was used at now. A flow not in the table, or idle for too
// long, gets an entry that is fresh. If the table is full of flows with packets in flight idx is None.
func (t *Table) Get(key *packet.Key, now int64) (idx uint32, fresh bool) {
	return t.GetHashed(key, t.Hash(key), now)
}

// Hash returns the hash of key that the table goes by, for GetHashed and Prefetch.
func (t *Table) Hash(key *packet.Key) uint64 { return key.Hash(t.seed) }

// GetHashed is Get for a caller that has the key's Hash already.
func (t *Table) GetHashed(key *packet.Key, hash uint64, now int64) (idx uint32, fresh bool) {
	tag := tagOf(hash)
	at := tag >> t.shift
	for t.slots[at].tag != 0 {
		if s := t.slots[at]; s.tag == tag {
			e := &t.entries[s.idx]
			if e.Key == *key {
				if now-e.Seen > t.idle && e.InFlight == 0 {
					e.reset(key, now)
					t.expired++
					return s.idx, true
				}
				e.Seen = now
				return s.idx, false
			}
		}
		at = (at + 1) & t.mask
	}
	if t.free == None {
		if !t.makeRoom(now) {
			t.full++
			return None, false
		}
		// Removing an entry moves slots; the place found above may not be the first free one any more.
		for at = tag >> t.shift; t.slots[at].tag != 0; {
			at = (at + 1) & t.mask
		}
	}
	idx = t.free
	e := &t.entries[idx]
	t.free = e.link
	e.reset(key, now)
	t.slots[at] = slot{tag, idx}
	t.live++
	return idx, true
}

// Find returns the index of key's entry without using it, or None.
func (t *Table) Find(key *packet.Key) uint32 {
	tag := t.tag(key)
	for at := tag >> t.shift; t.slots[at].tag != 0; at = (at + 1) & t.mask {
		if s := t.slots[at]; s.tag == tag && t.entries[s.idx].Key == *key {
			return s.idx
		}
	}
	return None
}

// Entry returns entry idx, which is not None. It is the flow's while Entry.Gen stays the same.
func (t *Table) Entry(idx uint32) *Entry { return &t.entries[idx] }

// Overflow returns the index of the entry that flows of that sub-flow share while the table is full. It is always there,
// has no key, and is not counted by Len and Cap.
func (t *Table) Overflow(subflow uint16) uint32 { return t.flows + uint32(subflow)%Overflows }

// Len returns the number of flows in the table.
func (t *Table) Len() int { return t.live }

// Cap returns how many flows have room.
func (t *Table) Cap() int { return int(t.flows) }

// Expired returns how many flows were forgotten because they were idle.
func (t *Table) Expired() uint64 { return t.expired }

// Evicted returns how many flows were given up before their time because the table was full.
func (t *Table) Evicted() uint64 { return t.evicted }

// Full returns how many times Get found no room.
func (t *Table) Full() uint64 { return t.full }

// Bytes returns the memory the table has, all of it taken by New.
func (t *Table) Bytes() int { return len(t.entries)*96 + len(t.slots)*8 }

func (t *Table) tag(key *packet.Key) uint32 { return tagOf(t.Hash(key)) }

func tagOf(hash uint64) uint32 { return uint32(hash>>32) | 1 }
