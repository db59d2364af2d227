package firewall

import (
	"slices"
	"strings"
)

// Tables beside filter see a forwarded packet before or behind the chain FORWARD. One can be left out if it changes neither
// what FORWARD sees nor whether a packet gets on. Translations of sources are of that kind: they are made behind FORWARD
// and undone before it. Those of destinations are not, except where they wait for packets to the host itself
// (`--dst-type LOCAL`, as in Docker's rules), which a wire has none of.

// skippedTable is a table other than filter.
type skippedTable struct {
	name    string
	pos     position
	chains  map[string]*skippedChain
	entries []string // chains that forwarded packets pass
	rules   int
}

type skippedChain struct{ rules []skippedRule }

type skippedRule struct {
	pos    position
	target string
}

// harmless are the targets that change nothing that FORWARD or a rule of the subset could see.
var harmless = strings.Fields("ACCEPT RETURN LOG NFLOG TRACE MARK CONNMARK CLASSIFY CHECKSUM SECMARK CONNSECMARK TCPMSS SNAT MASQUERADE")

func (t *tables) beginSkipped(w token) {
	t.skipped = &skippedTable{name: w.text[1:], pos: w.pos, chains: map[string]*skippedChain{}}
}

// skippedLine reads a line of a table other than filter.
func (t *tables) skippedLine(words []token) {
	s := t.skipped
	w := words[0]
	if w.text[0] == ':' {
		name := w.text[1:]
		s.chains[name] = &skippedChain{}
		switch name {
		case "PREROUTING", "FORWARD", "POSTROUTING":
			s.entries = append(s.entries, name)
			if len(words) > 1 && words[1].text == "DROP" {
				t.fail(words[1].pos, "chain %s of table %s drops by policy, and only table filter is modelled; expected ACCEPT", name, s.name)
			}
		}
		return
	}
	at := slices.IndexFunc(words, func(w token) bool { return w.text == "-A" || w.text == "--append" })
	if at < 0 || at+1 >= len(words) || s.chains[words[at+1].text] == nil {
		t.fail(w.pos, "found %s in table %s; expected -A and a chain that the table declares", w.found(), s.name)
	}
	s.rules++
	r := skippedRule{pos: w.pos}
	for i := at + 2; i+1 < len(words); i++ {
		switch {
		case words[i].text == "--dst-type" && words[i+1].text == "LOCAL" && words[i-1].text != "!":
			return // no packet of a wire is for an address of this host
		case words[i].kind == tokWord && slices.Contains([]string{"-j", "--jump", "-g", "--goto"}, words[i].text):
			r.target, r.pos = words[i+1].text, words[i+1].pos
		}
	}
	c := s.chains[words[at+1].text]
	c.rules = append(c.rules, r)
}

// endSkipped decides on the table that ends here.
func (t *tables) endSkipped() {
	s := t.skipped
	t.skipped = nil
	if s == nil || s.rules == 0 {
		return
	}
	before := len(t.problems)
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
				t.problem(r.pos, "target %s of table %s: forwarded packets pass it, and only table filter is modelled; remove the rule, and write those of filter for the packets on the wire", r.target, s.name)
			}
			translates = translates || r.target == "SNAT" || r.target == "MASQUERADE"
		}
	}
	for _, e := range s.entries {
		visit(e)
	}
	if len(t.problems) > before {
		return
	}
	says := ""
	if translates {
		says = "; no address is translated here: put `nat` behind this firewall for that"
	}
	t.warn(s.pos, "table %s is skipped: chain FORWARD sees the same packets without it%s", s.name, says)
}
