package firewall

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// A blocklist of a hundred thousand addresses is one rule: it compiles in moments.
func TestLargeSet(t *testing.T) {
	const n = 100_000
	var b strings.Builder
	b.WriteString("table inet f {\n\tset bad {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = {\n")
	for i := range n {
		fmt.Fprintf(&b, "\t\t\t%d.%d.%d.%d,\n", 11+i/65536/64, i/16384, i/64%256, i%64*4)
	}
	b.WriteString("\t\t}\n\t}\n\tset pairs {\n\t\ttype ipv4_addr . inet_service\n\t\telements = {\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "\t\t\t10.%d.%d.1 . %d,\n", i/256%256, i%256, i%100+1)
	}
	b.WriteString("\t\t}\n\t}\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tip saddr @bad counter drop\n\t\tip saddr . tcp dport @pairs counter drop\n\t}\n}\n")
	p := build(t, "{rules: r}", map[string]string{"r": b.String()})
	r := nftest.Run(p.Pipeline, nftest.Packets(
		nftest.UDP("11.0.0.4:1", "9.9.9.9:1", ""), nftest.UDP("11.0.0.5:1", "9.9.9.9:1", ""), nftest.UDP("11.6.5.252:1", "9.9.9.9:1", ""),
		nftest.TCP("10.0.7.1:1", "9.9.9.9:8", "S", ""), nftest.TCP("10.0.7.1:1", "9.9.9.9:9", "S", "")), 8)
	if got := r.Verdicts(); got != "firewall_rule pass firewall_rule firewall_rule pass" {
		t.Error(got)
	}
}
