package state

// Class says what the loss of a flow would cost. A full table gives up flows of the lowest class first, those first that came into it first,
// and of established ones the one that was silent longest among some. Functions say of what class a flow is as they learn it
// (SetClass); of several that share a table, the one that knows most of connections does. Until one has said so a flow is unanswered.
type Class uint8

// The classes, cheapest first.
const (
	Unanswered  Class = iota // one side alone has spoken: a SYN, a question
	Answered                 // both have, and it may be over: a handshake not complete, one question with its answer, a connection that was closed
	Established              // a conversation that goes on
	NumClasses
)

// String returns the name of c, as counters have it.
func (c Class) String() string { return [...]string{"unanswered", "answered", "established"}[c] }

// queue is the flows of a class below Established, in the order in which they came into it.
type queue struct{ head, tail uint32 }

type link struct{ prev, next uint32 }

// SetClass says of what class a flow is. It costs next to nothing where that is no news.
func (t *Table) SetClass(flow uint32, c Class) {
	e := &t.entries[flow]
	if e.class == c || !e.used {
		return
	}
	t.unqueue(flow)
	e.class = c
	t.enqueue(flow)
}

// Class returns the class of a flow.
func (t *Table) Class(flow uint32) Class { return t.entries[flow].class }

// Evicted returns how many flows of class c were pushed out by new ones while the table was full.
func (t *Table) Evicted(c Class) uint64 { return t.evicted[c] }

// Refused returns how often there was no room for a flow, since all that could have gone were in use by the running batch.
func (t *Table) Refused() uint64 { return t.refused }

func (t *Table) enqueue(flow uint32) {
	c := t.entries[flow].class
	if c == Established {
		return
	}
	q := &t.queues[c]
	t.links[flow] = link{q.tail, None}
	if q.tail == None {
		q.head = flow
	} else {
		t.links[q.tail].next = flow
	}
	q.tail = flow
}

func (t *Table) unqueue(flow uint32) {
	c := t.entries[flow].class
	if c == Established {
		return
	}
	q, l := &t.queues[c], t.links[flow]
	if l.prev == None {
		q.head = l.next
	} else {
		t.links[l.prev].next = l.next
	}
	if l.next == None {
		q.tail = l.prev
	} else {
		t.links[l.next].prev = l.prev
	}
}

// How far evictOne looks: past flows of the running batch, which may not go, and at how many established ones.
const (
	maxHeld  = 1024
	compared = 64
)

// evictOne frees the handle of the flow that costs least, and reports whether there was one.
func (t *Table) evictOne() bool {
	victim := None
	for c := range t.queues {
		flow := t.queues[c].head
		for n := 0; flow != None && t.held(&t.entries[flow]) && n < maxHeld; n++ {
			flow = t.links[flow].next
		}
		if flow != None && !t.held(&t.entries[flow]) {
			victim = flow
			break
		}
	}
	if victim == None {
		victim = t.idlest()
	}
	if victim == None {
		return false
	}
	t.evicted[t.entries[victim].class]++
	t.Delete(victim)
	return true
}

// idlest returns the flow silent longest among the next ones under the clock's hand that are not in the running batch.
func (t *Table) idlest() uint32 {
	victim := None
	for n, left := 0, compared; n < min(maxHeld, len(t.entries)) && left > 0; n++ {
		if e := &t.entries[t.hand]; e.used && !t.held(e) {
			if left--; victim == None || e.seen < t.entries[victim].seen {
				victim = t.hand
			}
		}
		if t.hand++; int(t.hand) == len(t.entries) {
			t.hand = 0
		}
	}
	return victim
}

// Sweep looks at the next n entries, all of them again and again in turn, and forgets flows for which over says that nothing about them means
// anything at now. over is not asked about flows of the running batch, nor about those that had a packet within the last quiet ns.
// It returns how many went: expired, not evicted.
func (t *Table) Sweep(n int, now, quiet int64, over func(flow uint32) bool) (gone int) {
	for range min(n, len(t.entries)) {
		if e := &t.entries[t.swept]; e.used && now-e.seen > quiet && !t.held(e) && over(t.swept) {
			t.Delete(t.swept)
			gone++
		}
		if t.swept++; int(t.swept) == len(t.entries) {
			t.swept = 0
		}
	}
	return gone
}
