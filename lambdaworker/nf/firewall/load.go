package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/aws"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/iptables"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// load reads and compiles a rule file of any format.
func load(o *options, open func(string) ([]byte, error)) (prog *program.Program, problems, warnings nf.Problems) {
	var p *nft.Parser
	switch o.Format {
	case "iptables-save":
		p = iptables.Parse(o.Rules, ruleset.FamilyIP, open, o.sides())
	case "ip6tables-save":
		p = iptables.Parse(o.Rules, ruleset.FamilyIP6, open, o.sides())
	case "aws-stateless":
		p = aws.Parse(o.Rules, open, o.Policy)
	default:
		p = nft.Parse(o.Rules, open, o.sides())
	}
	if len(p.Problems) > 0 {
		return nil, p.Problems, p.Warnings
	}
	bases := p.Resolve()
	if len(p.Problems) > 0 {
		return nil, p.Problems, p.Warnings
	}
	if len(bases) == 0 {
		return nil, nf.Problems{{File: o.Rules, Line: 1, Column: 1,
			Message: "no chain sees forwarded packets; expected one with `type filter hook forward priority 0;` (iptables: chain FORWARD)"}}, p.Warnings
	}
	return program.Compile(p.Ruleset, bases), nil, p.Warnings
}
