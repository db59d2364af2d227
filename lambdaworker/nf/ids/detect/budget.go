package detect

import "github.com/granule-nf/granule/lambdaworker/nf/ids/match"

// Work is counted in ticks of about a nanosecond of one core: bytes compared, places tried, states of regular expressions. They don't
// depend on the machine and its load, so that a replay gives up what was given up live.
const (
	// evaluationTicks bounds one rule over one buffer: the places that its contents are tried at and its expressions together.
	evaluationTicks = 150_000
	// packetTicks bounds all rules on one packet.
	packetTicks = 300_000
	// shareTicks are a packet's own whatever the others of its batch took, and spareTicks what they share beside that. A batch of
	// 256 is at most 18 million: 20 to 60 ms of a core, well below the second after which a worker counts as hung.
	shareTicks = 30_000
	spareTicks = 10_000_000
	// candidateTicks are for what a candidate costs before its first byte is looked at.
	candidateTicks = 20
)

// MaxStrikes is up to how many times a flow that used up a budget has the next one halved.
const MaxStrikes = 4

// budget is what is left of the bounds on work.
type budget struct {
	spare  int // of the batch, beyond the packets' shares
	packet int // of the packet in hand
	own    int // of packet, what is not taken from spare
	gaveUp GaveUp
	ticks  uint64 // spent so far
}

// GaveUp says what was not inspected of a packet for want of budget.
type GaveUp struct {
	Sig    *Signature // the first rule that was given up; nil where nothing was
	Packet bool       // the packet's budget was used up, so rules behind that one were not tried; else that rule alone
}

// StartBatch begins a batch: the budget of the batch is whole.
func (e *Engine) StartBatch() { e.budget.spare = spareTicks }

// StartPacket begins a packet of a flow that has used up strikes budgets before. Between two calls all inspection draws on one budget.
func (e *Engine) StartPacket(strikes uint8) {
	b := &e.budget
	s := min(strikes, MaxStrikes)
	b.own = shareTicks >> s
	b.packet = b.own + min((packetTicks-shareTicks)>>s, max(b.spare, 0))
	b.gaveUp = GaveUp{}
}

// Spent reports whether the batch has little left beside the packets' shares: what can wait should.
func (e *Engine) Spent() bool { return e.budget.spare < spareTicks/4 }

// GaveUp returns what was given up since StartPacket, once.
func (e *Engine) GaveUp() GaveUp {
	g := e.budget.gaveUp
	e.budget.gaveUp.Sig = nil
	return g
}

// spend takes ticks from packet and batch.
func (b *budget) spend(ticks int) {
	b.ticks += uint64(ticks)
	b.packet -= ticks
	if b.own -= ticks; b.own < 0 {
		b.spare += b.own
		b.own = 0
	}
}

// ready reports whether s can still be tried on the packet, and notes it if not.
func (e *Engine) ready(s *Signature) bool {
	b := &e.budget
	if b.spend(candidateTicks); b.packet > 0 {
		return true
	}
	e.giveUp(s, true)
	return false
}

func (e *Engine) giveUp(s *Signature, packet bool) {
	s.Work.Exhausted++
	e.stats.Exhausted++
	if g := &e.budget.gaveUp; g.Sig == nil {
		g.Sig = s
	}
	e.budget.gaveUp.Packet = e.budget.gaveUp.Packet || packet
	e.worked(s)
}

// evaluate tries items of s over a buffer, within the budget.
func (e *Engine) evaluate(s *Signature, items []item, buf []byte) bool {
	b := &e.budget
	most := min(evaluationTicks, b.packet)
	ok := e.x.run(items, buf, most)
	spent := most - e.x.left
	b.spend(spent)
	s.Work.Evaluations++
	s.Work.Ticks += uint64(spent)
	if e.x.left < 0 {
		e.giveUp(s, b.packet <= 0)
		return false
	}
	if s.Work.Ticks-s.told.Ticks > tellTicks {
		e.worked(s)
	}
	return ok
}

// prefilter scans for the patterns of g, within the budget.
func (e *Engine) prefilter(set *match.Set, data []byte) {
	b := &e.budget
	e.seen.Ticks = max(b.packet, 0)
	left := e.seen.Ticks
	e.hits = set.Scan(data, e.seen, e.hits[:0])
	b.spend(left - e.seen.Ticks)
}

// Work is what a signature has cost.
type Work struct {
	Evaluations uint64 // how often its bytes were looked for in a buffer
	Ticks       uint64 // what that cost, in ticks of about a nanosecond
	Exhausted   uint64 // how often it was given up for want of budget
}
