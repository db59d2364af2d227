package dataplane

// queue is a list of waiting slots in the order in which they have to go.
type queue struct {
	head, tail uint32
	n          int
}

func newQueue() queue { return queue{head: none, tail: none} }

func (q *queue) push(t *slotTable, i uint32) {
	s := &t.s[i]
	s.before, s.after = q.tail, none
	if q.tail == none {
		q.head = i
	} else {
		t.s[q.tail].after = i
	}
	q.tail = i
	q.n++
}

func (q *queue) remove(t *slotTable, i uint32) {
	s := &t.s[i]
	if s.before == none {
		q.head = s.after
	} else {
		t.s[s.before].after = s.after
	}
	if s.after == none {
		q.tail = s.before
	} else {
		t.s[s.after].before = s.before
	}
	s.before, s.after = none, none
	q.n--
}

// pushFront makes slot i the first to go again.
func (q *queue) pushFront(t *slotTable, i uint32) {
	s := &t.s[i]
	s.before, s.after = none, q.head
	if q.head == none {
		q.tail = i
	} else {
		t.s[q.head].before = i
	}
	q.head = i
	q.n++
}

// pop takes the first slot, which there is.
func (q *queue) pop(t *slotTable) uint32 {
	i := q.head
	q.remove(t, i)
	return i
}
