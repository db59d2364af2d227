package detect

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Tx is a transaction as one direction of it is inspected.
type Tx interface {
	// Ready reports whether b is complete, or a body that is due for a look.
	Ready(b rule.Buffer) bool
	// More reports whether b is a body of which later looks will show more.
	More(b rule.Buffer) bool
	// Seen returns how many bytes at the beginning of b earlier looks have shown; 0 but for bodies.
	Seen(b rule.Buffer) int
	// Bytes returns the i-th b; there is one at most, unless b is Multi.
	Bytes(b rule.Buffer, i int) ([]byte, bool)
	// Number returns the i-th b that is a number.
	Number(b rule.Buffer, i int) (uint64, bool)
	// Complete reports that nothing more comes in this direction.
	Complete() bool
}

// TxState is what the engine remembers of a transaction: which buffers were looked at, and which signatures matched in part.
// Its zero value is that of a new transaction.
type TxState struct {
	scanned [2]uint64
	started [2]bool
	// Triggered is the caller's: that the end of a direction made a look at the stream due.
	Triggered [2]bool
	// Done is the caller's: that a direction was inspected to its end.
	Done [2]bool
	head [2]int32 // record + 1
}

// record is a signature under inspection in a direction of a transaction.
type record struct {
	sig   uint32
	mask  uint32 // sections that matched; bit 31 is the payload
	next  int32
	state uint8
}

const (
	open uint8 = iota
	fired
	dead
)

const payloadBit = 1 << 31

// records is the pool of records.
type records struct {
	all  []record
	free int32 // + 1
}

func (r *records) init(n int) {
	r.all = make([]record, n)
	for i := range r.all {
		r.all[i].next = int32(i) // the one before, + 1
	}
	r.free = int32(n)
}

func (r *records) get() int32 {
	i := r.free - 1
	if i >= 0 {
		r.free = r.all[i].next
	}
	return i
}

// Release gives back the memory of a transaction's state.
func (e *Engine) Release(t *TxState) {
	for d := range t.head {
		for i := t.head[d]; i > 0; {
			n := e.records.all[i-1].next
			e.records.all[i-1].next = e.records.free
			e.records.free = i
			i = n
		}
	}
	*t = TxState{}
}

// track makes the candidates found records of the transaction, unless they are already.
func (e *Engine) track(t *TxState, dir proto.Dir) {
	if len(e.found) == 0 {
		return
	}
	for i := t.head[dir]; i > 0; i = e.records.all[i-1].next {
		e.stamp[e.records.all[i-1].sig] = 0
	}
	for _, num := range e.found {
		if e.stamp[num] != e.epoch {
			continue
		}
		i := e.records.get()
		if i < 0 {
			e.stats.RecordsFull++
			continue
		}
		e.records.all[i] = record{sig: num, next: t.head[dir]}
		t.head[dir] = i + 1
	}
}

// Transaction tries the signatures of app on one direction of a transaction. first is the first buffer of the application:
// TxState counts from it.
func (e *Engine) Transaction(p *Packet, app rule.App, tx Tx, t *TxState, id int64) {
	dir := p.Dir
	g := &e.txs[app][dir]
	e.begin()
	if !t.started[dir] {
		t.started[dir] = true
		e.candidates(g.always)
	}
	for i := range g.buffers {
		b := &g.buffers[i]
		bit := uint64(1) << (b.buffer - firstBuffer[app])
		if t.scanned[dir]&bit != 0 || !tx.Ready(b.buffer) {
			continue
		}
		if !tx.More(b.buffer) {
			t.scanned[dir] |= bit
		}
		e.scanBuffer(b, tx)
	}
	e.stats.Candidates += uint64(len(e.found))
	e.track(t, dir)
	e.inspect(p, tx, t, id)
}

// firstBuffer is the first buffer of each application.
var firstBuffer = func() (f [numApps]rule.Buffer) {
	for b := rule.NumBuffers; b > 0; b-- {
		f[(b - 1).App()] = b - 1
	}
	return f
}()

