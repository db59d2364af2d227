// Package aws reads stateless rule groups of AWS Network Firewall into a ruleset.
package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Parse reads a stateless rule group of AWS Network Firewall: what `describe-rule-group` prints, its RuleGroup, or its
// RulesSource. Rules run by priority, lowest first; what none of them decides meets policy, the StatelessDefaultActions
// of the firewall policy, which is not part of a rule group. Every rule has a counter.
func Parse(name string, from nft.Source, policy string) *nft.Parser {
	p := nft.New(from, nil)
	p.Reading(func() { read(p, name, policy) })
	return p
}

func read(p *nft.Parser, name, policy string) {
	src, ok := p.Read(name)
	if !ok {
		return
	}
	a := &group{Parser: p}
	a.Table = p.TableOf(ruleset.FamilyInet, "aws")
	a.base = a.chain("forward", ruleset.Pos{File: name, Line: 1, Col: 1})
	a.base.Base, a.base.Forward, a.base.Policy = true, true, ruleset.Accept
	if policy == "drop" {
		a.base.Policy = ruleset.Drop
	}
	p.Guard(func() { a.group(readJSON(p, name, src)) })
}

// group is a rule group that is being read.
type group struct {
	*nft.Parser
	base   *ruleset.Chain
	custom map[string]bool
}

func (a *group) chain(name string, at ruleset.Pos) *ruleset.Chain {
	c := &ruleset.Chain{Name: name, Pos: at, Table: a.Table}
	a.Table.ByName[name] = c
	a.Table.Chains = append(a.Table.Chains, c)
	return c
}

// object visits the members of n, each of which must be known; absent ones are not missed.
func (a *group) object(n *jsonNode, known map[string]func(*jsonNode)) {
	if n.kind != "an object" {
		a.Fail(n.pos, "found %s; expected an object", n.kind)
	}
	for _, m := range n.members {
		f, ok := known[m.name]
		if !ok {
			var names []string
			for k := range known {
				names = append(names, k)
			}
			slices.Sort(names)
			a.Fail(m.pos, "found %q; expected one of %q", m.name, names)
		}
		f(m.node)
	}
}

func (a *group) list(n *jsonNode) []*jsonNode {
	if n.kind != "a list" {
		a.Fail(n.pos, "found %s; expected a list", n.kind)
	}
	return n.items
}

func (a *group) text(n *jsonNode) string {
	s, ok := n.value.(string)
	if !ok {
		a.Fail(n.pos, "found %s; expected a string", n.kind)
	}
	return s
}

func (a *group) int(n *jsonNode, top int) int {
	v, ok := n.value.(json.Number)
	i, err := strconv.Atoi(v.String())
	if !ok || err != nil || i < 0 || i > top {
		found := n.kind
		if ok {
			found = v.String()
		}
		a.Fail(n.pos, "found %s; expected a whole number up to %d", found, top)
	}
	return i
}

func ignore(*jsonNode) {}

func (a *group) group(n *jsonNode) {
	found := false
	rules := func(n *jsonNode) { found = true; a.stateless(n) }
	source := map[string]func(*jsonNode){"StatelessRulesAndCustomActions": rules}
	group := map[string]func(*jsonNode){
		"RulesSource": func(n *jsonNode) { a.object(n, source) }, "StatelessRulesAndCustomActions": rules,
		"StatelessRules": func(*jsonNode) { rules(n) }, "CustomActions": ignore,
	}
	group["RuleGroup"] = func(n *jsonNode) { a.object(n, map[string]func(*jsonNode){"RulesSource": group["RulesSource"]}) }
	for _, k := range []string{"UpdateToken", "RuleGroupResponse", "RuleGroupName", "Type", "Capacity", "Description", "Tags", "DryRun"} {
		group[k] = ignore
	}
	a.object(n, group)
	if !found {
		a.Fail(n.pos, "no StatelessRulesAndCustomActions; expected a stateless rule group (stateful ones are Suricata rules: use ids)")
	}
}

// rule is one rule before it has its place.
type rule struct {
	pos      ruleset.Pos
	priority int
	match    *jsonNode
	actions  *jsonNode
}

func (a *group) stateless(n *jsonNode) {
	var rules []rule
	a.custom = map[string]bool{}
	a.object(n, map[string]func(*jsonNode){
		"CustomActions": func(n *jsonNode) {
			for _, c := range a.list(n) {
				a.object(c, map[string]func(*jsonNode){"ActionName": func(n *jsonNode) { a.custom[a.text(n)] = true }, "ActionDefinition": ignore})
			}
		},
		"StatelessRules": func(n *jsonNode) {
			for _, r := range a.list(n) {
				a.Guard(func() { rules = append(rules, a.rule(r)) })
			}
		},
	})
	slices.SortStableFunc(rules, func(x, y rule) int { return x.priority - y.priority })
	for i, r := range rules {
		if i > 0 && rules[i-1].priority == r.priority {
			a.Fail(r.pos, "priority %d stands twice, first at %d:%d; expected each rule to have its own", r.priority, rules[i-1].pos.Line, rules[i-1].pos.Col)
		}
		a.Guard(func() { a.place(i, r) })
	}
}

