package firewall

import (
	"fmt"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// model judges packets the straightforward way: every rule in order, every op of every rule, with nothing compiled,
// nothing cached, and tokens counted as the kernel counts them.
type model struct {
	set      *ruleset.Ruleset
	bases    []*ruleset.Chain
	counters map[*ruleset.Op]*program.Count
	named    map[*ruleset.NamedCounter]uint64 // packets
	buckets  map[*ruleset.Limit]*modelBucket
	track    *conntrack.Tracker
}

type modelBucket struct {
	tokens, last int64
}

func newModel(p *nft.Parser, bases []*ruleset.Chain, flows int) *model {
	m := &model{set: p.Ruleset, bases: bases, counters: map[*ruleset.Op]*program.Count{}, named: map[*ruleset.NamedCounter]uint64{}, buckets: map[*ruleset.Limit]*modelBucket{}}
	m.track = conntrack.NewTracker(flows, conntrack.DefaultTimeouts(), true, false)
	return m
}

func (m *model) judge(p *nf.Packet) nf.Verdict {
	var v program.View
	v.Look(p)
	v.State = m.track.Track(p)
	v.Conn = m.track.Conn(p, v.State)
	d := m.run(&v, p)
	if d == nf.Pass && m.track.Unconfirmed {
		m.track.Confirm(p.Flow)
	}
	return d
}

func (m *model) run(v *program.View, p *nf.Packet) nf.Verdict {
	for _, c := range m.bases {
		if c.Table.Family == ruleset.FamilyIP && p.Kind != packet.IPv4 || c.Table.Family == ruleset.FamilyIP6 && p.Kind != packet.IPv6 {
			continue
		}
		switch m.chain(c, v, p) {
		case ruleset.Accept:
		case ruleset.Drop:
			return nf.DropRule
		case ruleset.Reject:
			return nf.DropReject
		default:
			if c.Policy == ruleset.Drop {
				return nf.DropPolicy
			}
		}
	}
	return nf.Pass
}

// chain returns what its rules say, goOn at its end.
func (m *model) chain(c *ruleset.Chain, v *program.View, p *nf.Packet) ruleset.VerdictKind {
	for _, r := range c.Rules {
		switch d := m.rule(r, v, p); d.Kind {
		case ruleset.Accept, ruleset.Drop, ruleset.Reject:
			return d.Kind
		case ruleset.Return:
			return ruleset.Continue
		case ruleset.Jump:
			if k := m.chain(d.Chain, v, p); k != ruleset.Continue {
				return k
			}
		case ruleset.Goto:
			return m.chain(d.Chain, v, p)
		}
	}
	return ruleset.Continue
}

func (m *model) rule(r *ruleset.Rule, v *program.View, p *nf.Packet) ruleset.Verdict {
	for i := range r.Ops {
		o := &r.Ops[i]
		switch o.Kind {
		case ruleset.OpMatch:
			x, ok := v.Load(o.Field)
			if !ok || !o.Values.Contains(x.And(o.Mask)) {
				return ruleset.Verdict{}
			}
		case ruleset.OpSet:
			var x ruleset.U128
			if o.From != 0 {
				x, _ = v.Load(o.From)
			}
			mark := uint32(x.And(o.Mask).Xor(o.Xor).Lo)
			if o.Field == ruleset.MetaMark {
				v.Mark = mark
			} else if v.Conn.Mark = mark; v.Conn.Known {
				m.track.SetMark(p.Flow, mark)
			}
		case ruleset.OpCounter:
			if o.Named != nil {
				m.named[o.Named]++
				continue
			}
			if m.counters[o] == nil {
				m.counters[o] = &program.Count{}
			}
			m.counters[o].Add(p)
		case ruleset.OpLimit:
			if !m.limit(o, p) {
				return ruleset.Verdict{}
			}
		case ruleset.OpVerdict:
			return o.Verdict
		case ruleset.OpReject:
			return ruleset.Verdict{Kind: ruleset.Reject}
		case ruleset.OpConcat, ruleset.OpMap:
			e, ok := m.find(o, v)
			if !ok || o.Kind == ruleset.OpConcat && (e != nil) == o.Negate || o.Kind == ruleset.OpMap && e == nil {
				return ruleset.Verdict{}
			}
			if o.Kind == ruleset.OpMap && e.Verdict.Kind != ruleset.Continue {
				return *e.Verdict
			}
		}
	}
	return ruleset.Verdict{}
}

func (m *model) find(o *ruleset.Op, v *program.View) (*ruleset.Element, bool) {
	var found *ruleset.Element
	for i := range o.Elements {
		e := &o.Elements[i]
		all := true
		for k, f := range o.Fields {
			x, ok := v.Load(f)
			if !ok {
				return nil, false
			}
			if o.Mask != (ruleset.U128{}) {
				x = x.And(o.Mask)
			}
			all = all && e.Spans[k].Contains(x)
		}
		if all && (found == nil || found.CatchAll) {
			found = e
		}
	}
	return found, true
}

// limit is nft_limit.c's arithmetic.
func (m *model) limit(o *ruleset.Op, p *nf.Packet) bool {
	l := o.Limit
	b := m.buckets[l]
	full := int64(l.Period / l.Rate * l.Burst)
	cost := int64(l.Period / l.Rate)
	if l.Bytes {
		full = int64(l.Period * (l.Rate + l.Burst) / l.Rate)
		cost = int64(l.Period * uint64(p.IPLen) / l.Rate)
	}
	if b == nil {
		b = &modelBucket{tokens: full, last: p.Time}
		m.buckets[l] = b
	}
	b.tokens = min(b.tokens+p.Time-b.last, full)
	b.last = p.Time
	if b.tokens < cost {
		return l.Over
	}
	b.tokens -= cost
	return !l.Over
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
	p := nft.Parse("r", nft.Source{Open: open}, ruleset.IfaceNames)
	bases := p.Resolve()
	if len(p.Problems) > 0 {
		t.Fatalf("%s: %v\n%s", name, p.Problems, text)
	}
	compareParsed(t, name, "{rules: r}", text, p, bases, ps)
}

// compareParsed holds the function that options and text make against the model of what was parsed of text.
func compareParsed(t *testing.T, name, options, text string, p *nft.Parser, bases []*ruleset.Chain, ps []nftest.Packet) {
	t.Helper()
	flows := state.NewTable(4096, 1<<60, 7)
	m := newModel(p, bases, flows.Cap())
	b := build(t, options, map[string]string{"r": text})
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
	for _, tb := range p.Ruleset.Tables {
		for _, c := range tb.Named {
			if have := r.Rules[at].Packets; have != m.named[c]+c.Start.Packets || r.Rules[at].Line != c.Pos.Line {
				t.Fatalf("%s: counter %s: %d packets, the model says %d\n%s", name, c.Name, have, m.named[c], text)
			}
			at++
		}
		for _, c := range tb.Chains {
			for _, ru := range c.Rules {
				for i := range ru.Ops {
					if ru.Ops[i].Kind != ruleset.OpCounter || ru.Ops[i].Named != nil {
						continue
					}
					var want program.Count
					if c := m.counters[&ru.Ops[i]]; c != nil {
						want = *c
					}
					want.Packets += ru.Ops[i].Counter.Packets
					want.Bytes += ru.Ops[i].Counter.Bytes
					if have := (program.Count{Packets: r.Rules[at].Packets, Bytes: r.Rules[at].Bytes}); have != want {
						t.Fatalf("%s: counter at line %d: %v, the model says %v\n%s", name, ru.Pos.Line, have, want, text)
					}
					at++
				}
			}
		}
	}
}
