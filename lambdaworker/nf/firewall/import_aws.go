package firewall

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/granule-nf/granule/ingress/packet"
)

// parseAWS reads a stateless rule group of AWS Network Firewall: what `describe-rule-group` prints, its RuleGroup, or its
// RulesSource. Rules run by priority, lowest first; what none of them decides meets policy, the StatelessDefaultActions
// of the firewall policy, which is not part of a rule group. Every rule has a counter.
func parseAWS(name string, open func(string) ([]byte, error), policy string) *parser {
	p := newParser(open, nil)
	src, ok := p.read(name)
	if !ok {
		return p
	}
	a := &awsGroup{parser: p}
	a.table = p.tableOf(familyInet, "aws")
	a.base = a.chain("forward", position{name, 1, 1})
	a.base.base, a.base.forward, a.base.policy = true, true, accept
	if policy == "drop" {
		a.base.policy = drop
	}
	p.guard(func() { a.group(p.readJSON(name, src)) })
	return p
}

// awsGroup is a rule group that is being read.
type awsGroup struct {
	*parser
	base   *chain
	custom map[string]bool
}

func (a *awsGroup) chain(name string, at position) *chain {
	c := &chain{name: name, pos: at, table: a.table}
	a.table.byName[name] = c
	a.table.chains = append(a.table.chains, c)
	return c
}

// object visits the members of n, each of which must be known; absent ones are not missed.
func (a *awsGroup) object(n *jsonNode, known map[string]func(*jsonNode)) {
	if n.kind != "an object" {
		a.fail(n.pos, "found %s; expected an object", n.kind)
	}
	for _, m := range n.members {
		f, ok := known[m.name]
		if !ok {
			var names []string
			for k := range known {
				names = append(names, k)
			}
			slices.Sort(names)
			a.fail(m.pos, "found %q; expected one of %q", m.name, names)
		}
		f(m.node)
	}
}

func (a *awsGroup) list(n *jsonNode) []*jsonNode {
	if n.kind != "a list" {
		a.fail(n.pos, "found %s; expected a list", n.kind)
	}
	return n.items
}

func (a *awsGroup) text(n *jsonNode) string {
	s, ok := n.value.(string)
	if !ok {
		a.fail(n.pos, "found %s; expected a string", n.kind)
	}
	return s
}

func (a *awsGroup) int(n *jsonNode, top int) int {
	v, ok := n.value.(json.Number)
	i, err := strconv.Atoi(v.String())
	if !ok || err != nil || i < 0 || i > top {
		found := n.kind
		if ok {
			found = v.String()
		}
		a.fail(n.pos, "found %s; expected a whole number up to %d", found, top)
	}
	return i
}

func ignore(*jsonNode) {}

func (a *awsGroup) group(n *jsonNode) {
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
		a.fail(n.pos, "no StatelessRulesAndCustomActions; expected a stateless rule group (stateful ones are Suricata rules: use ids)")
	}
}

// awsRule is one rule before it has its place.
type awsRule struct {
	pos      position
	priority int
	match    *jsonNode
	actions  *jsonNode
}

func (a *awsGroup) stateless(n *jsonNode) {
	var rules []awsRule
	a.custom = map[string]bool{}
	a.object(n, map[string]func(*jsonNode){
		"CustomActions": func(n *jsonNode) {
			for _, c := range a.list(n) {
				a.object(c, map[string]func(*jsonNode){"ActionName": func(n *jsonNode) { a.custom[a.text(n)] = true }, "ActionDefinition": ignore})
			}
		},
		"StatelessRules": func(n *jsonNode) {
			for _, r := range a.list(n) {
				a.guard(func() { rules = append(rules, a.rule(r)) })
			}
		},
	})
	slices.SortStableFunc(rules, func(x, y awsRule) int { return x.priority - y.priority })
	for i, r := range rules {
		if i > 0 && rules[i-1].priority == r.priority {
			a.fail(r.pos, "priority %d stands twice, first at %d:%d; expected each rule to have its own", r.priority, rules[i-1].pos.line, rules[i-1].pos.col)
		}
		a.guard(func() { a.place(i, r) })
	}
}

