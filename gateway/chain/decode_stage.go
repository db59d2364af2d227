package chain

import (
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

func (r *reader) stages(p pair, ch *Chain) {
	const what = "a list of stages, each a list of functions, such as [[{counter: {}}, {firewall: {rules: edge.nft}}]]"
	s, ok := p.value.(*ast.SequenceNode)
	if !ok {
		r.problem(r.valueToken(p), "stages: found %s; expected %s", kind(p.value), what)
		return
	}
	if len(s.Values) == 0 {
		r.problem(first(s), "stages: the list is empty; expected at least one stage with one function")
	}
	for _, v := range s.Values {
		if stage, ok := r.stage(v); ok {
			ch.Stages = append(ch.Stages, stage)
		}
	}
}

// stage reads a stage: a list of functions, or a mapping that says more than them.
func (r *reader) stage(n ast.Node) (s Stage, ok bool) {
	s.Place = r.place(first(n))
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		s.Functions, ok = r.functions(n, "a stage: a list of functions. A stage of one function is written `- - name: {options}`")
		return s, ok
	}
	ps, ok := r.pairs(n, "a stage")
	if !ok {
		return s, false
	}
	had := false
	for _, p := range ps {
		switch p.name {
		case "functions":
			had = true
			s.Functions, _ = r.functions(p.value, "a list of functions, such as [{counter: {}}]")
		case "workers":
			r.workers(p, &s.Workers)
		case "memory":
			s.Memory, _ = r.number(p, "memory", 1)
		case "fallback":
			s.Fallback, _, _ = r.word(p.value, "the name of a place where workers start")
		default:
			if _, function := nf.Lookup(p.name); function {
				r.problem(p.key, "found the function %s in the place of a stage; expected a list of functions: write `- - %s: {options}`", p.name, p.name)
				return s, false
			}
			r.problem(p.key, "unknown key %q in a stage; expected one of %s%s", p.name, strings.Join(stageKeys, ", "), meant(p.name, stageKeys))
			continue
		}
		if why, not := notYet[p.name]; not {
			r.problem(p.key, "stage key `%s` is not supported yet: %s", p.name, why)
		}
	}
	if !had {
		r.problem(first(n), "the stage has no functions; expected `functions: ` and a list of them, such as [{counter: {}}]")
	}
	return s, had
}

var stageKeys = []string{"functions", "workers", "memory", "fallback"}

// notYet are keys of a stage that are read and checked, but that nothing obeys so far: whoever writes one must hear of it.
var notYet = map[string]string{
	"memory":   "every worker has what the setting `worker-memory` says; set that for the whole gateway and take it out here",
	"fallback": "workers start where the setting `lambda` says, and nowhere else; take it out",
}

// workers reads between which bounds a stage is scaled.
func (r *reader) workers(p pair, w *Workers) {
	ps, ok := r.pairs(p.value, "a mapping, such as {min: 1, max: 16, standby: 1}")
	if !ok {
		return
	}
	var most pair
	for _, p := range ps {
		switch p.name {
		case "min":
			if n, ok := r.number(p, "workers: min", 0); ok {
				w.Min = &n
			}
		case "max":
			w.Max, _ = r.number(p, "workers: max", 1)
			most = p
		case "standby":
			if n, ok := r.number(p, "workers: standby", 0); ok {
				w.Standby = &n
			}
		default:
			keys := []string{"min", "max", "standby"}
			r.problem(p.key, "unknown key %q in workers; expected one of %s%s", p.name, strings.Join(keys, ", "), meant(p.name, keys))
		}
	}
	if w.Min != nil && w.Max != 0 && w.Max < *w.Min {
		r.problem(first(most.value), "workers: max is %d, below min, which is %d; expected at least as many", w.Max, *w.Min)
	}
}

// number reads a whole number that is no smaller than least.
func (r *reader) number(p pair, name string, least int) (n int, ok bool) {
	if s, isInt := p.value.(*ast.IntegerNode); isInt {
		if n, err := strconv.Atoi(s.GetToken().Value); err == nil && n >= least && n <= math.MaxInt32 {
			return n, true
		}
	}
	found := kind(p.value)
	if s, isPlain := plain(p.value); isPlain {
		found = s
	}
	r.problem(r.valueToken(p), "%s: found %s; expected a whole number, %d or more", name, found, least)
	return 0, false
}

// functions reads what a stage runs, in order.
func (r *reader) functions(n ast.Node, what string) (all []nf.BundleNF, ok bool) {
	fs, ok := r.list(n, what)
	if !ok {
		return nil, false
	}
	if len(fs) == 0 {
		r.problem(first(n), "the stage is empty; expected at least one function: %s", strings.Join(nf.Names(), ", "))
	}
	for _, f := range fs {
		if b, ok := r.function(f); ok {
			all = append(all, b)
		}
	}
	return all, true
}

func (r *reader) function(n ast.Node) (b nf.BundleNF, ok bool) {
	if s, isWord := n.(*ast.StringNode); isWord {
		r.problem(s.GetToken(), "found the word %q; expected a function with its options, such as `%s: {}`", s.Value, s.Value)
		return b, false
	}
	ps, ok := r.pairs(n, "a function with its options, such as `counter: {}`")
	if !ok {
		return b, false
	}
	if len(ps) != 1 {
		t := first(n)
		if len(ps) > 1 {
			t = ps[1].key
		}
		r.problem(t, "found %d functions in one entry; expected one: begin each with a dash of its own", len(ps))
		return b, false
	}
	p := ps[0]
	if _, known := nf.Lookup(p.name); !known {
		r.problem(p.key, "no function is named %q; expected one of %s%s", p.name, strings.Join(nf.Names(), ", "), meant(p.name, nf.Names()))
		return b, false
	}
	at := r.place(p.key)
	b = nf.BundleNF{Name: p.name, File: r.file, Line: at.Line, Column: at.Column}
	switch p.value.(type) {
	case nil, *ast.NullNode:
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		r.problem(first(p.value), "options of %s: found %s; expected a mapping: write the options out", p.name, kind(p.value))
		return b, false
	case *ast.MappingNode, *ast.MappingValueNode:
		at = r.place(first(p.value))
		b.Options, b.Line, b.Column = r.source(p.value), at.Line, at.Column
	default:
		r.problem(first(p.value), "options of %s: found %s; expected a mapping, such as {key: value}, or {} for none", p.name, kind(p.value))
		return b, false
	}
	return b, true
}
