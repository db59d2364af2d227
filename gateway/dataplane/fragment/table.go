package fragment

import (
	"time"

	"github.com/granule-nf/granule/ingress/packet"
)

// Verdict is what becomes of a fragment.
type Verdict uint8

// Verdicts.
const (
	Go      Verdict = iota // it goes on, with what Upper says
	First                  // it goes on, and what was held behind it
	Hold                   // it is to be appended to what is held
	Overlap                // it is dropped: its bytes have been seen, or contradict others
	Spoil                  // it is dropped, and so is what is held
	Limit                  // it is dropped: too many wait
)

// Timeouts of a datagram, from its first fragment on.
const (
	Timeout4 = int64(30 * time.Second)
	Timeout6 = int64(60 * time.Second)
)

// MaxHeld is how many fragments of one datagram are held: 64 KiB in packets of 576 bytes.
const MaxHeld = 128

// None is no slot, and no entry.
const None = ^uint32(0)

// ways is how many entries a bucket has.
const ways = 8

// Config says how much there is room for.
type Config struct {
	Datagrams int    // at a time; rounded up to a power of two, at least 8
	Held      int    // fragments held in all
	Seed      uint64 // of the hash
}

// Entry is a datagram.
type Entry struct {
	key        packet.Key
	began      int64
	upper      packet.Upper
	state      state
	end        uint16      // length of the datagram in units of eight bytes, once its last fragment was seen; else 0
	units      uint16      // seen
	held       uint16      // fragments
	Head, Tail uint32      // list of what is held, kept by whoever asks; None
	seen       [128]uint64 // a bit for each unit
}

type state uint8

const (
	unused state = iota
	waiting
	known
	spoiled
)

// Table holds the datagrams of one shard. It allocates nothing after New.
type Table struct {
	entries []Entry
	mask    uint64
	cfg     Config
	held    int
	used    int
	sweep   int // entry that Expire looks at next
	Evicted uint64
}

// New makes a table.
func New(cfg Config) *Table {
	n := ways
	for n < cfg.Datagrams {
		n *= 2
	}
	return &Table{entries: make([]Entry, n), mask: uint64(n/ways - 1), cfg: cfg}
}

// Held is how many fragments are held.
func (t *Table) Held() int { return t.held }

// Len is how many datagrams there are.
func (t *Table) Len() int { return t.used }

// Entry returns entry i, which Add or Expire named.
func (t *Table) Entry(i uint32) *Entry { return &t.entries[i] }

// Upper is what the first fragment said; the datagram is known.
func (e *Entry) Upper() packet.Upper { return e.upper }

// Add takes note of a fragment whose datagram has that key, at now (ns). It returns the datagram's entry where what is held of it is to be appended to (Hold), is
// to go on (First) or to be dropped (Spoil): whoever asked has emptied the list before the next call. drop is called with the list of an entry that
// had to go for this one. For Go and First, upper is the datagram's.
func (t *Table) Add(frame []byte, in *packet.Info, key *packet.Key, now int64, drop func(head uint32, timedOut bool)) (i uint32, upper packet.Upper, v Verdict) {
	if in.FragOff == 0 && !in.MoreFrags {
		return None, in.Upper(frame), Go
	}
	i = t.find(key, now, drop)
	if i == None {
		return None, packet.Upper{}, Limit
	}
	e := &t.entries[i]
	m := e.mark(in)
	if m == fresh && in.Headless() {
		m = contradicts
	}
	switch m {
	case repeated:
		return i, packet.Upper{}, Overlap
	case contradicts:
		t.spoil(e)
		return i, packet.Upper{}, Spoil
	}
	if in.FragOff == 0 {
		e.state, e.upper = known, in.Upper(frame)
		upper = e.upper
		t.held -= int(e.held)
		e.held = 0
		t.close(e)
		return i, upper, First
	}
	if e.state == known {
		upper = e.upper
		t.close(e)
		return i, upper, Go
	}
	if e.held == MaxHeld || t.held >= t.cfg.Held {
		return i, packet.Upper{}, Limit
	}
	e.held++
	t.held++
	return i, packet.Upper{}, Hold
}

// close frees an entry whose datagram is complete; its list stays until the next call.
func (t *Table) close(e *Entry) {
	if e.complete() {
		e.state = unused
		t.used--
	}
}

func (t *Table) spoil(e *Entry) {
	e.state = spoiled
	t.held -= int(e.held)
	e.held = 0
}

// find returns the entry of a datagram, a new one if there is none.
func (t *Table) find(key *packet.Key, now int64, drop func(head uint32, timedOut bool)) uint32 {
	first := uint32(key.Hash(t.cfg.Seed)&t.mask) * ways
	victim := first
	for i := first; i < first+ways; i++ {
		e := &t.entries[i]
		if e.state != unused && now-e.began > e.timeout() {
			t.end(e, drop, true)
		}
		if e.state != unused && e.key == *key {
			return i
		}
		if e.cheaper(&t.entries[victim]) {
			victim = i
		}
	}
	e := &t.entries[victim]
	if e.state != unused {
		t.Evicted++
		t.end(e, drop, false)
	}
	t.used++
	*e = Entry{key: *key, began: now, state: waiting, Head: None, Tail: None}
	return victim
}

// cheaper reports whether e goes before o where one has to.
func (e *Entry) cheaper(o *Entry) bool {
	if a, b := e.state.worth(), o.state.worth(); a != b {
		return a < b
	}
	return e.began < o.began
}

func (s state) worth() int { return [...]int{unused: 0, spoiled: 1, waiting: 2, known: 3}[s] }

func (e *Entry) timeout() int64 {
	if packet.Kind(e.key[4]>>12&3) == packet.IPv4 {
		return Timeout4
	}
	return Timeout6
}

// end frees an entry; what it holds is dropped.
func (t *Table) end(e *Entry, drop func(head uint32, timedOut bool), timedOut bool) {
	head := None
	if e.held > 0 {
		t.held -= int(e.held)
		head = e.Head
	}
	*e = Entry{}
	t.used--
	if head != None {
		drop(head, timedOut)
	}
}

// Expire looks at n entries for those whose time is over at now, and calls drop with the list of what such a one held.
func (t *Table) Expire(now int64, n int, drop func(head uint32, timedOut bool)) {
	for range min(n, len(t.entries)) {
		e := &t.entries[t.sweep]
		if t.sweep++; t.sweep == len(t.entries) {
			t.sweep = 0
		}
		if e.state != unused && now-e.began > e.timeout() {
			t.end(e, drop, true)
		}
	}
}

// DropAll ends every datagram, and calls drop with the list of what it held.
func (t *Table) DropAll(drop func(head uint32, timedOut bool)) {
	for i := range t.entries {
		if t.entries[i].state != unused {
			t.end(&t.entries[i], drop, true)
		}
	}
}
