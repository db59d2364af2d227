package nft

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// optionRef parses the rest of `tcp option maxseg size`, `tcp option sack-perm exists`.
func (p *Parser) optionRef(ref FieldRef) FieldRef {
	p.take()
	name := p.expectWord("a TCP option")
	f, ok := ruleset.OptionField(name.Text)
	if !ok {
		p.Unsupported(name.Pos, "TCP option %q is not one that rules can ask for here; expected maxseg, window, sack-perm, sack, timestamp, mptcp, fastopen or md5sig; "+Subset, name.Text)
	}
	ref.Field, ref.L4, ref.name = f, packet.ProtoTCP, "tcp option "+name.Text
	switch n := p.peek(); {
	case n.word("exists"), n.word("missing"):
	case name.Text == "maxseg" && n.word("size"):
		p.take()
		ref.Field, ref.name = ruleset.OptionMSS, ref.name+" size"
	case name.Text == "window" && n.word("count"):
		p.take()
		ref.Field, ref.name = ruleset.OptionScale, ref.name+" count"
	default:
		p.Unsupported(n.Pos, "found %s behind %s; expected exists or missing (of maxseg also size, of window count); "+Subset, n.Found(), ref.name)
	}
	return ref
}