func (e *Engine) scanBuffer(b *txBuffer, tx Tx) {
	seen := tx.Seen(b.buffer)
	for i := 0; ; i++ {
		data, ok := tx.Bytes(b.buffer, i)
		if !ok {
			return
		}
		for j := range b.chains {
			c := &b.chains[j]
			d, from := data, 0
			if len(c.transforms) > 0 {
				d = e.transformed(c.transforms, c.chain, data)
			} else if seen > 0 {
				// What was found before is under inspection already.
				from = max(0, min(seen, len(data))-c.group.overlap)
			}
			e.scan(&c.group, d, from)
		}
		if !b.buffer.Multi() {
			return
		}
	}
}

// inspect goes on with all open records, in the order of trial.
func (e *Engine) inspect(p *Packet, tx Tx, t *TxState, id int64) {
	e.live = e.live[:0]
	for d := range t.head {
		for i := t.head[d]; i > 0; i = e.records.all[i-1].next {
			r := &e.records.all[i-1]
			// A rule about both sides has its record where it was found, and goes on in the other direction.
			if r.state == open && len(e.live) < cap(e.live) && (d == int(p.Dir) || e.sigs[r.sig].Rule.Transactional) {
				e.live = append(e.live, i-1)
			}
		}
	}
	slices.SortFunc(e.live, e.byNumber)
	for _, i := range e.live {
		if !e.ready(e.sigs[e.records.all[i].sig]) {
			break
		}
		e.advance(p, tx, &e.records.all[i], id)
	}
}

func (e *Engine) byNumber(a, b int32) int {
	return int(e.records.all[a].sig) - int(e.records.all[b].sig)
}

// advance tries what of a signature has not matched yet.
func (e *Engine) advance(p *Packet, tx Tx, r *record, id int64) {
	s := e.sigs[r.sig]
	if r.mask == 0 && !s.Rule.Transactional && (!s.header(p) || !s.flow(p)) {
		r.state = dead
		return
	}
	waiting := false
	for i := range s.tx {
		c := &s.tx[i]
		if r.mask>>i&1 != 0 {
			continue
		}
		if c.sides>>p.Dir&1 == 0 || !tx.Ready(c.buffer) {
			waiting = true
			if tx.Complete() && c.sides>>p.Dir&1 != 0 && !s.Rule.Transactional {
				r.state = dead
				return
			}
			continue
		}
		if e.txSection(s, c, tx) {
			r.mask |= 1 << i
			continue
		}
		if !tx.More(c.buffer) {
			r.state = dead
			return
		}
		waiting = true
	}
	stream := false
	if s.payload != nil && r.mask&payloadBit == 0 {
		ok := false
		if stream, ok = e.payload(s, p); ok {
			r.mask |= payloadBit
		} else {
			waiting = true
		}
	}
	if waiting || p.Pseudo && s.Rule.NeedPacket || !p.fields(s.Rule.Fields) || !e.remembered(s, p) {
		return
	}
	r.state = fired
	e.matched(s, p, id, stream)
}

// txSection reports whether any instance of the section's buffer matches.
func (e *Engine) txSection(s *Signature, c *section, tx Tx) bool {
	if len(c.items) > 0 && c.items[0].kind == rule.Compare {
		return numbers(c, tx)
	}
	for i := 0; ; i++ {
		data, ok := tx.Bytes(c.buffer, i)
		if !ok {
			return i == 0 && c.absent
		}
		if (!c.absent || c.orAbsent) && e.section(s, c, data) {
			return true
		}
		if !c.buffer.Multi() {
			return false
		}
	}
}

// numbers reports whether the section's comparisons hold for the buffer's number, or for those among many that they are about.
func numbers(c *section, tx Tx) bool {
	for k := range c.items {
		it := &c.items[k]
		if !it.pick.Holds(it.size, func(i int) (uint64, bool) { return tx.Number(c.buffer, i) }) {
			return false
		}
	}
	return true
}
