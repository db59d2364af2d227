package detect

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/match"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/pcre"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// numApps is the number of rule.App values that have transactions, and AnyApp.
const numApps = int(rule.AppFailed)

// Engine tries signatures. It is used by one goroutine.
type Engine struct {
	sigs    []*Signature
	byID    map[uint64]uint32 // number by gid<<32 | sid
	counted []uint32          // signatures whose counters changed since they were sent
	packets [2][protoCount]portGroups
	txs     [numApps][2]txGroups
	chains  [][]rule.Transform // distinct chains of transforms; chain n is chains[n-1]

	programs int // largest regular expression
	regexps  []*pcre.Regexp
	patterns int // largest group
	overlap  int // longest pattern looked for in streams, less one

	x         inspector
	transform *transformer
	seen      *match.Seen
	hits      []uint32
	stamp     []uint32 // one a signature: the run in which it became a candidate
	epoch     uint32
	found     []uint32 // candidates

	records records
	live    []int32 // records of the transaction under inspection

	xbits  *xbits
	budget budget
	queue  []Match
	limits *limits
	stats  Stats
}

// Stats are counters of an Engine since its start.
type Stats struct {
	Candidates  uint64 // found by the prefilter
	Matches     uint64
	Suppressed  uint64 // by threshold or detection_filter
	QueueFull   uint64 // matches lost: too many on one packet
	BitsFull    uint64 // flowbits not set: MaxBits are
	IntsFull    uint64 // variables not set: MaxInts are
	RecordsFull uint64 // candidates of transactions lost: no memory
	LimitsFull  uint64 // thresholds that forgot an entry for another
	XBitsFull   uint64 // bits of addresses that gave way to others
	Exhausted   uint64 // rules given up for want of budget
	Ticks       uint64 // what inspection cost, in ticks of about a nanosecond
}

// Match is a signature that matched.
type Match struct {
	Sig    *Signature
	Tx     int64 // number of the transaction, -1 without
	Stream bool  // in the stream
}

// maxQueue is how many matches one packet may have.
const maxQueue = 256

// New compiles rules.
func New(rules []*rule.Rule, cfg Config) *Engine {
	e := &Engine{}
	e.compile(rules)
	e.build()
	e.x.machine = pcre.NewMachine(max(e.programs, 1))
	e.x.machine.Prepare(e.regexps)
	e.transform = newTransformer()
	e.seen = match.NewSeen(e.patterns)
	e.hits = make([]uint32, 0, e.patterns)
	e.stamp = make([]uint32, len(e.sigs))
	e.found = make([]uint32, 0, len(e.sigs))
	e.queue = make([]Match, 0, maxQueue)
	e.records.init(cfg.Records)
	e.counted = make([]uint32, 0, len(e.sigs))
	e.byID = make(map[uint64]uint32, len(e.sigs))
	for _, s := range e.sigs {
		e.byID[uint64(s.Rule.GID)<<32|uint64(s.Rule.SID)] = s.num
	}
	e.live = make([]int32, 0, len(e.sigs))
	e.limits = newLimits(e.sigs, cfg.Limits)
	e.xbits = newXBits(e.sigs, cfg.Limits)
	e.StartBatch()
	e.StartPacket(0)
	return e
}

// Config sizes an Engine's memory.
type Config struct {
	Records int // signatures under inspection in all transactions together
	Limits  int // thresholds' counters
}

// Signatures returns the signatures in the order of trial.
func (e *Engine) Signatures() []*Signature { return e.sigs }

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.LimitsFull, s.Ticks = e.limits.full, e.budget.ticks
	s.XBitsFull = e.xbits.full
	return s
}

func (e *Engine) chain(ts []rule.Transform) int {
	if len(ts) == 0 {
		return 0
	}
	same := func(o []rule.Transform) bool {
		return slices.EqualFunc(o, ts, func(a, b rule.Transform) bool {
			return a.Kind == b.Kind && string(a.Key) == string(b.Key) && a.Base64 == b.Base64
		})
	}
	if i := slices.IndexFunc(e.chains, same); i >= 0 {
		return i + 1
	}
	e.chains = append(e.chains, ts)
	return len(e.chains)
}

// begin starts a list of candidates.
func (e *Engine) begin() {
	e.found = e.found[:0]
	e.transform.of = nil
	if e.epoch++; e.epoch == 0 { // wrapped
		clear(e.stamp)
		e.epoch = 1
	}
}

func (e *Engine) candidate(num uint32) {
	if e.stamp[num] != e.epoch {
		e.stamp[num] = e.epoch
		e.found = append(e.found, num)
	}
}

func (e *Engine) candidates(nums []uint32) {
	for _, n := range nums {
		e.candidate(n)
	}
}

// Overlap returns how many bytes before fresh ones a scan has to begin, so that it finds what ends in them.
func (e *Engine) Overlap() int { return e.overlap }

// scan adds the candidates of g in data from a place on, and reports whether there are any.
func (e *Engine) scan(g *group, data []byte, from int) bool {
	found := e.look(&g.all, data[from:])
	if end := min(g.headLen, len(data)); from < end && e.look(&g.head, data[from:end]) {
		found = true
	}
	return found
}

