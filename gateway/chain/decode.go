package chain

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/granule-nf/granule/gateway/chain/match"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// names of chains are label values of metrics and words of file names.
var chainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

func (r *reader) config(root ast.Node, c *Config) {
	ps, ok := r.pairs(root, "a mapping with the key `chains`")
	if !ok {
		return
	}
	had := false
	for _, p := range ps {
		if p.name == "chains" {
			had = true
			r.chains(p, c)
			continue
		}
		if k, ok := r.key(p); ok {
			c.Keys = append(c.Keys, k)
		}
	}
	if !had {
		r.problem(first(root), "there is no key `chains`; expected a list of chains, such as `chains: [{name: edge, stages: [[{counter: {}}]]}]`")
	}
}

// key reads a setting, whose meaning is not ours.
func (r *reader) key(p pair) (k Key, ok bool) {
	k = Key{Name: p.name, Place: r.place(p.key)}
	if s, isPlain := plain(p.value); isPlain {
		k.Values, k.Places = []string{s}, []Place{r.place(first(p.value))}
		return k, true
	}
	s, isList := p.value.(*ast.SequenceNode)
	if !isList {
		r.problem(r.valueToken(p), "key %q: found %s; expected one value, or a list of them", p.name, kind(p.value))
		return k, false
	}
	k.List = true
	for _, v := range s.Values {
		text, isPlain := plain(v)
		if !isPlain {
			r.problem(first(v), "key %q: found %s in the list; expected plain values", p.name, kind(v))
			return k, false
		}
		k.Values, k.Places = append(k.Values, text), append(k.Places, r.place(first(v)))
	}
	return k, true
}

// valueToken is where to point for a value; a missing one has no place but its key's.
func (r *reader) valueToken(p pair) *token.Token {
	if _, null := p.value.(*ast.NullNode); null || p.value == nil {
		return p.key
	}
	return first(p.value)
}

func (r *reader) chains(p pair, c *Config) {
	items, ok := p.value.(*ast.SequenceNode)
	if !ok {
		r.problem(r.valueToken(p), "chains: found %s; expected a list, each entry with a name and stages", kind(p.value))
		return
	}
	if len(items.Values) == 0 {
		r.problem(first(items), "chains: the list is empty; expected at least one chain")
	}
	names := map[string]Place{}
	for _, v := range items.Values {
		ch, ok := r.chain(v)
		if !ok {
			continue
		}
		if at, dup := names[ch.Name]; dup && ch.Name != "" {
			r.problems = append(r.problems, ch.Place.Problem("a chain named %q is there already, on line %d; expected another name", ch.Name, at.Line))
			continue
		}
		names[ch.Name] = ch.Place
		c.Chains = append(c.Chains, ch)
	}
}

func (r *reader) chain(n ast.Node) (ch Chain, ok bool) {
	ps, ok := r.pairs(n, "a chain, such as {name: edge, stages: [[{counter: {}}]]}")
	if !ok {
		return ch, false
	}
	before := len(r.problems)
	ch.Place = r.place(first(n))
	hadName, hadStages := false, false
	for _, p := range ps {
		switch p.name {
		case "name":
			hadName = true
			r.name(p, &ch)
		case "match":
			r.match(p, &ch)
		case "stages":
			hadStages = true
			r.stages(p, &ch)
		case "on-function-failure":
			r.fails(p, &ch)
		case "event-types":
			r.eventTypes(p, &ch)
		case "order":
			r.order(p, &ch)
		default:
			r.problem(p.key, "unknown key %q in a chain; expected one of %s%s", p.name, strings.Join(chainKeys, ", "), meant(p.name, chainKeys))
		}
	}
	if !hadName {
		r.problem(first(n), "the chain has no name; expected `name: ` and a word, by which metrics and events tell chains apart")
	}
	if !hadStages {
		r.problem(first(n), "the chain has no stages; expected `stages: ` and a list of stages, each a list of functions")
	}
	return ch, len(r.problems) == before
}

var chainKeys = []string{"name", "match", "stages", "order", "on-function-failure", "event-types"}

// fails reads what becomes of packets whose function fails.
func (r *reader) fails(p pair, ch *Chain) {
	s, _ := plain(p.value)
	switch s {
	case "open":
		ch.Fails = new(nf.FailOpen)
	case "closed":
		ch.Fails = new(nf.FailClosed)
	default:
		if s == "" {
			s = kind(p.value)
		}
		r.problem(r.valueToken(p), "on-function-failure: found %s; expected open or closed: whether packets go on or are dropped when a function fails on them", s)
	}
}

// eventTypes reads which types of events the chain raises.
func (r *reader) eventTypes(p pair, ch *Chain) {
	var names []string
	for k := range nf.NumEventKinds {
		names = append(names, k.String())
	}
	want := "a list of " + strings.Join(names, ", ")
	items, ok := p.value.(*ast.SequenceNode)
	if !ok {
		r.problem(r.valueToken(p), "event-types: found %s; expected %s", kind(p.value), want)
		return
	}
	var kinds []nf.EventKind
	for _, v := range items.Values {
		s, t, ok := r.word(v, "a type of events")
		if !ok {
			continue
		}
		k, known := nf.EventKindOf(s)
		if !known {
			r.problem(t, "event-types: found %q; expected %s%s", s, want, meant(s, names))
			continue
		}
		kinds = append(kinds, k)
	}
	ch.Events = nf.EventsOf(kinds...)
}

func (r *reader) name(p pair, ch *Chain) {
	s, t, ok := r.word(p.value, "a name")
	if !ok {
		return
	}
	if !chainName.MatchString(s) {
		r.problem(t, "found the name %q; expected up to 63 letters, digits, dots, dashes and underscores, a letter or digit first", s)
		return
	}
	ch.Name, ch.Place = s, r.place(t)
}

func (r *reader) match(p pair, ch *Chain) {
	if _, null := p.value.(*ast.NullNode); null {
		return // nothing is written, and nothing is asked of a flow
	}
	s, t, ok := r.word(p.value, "a tcpdump expression")
	if !ok {
		return
	}
	ch.Match = s
	if strings.TrimSpace(s) == "" {
		ch.Match = ""
		return
	}
	f, err := match.Compile(s)
	if err != nil {
		r.problems = append(r.problems, r.inside(t, s, err.Offset).Problem("match: %s", err.Message))
		return
	}
	ch.Filter = f
}
