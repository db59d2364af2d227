package detect

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/match"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// group is the prefilter of the signatures that look at one thing: one scan finds all candidates.
type group struct {
	set     *match.Set
	owners  [][]uint32 // signature numbers by pattern
	overlap int        // longest pattern, less one
	adding  map[patternKey]int
	list    []match.Pattern
}

type patternKey struct {
	bytes  string
	noCase bool
}

func (g *group) add(p match.Pattern, num uint32) {
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
	g.overlap = max(g.overlap, len(p.Bytes)-1)
}

func (g *group) done(e *Engine) {
	if len(g.list) > 0 {
		g.set = match.New(g.list)
		e.patterns = max(e.patterns, len(g.list))
	}
	g.adding, g.list = nil, nil
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
					e.packets[dir][i].add(e, s, p, at)
				}
			}
		}
	}
	for dir := range 2 {
		for i := range e.packets[dir] {
			g := &e.packets[dir][i]
			g.payload.done(e)
			g.stream.done(e)
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

func (g *packetGroups) add(e *Engine, s *Signature, p match.Pattern, at int) {
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

// fast chooses the content by which a signature is found: the one marked fast_pattern, else the longest of the contents
// that must be there. It prefers transactions' buffers to the payload.
func (s *Signature) fast() (match.Pattern, int) {
	best, at, score := match.Pattern{}, noFast, -1
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
			n := len(b)
			if c.Fast {
				n += 1 << 20
			}
			if n > score {
				best, at, score = match.Pattern{Bytes: b, NoCase: c.NoCase}, where, n
			}
		}
	}
	return best, at
}