func (a *group) rule(n *jsonNode) rule {
	r := rule{pos: n.pos, priority: -1}
	a.object(n, map[string]func(*jsonNode){
		"Priority": func(n *jsonNode) { r.priority = a.int(n, 65535) },
		"RuleDefinition": func(n *jsonNode) {
			a.object(n, map[string]func(*jsonNode){"MatchAttributes": func(n *jsonNode) { r.match = n }, "Actions": func(n *jsonNode) { r.actions = n }})
		},
	})
	if r.priority < 0 || r.match == nil || r.actions == nil {
		a.Fail(n.pos, "a rule without Priority, MatchAttributes or Actions; expected all three")
	}
	return r
}

// action: one of AWS's own, and names of custom ones, which publish a metric as the rule's counter does.
func (a *group) action(r rule) ruleset.VerdictKind {
	v := ruleset.Continue
	for _, n := range a.list(r.actions) {
		var k ruleset.VerdictKind
		switch s := a.text(n); s {
		case "aws:pass", "aws:forward_to_sfe":
			k = ruleset.Accept
		case "aws:drop":
			k = ruleset.Drop
		default:
			if !a.custom[s] {
				a.Fail(n.pos, "found the action %q; expected aws:pass, aws:drop, aws:forward_to_sfe or a name of CustomActions", s)
			}
			continue
		}
		if v != ruleset.Continue {
			a.Fail(n.pos, "a second action; expected one of aws:pass, aws:drop and aws:forward_to_sfe")
		}
		v = k
	}
	if v == ruleset.Continue {
		a.Fail(r.actions.pos, "no action; expected one of aws:pass, aws:drop and aws:forward_to_sfe")
	}
	return v
}

// place turns a rule into ops. Its address lists may hold both families: then it becomes a chain that a rule for each family
// goes on to, so that it keeps one counter.
func (a *group) place(i int, r rule) {
	var m match
	m.read(a, r.match)
	act := &ruleset.Rule{Pos: r.pos, Ops: []ruleset.Op{
		{Kind: ruleset.OpCounter, Pos: r.pos},
		{Kind: ruleset.OpVerdict, Pos: r.pos, Verdict: ruleset.Verdict{Kind: a.action(r), Pos: r.pos}},
	}}
	kinds := m.kinds()
	if len(kinds) == 0 {
		a.Warn(r.pos, "this rule's sources and destinations have no address family in common: it never matches")
	}
	if len(kinds) == 1 {
		act.Ops = append(m.ops(kinds[0], r.pos), act.Ops...)
		a.base.Rules = append(a.base.Rules, act)
		return
	}
	target := a.chain(fmt.Sprintf("rule-%d", i), r.pos)
	target.Rules = []*ruleset.Rule{act}
	for _, k := range kinds {
		ops := append(m.ops(k, r.pos), ruleset.Op{Kind: ruleset.OpVerdict, Pos: r.pos, Verdict: ruleset.Verdict{Kind: ruleset.Goto, Target: target.Name, Pos: r.pos}})
		a.base.Rules = append(a.base.Rules, &ruleset.Rule{Pos: r.pos, Ops: ops})
	}
}

// match is MatchAttributes; nil stands for any.
type match struct {
	src, dst     map[packet.Kind]ruleset.Spans
	sport, dport ruleset.Spans
	protocols    ruleset.Spans
	flags        ruleset.Spans
}

// kinds are the network protocols that the rule can match; one that says nothing of addresses stands for both as NotIP.
func (m *match) kinds() []packet.Kind {
	if m.src == nil && m.dst == nil {
		return []packet.Kind{packet.NotIP}
	}
	var ks []packet.Kind
	for _, k := range []packet.Kind{packet.IPv4, packet.IPv6} {
		if (m.src == nil || m.src[k] != nil) && (m.dst == nil || m.dst[k] != nil) {
			ks = append(ks, k)
		}
	}
	return ks
}

func (m *match) ops(k packet.Kind, at ruleset.Pos) []ruleset.Op {
	var ops []ruleset.Op
	add := func(f ruleset.Field, s ruleset.Spans) {
		if s != nil {
			ops = append(ops, ruleset.Op{Kind: ruleset.OpMatch, Pos: at, Field: f, Mask: ruleset.Ones(ruleset.Fields[f].Bits), Values: s.Normal()})
		}
	}
	if k != packet.NotIP {
		ops = append(ops, ruleset.Equals(ruleset.MetaNFProto, ruleset.NFProtoOf(k), at))
	}
	add(ruleset.MetaL4Proto, m.protocols)
	if k == packet.IPv4 {
		add(ruleset.IP4Src, m.src[k])
		add(ruleset.IP4Dst, m.dst[k])
	}
	if k == packet.IPv6 {
		add(ruleset.IP6Src, m.src[k])
		add(ruleset.IP6Dst, m.dst[k])
	}
	if (m.sport != nil || m.dport != nil) && m.protocols == nil {
		add(ruleset.MetaL4Proto, ruleset.Spans{{Lo: ruleset.Num(packet.ProtoTCP), Hi: ruleset.Num(packet.ProtoTCP)}, {Lo: ruleset.Num(packet.ProtoUDP), Hi: ruleset.Num(packet.ProtoUDP)}})
	}
	add(ruleset.TransportSrc, m.sport)
	add(ruleset.TransportDst, m.dport)
	if m.flags != nil {
		add(ruleset.MetaL4Proto, ruleset.Spans{{Lo: ruleset.Num(packet.ProtoTCP), Hi: ruleset.Num(packet.ProtoTCP)}})
		add(ruleset.TCPFlags, m.flags)
	}
	return ops
}
