package translate

// Sessions hang on a wheel by the second in which they end, so that those which have are found without looking at the others. A session of
// longer life than the wheel is met once a turn.

const (
	spokes = 512
	tick   = 30 // 1.07 s, as a shift
)

// links join sessions in a list.
type links struct{ next, prev uint32 }

var nowhere = links{None, None}

// list is a list of sessions.
type list struct{ head, tail uint32 }

var empty = list{None, None}

// member says which of a session's links a list uses.
type member uint8

const (
	turning member = iota
	waiting
)

func (s *Session) links(m member) *links {
	if m == turning {
		return &s.wheel
	}
	return &s.unanswered
}

// push puts a session at the end.
func (l *list) push(t *Table, id uint32, m member) {
	*t.sessions[id].links(m) = links{None, l.tail}
	if l.tail == None {
		l.head = id
	} else {
		t.sessions[l.tail].links(m).next = id
	}
	l.tail = id
}

// remove takes a session out, if it is in.
func (l *list) remove(t *Table, id uint32, m member) {
	k := t.sessions[id].links(m)
	if l.head != id && k.prev == None {
		return
	}
	if k.prev == None {
		l.head = k.next
	} else {
		t.sessions[k.prev].links(m).next = k.next
	}
	if k.next == None {
		l.tail = k.prev
	} else {
		t.sessions[k.next].links(m).prev = k.prev
	}
	*k = nowhere
}

func spokeOf(expires int64) int { return int(expires >> tick & (spokes - 1)) }

// schedule has the session end at a time.
func (t *Table) schedule(id uint32, s *Session, expires int64) {
	if was := spokeOf(s.expires); s.expires == 0 || was != spokeOf(expires) {
		t.wheel[was].remove(t, id, turning)
		t.wheel[spokeOf(expires)].push(t, id, turning)
	}
	s.expires = expires
}

// Sweep ends what has ended by now, but not more than a batch has time for.
func (t *Table) Sweep(now int64) {
	ended := 0
	to := now >> tick
	if to < t.at || to-t.at > spokes { // the clock was set back, or a whole turn and more went by
		t.at = to - spokes
	}
	for ; t.at < to; t.at++ {
		for id := t.wheel[t.at&(spokes-1)].head; id != None; {
			s := &t.sessions[id]
			next := s.wheel.next
			if s.expires <= now {
				if ended++; ended > maxRemoved {
					return
				}
				t.Expired++
				t.end(id)
			}
			id = next
		}
	}
}
