package detect

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/match"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// group is the prefilter of the signatures that look at one thing: one scan finds all candidates. Short patterns that can only match near
// the beginning of a buffer are looked for there alone: in all of it they would cost a pass of their own, and be everywhere.
type group struct {
	all, head patterns
	headLen   int // bytes of the buffer that head is looked for in
	overlap   int // longest pattern, less one
}

// patterns are those of a group, or of its head.
type patterns struct {
	set    *match.Set
	owners [][]uint32 // signature numbers by pattern
	adding map[patternKey]int
	list   []match.Pattern
}

type patternKey struct {
	bytes  string
	noCase bool
}

// fastPattern is the pattern that a signature is found by.
type fastPattern struct {
	match.Pattern
	end int // it ends within so many bytes of the buffer; 0 if that is not known
}

// Bounds of what is looked for in the head of a buffer.
const (
	maxHeadPattern = 3
	maxHead        = 256
)

func (g *group) add(p fastPattern, num uint32) {
	g.overlap = max(g.overlap, len(p.Bytes)-1)
	if p.end > 0 && p.end <= maxHead && len(p.Bytes) <= maxHeadPattern {
		g.headLen = max(g.headLen, p.end)
		g.head.add(p.Pattern, num)
		return
	}
	g.all.add(p.Pattern, num)
}

func (g *patterns) add(p match.Pattern, num uint32) {
	if g.adding == nil {
		g.adding = map[patternKey]int{}
	}
	k := patternKey{string(p.Bytes), p.NoCase}
	i, ok := g.adding[k]
	if !ok {
		i = len(g.list)
		g.adding[k] = i
		g.list = append(g.list, p)
		g.owners = append(g.owners, nil)
	}
	g.owners[i] = append(g.owners[i], num)
}

func (g *group) done(e *Engine) {
	for _, p := range [...]*patterns{&g.all, &g.head} {
		if len(p.list) > 0 {
			p.set = match.New(p.list)
			e.patterns = max(e.patterns, len(p.list))
		}
		p.adding, p.list = nil, nil
	}
}

// Values of Signature.fastAt that are no index into tx.
const (
	fastPayload = -1
	noFast      = -2
)

// protoCount is the number of protocol bits, each with groups of its own.
const protoCount = 5

// packetGroups are the signatures tried on packets of one protocol and direction.
type packetGroups struct {
	port    int      // one of those that it is for
	always  []uint32 // no content to find them by
	payload group    // found in packet payloads
	stream  group    // found in streams, or in payloads that are in no stream
	blind   []uint32 // they look at payload or stream without a content to find them by
	ipOnly  []uint32
	appOnly []uint32
}

// txBuffer are the signatures found in one buffer of transactions, by the chain of transforms.
type txBuffer struct {
	buffer rule.Buffer
	chains []txChain
}

type txChain struct {
	transforms []rule.Transform
	chain      int
	group      group
}

// txGroups are the signatures tried on transactions of one application and direction.
type txGroups struct {
	buffers []txBuffer
	always  []uint32
}

func (t *txGroups) group(b rule.Buffer, chain int, ts []rule.Transform) *group {
	i := slices.IndexFunc(t.buffers, func(x txBuffer) bool { return x.buffer == b })
	if i < 0 {
		i = len(t.buffers)
		t.buffers = append(t.buffers, txBuffer{buffer: b})
	}
	x := &t.buffers[i]
	j := slices.IndexFunc(x.chains, func(c txChain) bool { return c.chain == chain })
	if j < 0 {
		j = len(x.chains)
		x.chains = append(x.chains, txChain{transforms: ts, chain: chain})
	}
	return &x.chains[j].group
}

// build sorts the signatures into groups.
func (e *Engine) build() {
	for dir := range 2 {
		for i := range protoCount {
			e.packets[dir][i].classify(e.sigs, dir, i)
		}
	}
	for _, s := range e.sigs {
		p, at := s.fast()
		s.fastAt = at
		for dir := range 2 {
			if !s.dirs[dir] {
				continue
			}
			if s.Type == OfTx {
				t := &e.txs[s.Rule.App][dir]
				if at >= 0 && s.tx[at].sides>>dir&1 != 0 {
					sec := &s.tx[at]
					t.group(sec.buffer, sec.chain, sec.transforms).add(p, s.num)
				} else if at < 0 || !s.Rule.Transactional {
					t.always = append(t.always, s.num)
				}
				continue
			}
			for i := range protoCount {
				if s.protos>>i&1 != 0 {
					e.packets[dir][i].add(e, s, dir, p, at)
				}
			}
		}
	}
	for dir := range 2 {
		for i := range e.packets[dir] {
			for j := range e.packets[dir][i].groups {
				g := &e.packets[dir][i].groups[j]
				g.payload.done(e)
				g.stream.done(e)
			}
		}
		for app := range e.txs {
			for i := range e.txs[app][dir].buffers {
				for j := range e.txs[app][dir].buffers[i].chains {
					e.txs[app][dir].buffers[i].chains[j].group.done(e)
				}
			}
		}
	}
}

func (g *packetGroups) add(e *Engine, s *Signature, p fastPattern, at int) {
	switch {
	case s.Type == IPOnly:
		g.ipOnly = append(g.ipOnly, s.num)
	case s.Type == AppOnly:
		g.appOnly = append(g.appOnly, s.num)
	case s.payload == nil:
		g.always = append(g.always, s.num)
	case at == noFast:
		g.blind = append(g.blind, s.num)
	default:
		if s.packet {
			g.payload.add(p, s.num)
		}
		if s.stream {
			g.stream.add(p, s.num)
			e.overlap = max(e.overlap, len(p.Bytes)-1)
		}
	}
}

// fast chooses the content by which a signature is found: the one marked fast_pattern, else the strongest of the contents
// that must be there. It prefers transactions' buffers to the payload.
func (s *Signature) fast() (fastPattern, int) {
	best, at, score := fastPattern{}, noFast, -1
	tx := -1 // s.tx has the sections of transactions in the rule's order
	for _, sec := range s.Rule.Sections {
		where := fastPayload
		if !sec.Buffer.OfPacket() {
			tx++
			where = tx
		} else if sec.Buffer != rule.Payload || s.Type == OfTx {
			continue
		}
		if where >= 0 && s.tx[where].absent {
			continue
		}
		for _, it := range sec.Items {
			if it.Kind != rule.Content || it.Negated {
				continue
			}
			c := &it.Content
			b := c.Pattern
			if c.FastLen > 0 {
				b = b[c.FastAt : c.FastAt+c.FastLen]
			}
			n := match.Strength(b)
			if c.Fast {
				n += 1 << 20
			}
			if n > score {
				best, at, score = fastPattern{match.Pattern{Bytes: b, NoCase: c.NoCase}, endOf(c)}, where, n
			}
		}
	}
	return best, at
}

// endOf returns how far into its buffer a content can reach, 0 if that is not known.
func endOf(c *rule.ContentMatch) int {
	switch {
	case c.StartsWith:
		return len(c.Pattern)
	case c.HasDepth && c.Depth.Var == 0 && c.Offset.Var == 0 && !c.Relative():
		return int(c.Offset.N + c.Depth.N)
	}
	return 0
}