func (a *awsGroup) rule(n *jsonNode) awsRule {
	r := awsRule{pos: n.pos, priority: -1}
	a.object(n, map[string]func(*jsonNode){
		"Priority": func(n *jsonNode) { r.priority = a.int(n, 65535) },
		"RuleDefinition": func(n *jsonNode) {
			a.object(n, map[string]func(*jsonNode){"MatchAttributes": func(n *jsonNode) { r.match = n }, "Actions": func(n *jsonNode) { r.actions = n }})
		},
	})
	if r.priority < 0 || r.match == nil || r.actions == nil {
		a.fail(n.pos, "a rule without Priority, MatchAttributes or Actions; expected all three")
	}
	return r
}

// action: one of AWS's own, and names of custom ones, which publish a metric as the rule's counter does.
func (a *awsGroup) action(r awsRule) verdictKind {
	v := goOn
	for _, n := range a.list(r.actions) {
		var k verdictKind
		switch s := a.text(n); s {
		case "aws:pass", "aws:forward_to_sfe":
			k = accept
		case "aws:drop":
			k = drop
		default:
			if !a.custom[s] {
				a.fail(n.pos, "found the action %q; expected aws:pass, aws:drop, aws:forward_to_sfe or a name of CustomActions", s)
			}
			continue
		}
		if v != goOn {
			a.fail(n.pos, "a second action; expected one of aws:pass, aws:drop and aws:forward_to_sfe")
		}
		v = k
	}
	if v == goOn {
		a.fail(r.actions.pos, "no action; expected one of aws:pass, aws:drop and aws:forward_to_sfe")
	}
	return v
}

// place turns a rule into ops. Its address lists may hold both families: then it becomes a chain that a rule for each family
// goes on to, so that it keeps one counter.
func (a *awsGroup) place(i int, r awsRule) {
	var m awsMatch
	m.read(a, r.match)
	act := &rule{pos: r.pos, ops: []op{
		{kind: opCounter, pos: r.pos},
		{kind: opVerdict, pos: r.pos, verdict: verdict{kind: a.action(r), pos: r.pos}},
	}}
	kinds := m.kinds()
	if len(kinds) == 0 {
		a.warn(r.pos, "this rule's sources and destinations have no address family in common: it never matches")
	}
	if len(kinds) == 1 {
		act.ops = append(m.ops(kinds[0], r.pos), act.ops...)
		a.base.rules = append(a.base.rules, act)
		return
	}
	target := a.chain(fmt.Sprintf("rule-%d", i), r.pos)
	target.rules = []*rule{act}
	for _, k := range kinds {
		ops := append(m.ops(k, r.pos), op{kind: opVerdict, pos: r.pos, verdict: verdict{kind: gotoChain, target: target.name, pos: r.pos}})
		a.base.rules = append(a.base.rules, &rule{pos: r.pos, ops: ops})
	}
}

// awsMatch is MatchAttributes; nil stands for any.
type awsMatch struct {
	src, dst     map[packet.Kind]spans
	sport, dport spans
	protocols    spans
	flags        spans
}

// kinds are the network protocols that the rule can match; one that says nothing of addresses stands for both as NotIP.
func (m *awsMatch) kinds() []packet.Kind {
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

func (m *awsMatch) ops(k packet.Kind, at position) []op {
	var ops []op
	add := func(f field, s spans) {
		if s != nil {
			ops = append(ops, op{kind: opMatch, pos: at, field: f, mask: ones(fields[f].bits), values: s.normal()})
		}
	}
	if k != packet.NotIP {
		ops = append(ops, equals(metaNFProto, nfprotoOf(k), at))
	}
	add(metaL4Proto, m.protocols)
	if k == packet.IPv4 {
		add(ip4Src, m.src[k])
		add(ip4Dst, m.dst[k])
	}
	if k == packet.IPv6 {
		add(ip6Src, m.src[k])
		add(ip6Dst, m.dst[k])
	}
	if (m.sport != nil || m.dport != nil) && m.protocols == nil {
		add(metaL4Proto, spans{{num(packet.ProtoTCP), num(packet.ProtoTCP)}, {num(packet.ProtoUDP), num(packet.ProtoUDP)}})
	}
	add(transportSrc, m.sport)
	add(transportDst, m.dport)
	if m.flags != nil {
		add(metaL4Proto, spans{{num(packet.ProtoTCP), num(packet.ProtoTCP)}})
		add(tcpFlags, m.flags)
	}
	return ops
}
