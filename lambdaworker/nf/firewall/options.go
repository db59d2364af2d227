package firewall

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// options are the keys of `firewall:` in granule.yaml.
type options struct {
	Rules      string             `yaml:"rules"`
	Format     string             `yaml:"format"`
	Policy     string             `yaml:"policy"`
	Malformed  string             `yaml:"malformed"`
	Interfaces map[string]string  `yaml:"interfaces"`
	LogRate    int                `yaml:"log_rate"`
	Strict     bool               `yaml:"tcp_strict"`
	Liberal    bool               `yaml:"tcp_be_liberal"`
	Timeouts   conntrack.Timeouts `yaml:"timeouts"`

	passMalformed bool
}

func readOptions(from nf.Options) (*options, error) {
	o := &options{Format: "nft", Malformed: "drop", LogRate: 1000, Timeouts: conntrack.DefaultTimeouts()}
	if err := from.Decode(o); err != nil {
		return nil, err
	}
	var ps nf.Problems
	wrong := func(key, format string, a ...any) {
		file, line, col := from.Pos(key)
		ps = append(ps, nf.Problem{File: file, Line: line, Column: col, Message: "firewall: " + fmt.Sprintf(format, a...)})
	}
	if o.Rules == "" {
		wrong("rules", "no rules; expected the name of a rule file, such as {rules: edge.nft}")
	}
	switch o.Format {
	case "nft", "iptables-save", "ip6tables-save", "aws-stateless":
	default:
		wrong("format", "found format %q; expected nft, iptables-save, ip6tables-save or aws-stateless", o.Format)
	}
	switch o.Policy {
	case "", "accept", "drop":
		if o.Policy != "" && o.Format != "aws-stateless" {
			wrong("policy", "policy beside format %s: its files say their own; expected policy with format aws-stateless alone", o.Format)
		}
	default:
		wrong("policy", "found policy %q; expected accept or drop", o.Policy)
	}
	if o.Format == "aws-stateless" && o.Policy == "" {
		wrong("format", "format aws-stateless without policy: a rule group does not say what becomes of packets that none of its rules match; add `policy: drop`, or `policy: accept` if StatelessDefaultActions of the firewall policy is aws:pass or aws:forward_to_sfe")
	}
	switch o.Malformed {
	case "pass":
		o.passMalformed = true
	case "drop":
	default:
		wrong("malformed", "found malformed %q; expected pass or drop", o.Malformed)
	}
	for name, side := range o.Interfaces {
		if _, ok := ruleset.IfaceNames[side]; !ok && side != noSide {
			wrong("interfaces", "interface %q is on side %q; expected inside, outside or none", name, side)
		}
	}
	if o.LogRate < 0 {
		wrong("log_rate", "found log_rate %d; expected events per second, 0 for none", o.LogRate)
	}
	if ps != nil {
		return nil, ps
	}
	return o, nil
}

// noSide is the side of an interface that the rules name and that no packet of the wire passes.
const noSide = "none"

// sides are the names that iifname and oifname may take. Each of those on no side has a number of its own.
func (o *options) sides() map[string]uint64 {
	m := map[string]uint64{"inside": 0, "outside": 1}
	for name, side := range o.Interfaces {
		if side == noSide {
			m[name] = uint64(len(m))
		}
	}
	for name, side := range o.Interfaces {
		if side != noSide {
			m[name] = ruleset.IfaceNames[side]
		}
	}
	return m
}
