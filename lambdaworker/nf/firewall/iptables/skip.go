package iptables

import (
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Tables beside filter see a forwarded packet before or behind the chain FORWARD. One can be left out if it changes neither
// what FORWARD sees nor whether a packet gets on. Translations of sources are of that kind: they are made behind FORWARD
// and undone before it. Those of destinations are not, except where they wait for packets to the host itself
// (`--dst-type LOCAL`, as in Docker's rules), which a wire has none of.

// skippedTable is a table other than filter.
type skippedTable struct {
	name    string
	pos     ruleset.Pos
	chains  map[string]*skippedChain
	entries []string // chains that forwarded packets pass
	rules   int
}

type skippedChain struct{ rules []skippedRule }

type skippedRule struct {
	pos    ruleset.Pos
	target string
}

// harmless are the targets that change nothing that FORWARD or a rule of the subset could see.
var harmless = strings.Fields("ACCEPT RETURN LOG NFLOG TRACE MARK CONNMARK CLASSIFY CHECKSUM SECMARK CONNSECMARK TCPMSS SNAT MASQUERADE")

func (t *file) beginSkipped(w nft.Token) {
	t.skipped = &skippedTable{name: w.Text[1:], pos: w.Pos, chains: map[string]*skippedChain{}}
}

// skippedLine reads a line of a table other than filter.
func (t *file) skippedLine(words []nft.Token) {
	s := t.skipped
	w := words[0]
	if w.Text[0] == ':' {
		name := w.Text[1:]
		s.chains[name] = &skippedChain{}
		switch name {
		case "PREROUTING", "FORWARD", "POSTROUTING":
			s.entries = append(s.entries, name)
			if len(words) > 1 && words[1].Text == "DROP" {
				t.Fail(words[1].Pos, "chain %s of table %s drops by policy, and only table filter is modelled; expected ACCEPT", name, s.name)
			}
		}
		return
	}
	at := slices.IndexFunc(words, func(w nft.Token) bool { return w.Text == "-A" || w.Text == "--append" })
	if at < 0 || at+1 >= len(words) || s.chains[words[at+1].Text] == nil {
		t.Fail(w.Pos, "found %s in table %s; expected -A and a chain that the table declares", w.Found(), s.name)
	}
	s.rules++
	r := skippedRule{pos: w.Pos}
	for i := at + 2; i+1 < len(words); i++ {
		switch {
		case words[i].Text == "--dst-type" && words[i+1].Text == "LOCAL" && words[i-1].Text != "!":
			return // no packet of a wire is for an address of this host
		case words[i].Kind == nft.TokenWord && slices.Contains([]string{"-j", "--jump", "-g", "--goto"}, words[i].Text):
			r.target, r.pos = words[i+1].Text, words[i+1].Pos
		}
	}
	c := s.chains[words[at+1].Text]
	c.rules = append(c.rules, r)
}

// endSkipped decides on the table that ends here.
func (t *file) endSkipped() {
	s := t.skipped
	t.skipped = nil
	if s == nil || s.rules == 0 {
		return
	}
	before := len(t.Problems)
	seen := map[string]bool{}
	translates := false
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, r := range s.chains[name].rules {
			switch {
			case s.chains[r.target] != nil:
				visit(r.target)
			case r.target != "" && !slices.Contains(harmless, r.target):
				t.Problem(r.pos, "target %s of table %s: forwarded packets pass it, and only table filter is modelled; remove the rule, and write those of filter for the packets on the wire", r.target, s.name)
			}
			translates = translates || r.target == "SNAT" || r.target == "MASQUERADE"
		}
	}
	for _, e := range s.entries {
		visit(e)
	}
	if len(t.Problems) > before {
		return
	}
	says := ""
	if translates {
		says = "; no address is translated here: put `nat` behind this firewall for that"
	}
	t.Warn(s.pos, "table %s is skipped: chain FORWARD sees the same packets without it%s", s.name, says)
}
