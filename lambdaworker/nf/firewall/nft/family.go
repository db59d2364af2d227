package nft

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// otherFamily leaves out what is said of a table that no forwarded IP packet passes, and reports whether the next words name one: tables of arp and
// bridge. Those of netdev see what arrives on a device, before everything else, so they may hold nothing that decides.
func (p *Parser) otherFamily() bool {
	t := p.peek()
	if !t.word("arp") && !t.word("bridge") && !t.word("netdev") {
		return false
	}
	p.take()
	name := p.expectWord("a table's name")
	depth, decides := p.depth, Token{}
	for {
		n := p.peek()
		if n.Kind == tokEOF || p.depth <= depth && (n.Kind == tokBreak || n.is("}")) {
			break
		}
		p.take()
		if n.word("drop") || n.word("reject") || n.word("dup") || n.word("fwd") || n.word("queue") || n.word("flow") {
			decides = n
		}
	}
	p.end("the table")
	switch {
	case t.Text == "netdev" && decides.Kind != tokEOF:
		p.Problem(decides.Pos, "%q in table netdev %s decides on packets before they are forwarded, and tables of netdev are not modelled; expected it in a chain of table inet that hooks forward", decides.Text, name.Text)
	case t.Text == "netdev":
		p.warnOnce(t.Pos, "table netdev %s is skipped: nothing in it decides on a packet", name.Text)
	default:
		p.warnOnce(t.Pos, "table %s %s is skipped: it sees no forwarded IP packet", t.Text, name.Text)
	}
	return true
}

// warnOnce warns unless the same has been said.
func (p *Parser) warnOnce(at ruleset.Pos, format string, a ...any) {
	if key := fmt.Sprintf(format, a...); !p.said[key] {
		p.said[key] = true
		p.Warn(at, "%s", key)
	}
}

// skipObject passes the declaration of an object that rules of the subset can't use; one that names it is refused where packets meet it.
func (p *Parser) skipObject() {
	depth := p.depth
	for {
		t := p.peek()
		if t.Kind == tokEOF || p.depth <= depth && (t.Kind == tokBreak || t.is("}")) {
			break
		}
		p.take()
	}
	p.end("the object")
}