func (e *Engine) look(p *patterns, data []byte) bool {
	if p.set == nil || len(data) == 0 {
		return false
	}
	e.prefilter(p.set, data)
	for _, h := range e.hits {
		e.candidates(p.owners[h])
	}
	return len(e.hits) > 0
}

// Packet tries the signatures of packets and streams.
func (e *Engine) Packet(p *Packet) {
	g := e.packets[p.Dir][protoIndex(p.Info.Proto)].of(p)
	e.begin()
	if !p.Again {
		if p.First {
			e.candidates(g.ipOnly)
		}
		if p.Known {
			e.candidates(g.appOnly)
		}
		e.candidates(g.always)
	}
	if p.StreamDue {
		p.StreamHit = e.scan(&g.stream, p.Stream, p.StreamFrom)
		if p.StreamWhole && p.StreamFrom > 0 {
			e.scan(&g.stream, p.Stream, 0)
		}
	}
	if len(p.Payload) > 0 && !p.Again {
		e.scan(&g.payload, p.Payload, 0)
		if !p.InStream {
			e.scan(&g.stream, p.Payload, 0)
		}
	}
	if len(p.Payload) > 0 && !p.Again || p.StreamDue {
		e.candidates(g.blind)
	}
	slices.Sort(e.found)
	e.stats.Candidates += uint64(len(e.found))
	for _, n := range e.found {
		s := e.sigs[n]
		if !e.ready(s) {
			break
		}
		if stream, ok := e.packet(s, p); ok {
			e.matched(s, p, -1, stream)
		}
	}
}

func protoIndex(p uint8) int {
	switch protoBit(p) {
	case protoTCP:
		return 0
	case protoUDP:
		return 1
	case protoICMP:
		return 2
	case protoICMPv6:
		return 3
	}
	return 4
}

// meta reports whether all holds that is not about bytes.
func (e *Engine) meta(s *Signature, p *Packet) bool {
	if !s.header(p) || !s.flow(p) {
		return false
	}
	if p.Pseudo && s.Rule.NeedPacket || !p.fields(s.Rule.Fields) {
		return false
	}
	return e.remembered(s, p)
}

// remembered reports whether the conditions on flowbits, variables and bits of addresses hold.
func (e *Engine) remembered(s *Signature, p *Packet) bool {
	return (len(s.xbits) == 0 || e.xbits.holds(s.xbits, p)) && (len(s.bits) == 0 || p.Bits != nil && p.Bits.holds(s.bits)) && (len(s.ints) == 0 || p.Ints != nil && p.Ints.holds(s.ints))
}

func (e *Engine) packet(s *Signature, p *Packet) (stream, ok bool) {
	if s.Rule.App != rule.AnyApp && s.Rule.App != p.App || !e.meta(s, p) {
		return false, false
	}
	for i := range s.headers {
		b, ok := p.header(s.headers[i].buffer)
		if !ok || !e.section(s, &s.headers[i], b) {
			return false, false
		}
	}
	if s.payload == nil {
		return false, !p.Pseudo || s.Type == OfApp && p.Fresh || s.Type == AppOnly
	}
	return e.payload(s, p)
}

// payload tries the items on the stream first, then on the packet, as Suricata does.
func (e *Engine) payload(s *Signature, p *Packet) (stream, ok bool) {
	if s.stream && p.StreamDue && e.evaluate(s, s.payload, p.Stream) {
		return true, true
	}
	if p.Pseudo || p.Again || s.stream && !s.packet && p.InStream || len(p.Payload) == 0 || s.Rule.Flow.OnlyStream {
		return false, false
	}
	return false, e.evaluate(s, s.payload, p.Payload)
}

// transformed returns data after ts, within the budget.
func (e *Engine) transformed(ts []rule.Transform, chain int, data []byte) []byte {
	data, ticks := e.transform.apply(ts, chain, data)
	e.budget.spend(ticks)
	return data
}

// section tries a section over a buffer.
func (e *Engine) section(s *Signature, c *section, data []byte) bool {
	if len(c.transforms) > 0 {
		data = e.transformed(c.transforms, c.chain, data)
	}
	return e.evaluate(s, c.items, data)
}

// matched queues a match and does what the signature says about flowbits and variables.
func (e *Engine) matched(s *Signature, p *Packet, tx int64, stream bool) {
	e.stats.Matches++
	if len(s.bits) > 0 && p.Bits != nil {
		if _, full := p.Bits.apply(s.bits); full {
			e.stats.BitsFull++
		}
	}
	if len(s.ints) > 0 && p.Ints != nil && p.Ints.apply(s.ints) {
		e.stats.IntsFull++
	}
	if len(s.xbits) > 0 {
		e.xbits.apply(s.xbits, p)
	}
	if len(e.queue) == cap(e.queue) {
		e.stats.QueueFull++
		return
	}
	e.queue = append(e.queue, Match{Sig: s, Tx: tx, Stream: stream})
}

// Streams reports whether any signature looks at bare streams.
func (e *Engine) Streams() bool {
	return slices.ContainsFunc(e.sigs, func(s *Signature) bool { return s.stream })
}
