package ids

import "github.com/granule-nf/granule/lambdaworker/nf"

// silence is how long a session may say nothing before what it said is looked at, though it is no whole chunk. It is below the
// time after which a flow table forgets a silent flow.
const silence = int64(60e9)

// quiet lists the sessions that are followed, the one that was silent longest first. The last place is the list's own.
type quiet struct {
	next, prev []uint32
}

func newQuiet(flows int) quiet {
	q := quiet{next: make([]uint32, flows+1), prev: make([]uint32, flows+1)}
	for i := range q.next {
		q.next[i], q.prev[i] = uint32(i), uint32(i)
	}
	return q
}

// remove takes a session off the list; one that is not on it stays off.
func (q *quiet) remove(h uint32) {
	q.next[q.prev[h]], q.prev[q.next[h]] = q.next[h], q.prev[h]
	q.next[h], q.prev[h] = h, h
}

// spoke puts a session at the end.
func (q *quiet) spoke(h uint32) {
	q.remove(h)
	own := uint32(len(q.next) - 1)
	last := q.prev[own]
	q.next[last], q.prev[h] = h, last
	q.next[h], q.prev[own] = own, h
}

// first returns the session that was silent longest, none if the list is empty.
func (q *quiet) first() uint32 {
	own := uint32(len(q.next) - 1)
	if q.next[own] == own {
		return none
	}
	return q.next[own]
}

// lookAtQuiet inspects what sessions that fell silent have said. A watcher would wait for a whole chunk or the session's end,
// and a session whose end is never seen would go uninspected.
func (n *IDS) lookAtQuiet(now int64) {
	for h := n.quiet.first(); h != none && now-n.flows[h].last > silence && !n.engine.Spent(); h = n.quiet.first() {
		n.quiet.remove(h)
		f := &n.flows[h]
		if f.closed || f.dropped || f.passed {
			continue
		}
		n.stats.Quiet++
		n.startPacket(h)
		n.last = nf.Packet{Time: now}
		n.p = &n.last
		n.streams.Trigger(h, toServer)
		n.streams.Trigger(h, toClient)
		n.lookAside(h, f, now, [2]bool{})
		n.b.Touch(h)
	}
}
