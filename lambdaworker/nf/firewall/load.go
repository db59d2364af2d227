package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/aws"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/iptables"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// load reads and compiles a rule file of any format. The error is nf.Problems, or that of the context.
func load(o *options, from nft.Source) (prog *program.Program, warnings nf.Problems, err error) {
	var p *nft.Parser
	switch o.Format {
	case "iptables-save":
		p = iptables.Parse(o.Rules, ruleset.FamilyIP, from, o.sides())
	case "ip6tables-save":
		p = iptables.Parse(o.Rules, ruleset.FamilyIP6, from, o.sides())
	case "aws-stateless":
		p = aws.Parse(o.Rules, from, o.Policy)
	default:
		p = nft.Parse(o.Rules, from, o.sides())
	}
	if p.Err != nil {
		return nil, nil, p.Err
	}
	if len(p.Problems) > 0 {
		return nil, p.Warnings, p.Problems
	}
	bases := p.Resolve()
	if len(p.Problems) > 0 {
		return nil, p.Warnings, p.Problems
	}
	if len(bases) == 0 {
		return nil, p.Warnings, nf.Problems{{File: o.Rules, Line: 1, Column: 1,
			Message: "no chain sees forwarded packets; expected one with `type filter hook forward priority 0;` (iptables: chain FORWARD)"}}
	}
	prog, err = program.Compile(from.Context, p.Ruleset, bases)
	return prog, p.Warnings, err
}
