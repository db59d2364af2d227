package firewall

import (
	"fmt"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// model judges packets the straightforward way: every rule in order, every op of every rule, with nothing compiled,
// nothing cached, and tokens counted as the kernel counts them.
type model struct {
	set      *ruleset
	bases    []*chain
	counters map[*op]*count
	named    map[*namedCounter]uint64 // packets
	buckets  map[*limitSpec]*modelBucket
	track    *tracker
}

type modelBucket struct {
	tokens, last int64
}

func newModel(p *parser, bases []*chain, flows int) *model {
	m := &model{set: p.set, bases: bases, counters: map[*op]*count{}, named: map[*namedCounter]uint64{}, buckets: map[*limitSpec]*modelBucket{}}
	m.track = newTracker(flows, &options{Timeouts: defaultTimeouts()})
	return m
}

func (m *model) judge(p *nf.Packet) nf.Verdict {
	var v view
	v.look(p)
	v.state = m.track.see(p)
	d := m.run(&v, p)
	if d == nf.Pass && m.track.pending {
		m.track.keep(p.Flow)
	}
	return d
}

func (m *model) run(v *view, p *nf.Packet) nf.Verdict {
	for _, c := range m.bases {
		if c.table.family == familyIP && p.Kind != packet.IPv4 || c.table.family == familyIP6 && p.Kind != packet.IPv6 {
			continue
		}
		switch m.chain(c, v, p) {
		case accept:
		case drop:
			return nf.DropRule
		case reject:
			return nf.DropReject
		default:
			if c.policy == drop {
				return nf.DropPolicy
			}
		}
	}
	return nf.Pass
}

// chain returns what its rules say, goOn at its end.
func (m *model) chain(c *chain, v *view, p *nf.Packet) verdictKind {
	for _, r := range c.rules {
		switch d := m.rule(r, v, p); d.kind {
		case accept, drop, reject:
			return d.kind
		case returnFrom:
			return goOn
		case jump:
			if k := m.chain(d.chain, v, p); k != goOn {
				return k
			}
		case gotoChain:
			return m.chain(d.chain, v, p)
		}
	}
	return goOn
}

func (m *model) rule(r *rule, v *view, p *nf.Packet) verdict {
	for i := range r.ops {
		o := &r.ops[i]
		switch o.kind {
		case opMatch:
			x, ok := v.load(o.field)
			if !ok || !o.values.contains(x.and(o.mask)) {
				return verdict{}
			}
		case opCounter:
			if o.named != nil {
				m.named[o.named]++
				continue
			}
			if m.counters[o] == nil {
				m.counters[o] = &count{}
			}
			m.counters[o].add(p)
		case opLimit:
			if !m.limit(o, p) {
				return verdict{}
			}
		case opVerdict:
			return o.verdict
		case opReject:
			return verdict{kind: reject}
		case opConcat, opMap:
			e, ok := m.find(o, v)
			if !ok || o.kind == opConcat && (e != nil) == o.negate || o.kind == opMap && e == nil {
				return verdict{}
			}
			if o.kind == opMap && e.verdict.kind != goOn {
				return e.verdict
			}
		}
	}
	return verdict{}
}

func (m *model) find(o *op, v *view) (*element, bool) {
	var found *element
	for i := range o.elements {
		e := &o.elements[i]
		all := true
		for k, f := range o.fields {
			x, ok := v.load(f)
			if !ok {
				return nil, false
			}
			all = all && e.spans[k].contains(x)
		}
		if all && (found == nil || found.rest) {
			found = e
		}
	}
	return found, true
}

// limit is nft_limit.c's arithmetic.
func (m *model) limit(o *op, p *nf.Packet) bool {
	l := o.limit
	b := m.buckets[l]
	full := int64(l.period / l.rate * l.burst)
	cost := int64(l.period / l.rate)
	if l.bytes {
		full = int64(l.period * (l.rate + l.burst) / l.rate)
		cost = int64(l.period * uint64(p.IPLen) / l.rate)
	}
	if b == nil {
		b = &modelBucket{tokens: full, last: p.Time}
		m.buckets[l] = b
	}
	b.tokens = min(b.tokens+p.Time-b.last, full)
	b.last = p.Time
	if b.tokens < cost {
		return l.over
	}
	b.tokens -= cost
	return !l.over
}

// TestModel holds the compiled rules against the model: random rules and packets, every verdict and every counter.
func TestModel(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		g := newGenerator(uint64(seed))
		g.track, g.limit = seed%3 == 0, seed%4 == 1
		n := 1 + g.IntN(30)
		if seed%25 == 24 {
			n = 700 // several words of a summary
		}
		text := g.rules(n)
		compareWithModel(t, fmt.Sprintf("seed %d", seed), text, g.packets(400))
	}
}

func compareWithModel(t *testing.T, name, text string, ps []nftest.Packet) {
	t.Helper()
	open := func(string) ([]byte, error) { return []byte(text), nil }
	p := parseNFT("rules.nft", open, sideNames)
	bases := p.resolve()
	if len(p.problems) > 0 {
		t.Fatalf("%s: %v\n%s", name, p.problems, text)
	}
	flows := state.NewTable(4096, 1<<60, 7)
	m := newModel(p, bases, flows.Cap())
	b := build(t, "{rules: rules.nft}", map[string]string{"rules.nft": text})
	got := nftest.Run(b.Pipeline, ps, 64)
	for i := range ps {
		k := &nf.Packet{Data: ps[i].Data, Wire: ps[i].Wire, From: ps[i].From, Time: ps[i].Time}
		packet.Parse(k.Data, int(k.Wire), &k.Info)
		k.Reverse = k.Info.Key(k.Data, &k.Key)
		k.Flow, k.NewFlow = flows.Get((*[6]uint64)(&k.Key), k.Time)
		want, have := m.judge(k), got.Packets[i].Verdict
		if have == nf.DropInvalid {
			have = nf.DropRule // the model does not tell them apart
		}
		if want != have {
			t.Fatalf("%s: packet %d (%x): %v, the model says %v\n%s", name, i, ps[i].Data, have, want, text)
		}
	}
	var r nf.Report
	b.fw.Report(&r)
	at := 0
	for _, tb := range p.set.tables {
		for _, c := range tb.named {
			if have := r.Rules[at].Packets; have != m.named[c] || r.Rules[at].Line != c.pos.line {
				t.Fatalf("%s: counter %s: %d packets, the model says %d\n%s", name, c.name, have, m.named[c], text)
			}
			at++
		}
		for _, c := range tb.chains {
			for _, ru := range c.rules {
				for i := range ru.ops {
					if ru.ops[i].kind != opCounter || ru.ops[i].named != nil {
						continue
					}
					var want count
					if c := m.counters[&ru.ops[i]]; c != nil {
						want = *c
					}
					if have := (count{r.Rules[at].Packets, r.Rules[at].Bytes}); have != want {
						t.Fatalf("%s: counter at line %d: %v, the model says %v\n%s", name, ru.pos.line, have, want, text)
					}
					at++
				}
			}
		}
	}
}
