package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Rows are as many as values differ in the rules that accept them, however many values a rule lists.
func TestRowsFollowRules(t *testing.T) {
	var b strings.Builder
	b.WriteString("table inet f {\n\tset bad {\n\t\ttype ipv4_addr\n\t\telements = {\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "\t\t\t11.0.%d.%d,\n", i/64, i%64*4)
	}
	b.WriteString("\t\t}\n\t}\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tip saddr @bad drop\n\t\tip saddr 11.0.0.0/16 accept\n\t}\n}\n")
	p := nft.Parse("r", nft.Source{Open: func(string) ([]byte, error) { return []byte(b.String()), nil }}, ruleset.IfaceNames)
	bases := p.Resolve()
	if len(p.Problems) > 0 {
		t.Fatal(p.Problems)
	}
	prog, err := Compile(t.Context(), p.Ruleset, bases)
	if err != nil {
		t.Fatal(err)
	}
	if rows := len(prog.src4.heads); rows != 3 { // neither rule, the second, both
		t.Errorf("%d rows of sources for two rules, expected 3", rows)
	}
}
