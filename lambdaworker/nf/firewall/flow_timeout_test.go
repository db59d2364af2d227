package firewall

import (
	"fmt"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// A connection is known for as long as its timeout says, and not for as long as other functions' flows are kept.
func TestSilentConnectionIsKept(t *testing.T) {
	const a, b = "10.0.0.1:1000", "192.0.2.1:80"
	const rules = "table inet f {\n chain c {\n  type filter hook forward priority 0; policy drop;\n  ct state established accept\n  tcp flags & (syn|ack) == syn accept\n }\n}\n"
	open := []nftest.P{nftest.TCP(a, b, "S", "").Numbers(100, 0), nftest.TCP(b, a, "SA", "").Numbers(500, 101).Outside(), nftest.TCP(a, b, "A", "").Numbers(101, 501)}
	for _, tt := range []struct {
		options string
		silence time.Duration
		want    string
	}{
		{"", 6 * time.Minute, "pass"},
		{"", 119 * time.Hour, "pass"},
		{"", 121 * time.Hour, "firewall_policy"},
		{", timeouts: {tcp_established: 1h}", 59 * time.Minute, "pass"},
		{", timeouts: {tcp_established: 1h}", 61 * time.Minute, "firewall_policy"},
	} {
		t.Run(fmt.Sprint(tt.silence), func(t *testing.T) {
			stage := nftest.Stage{NFs: []string{"firewall: {rules: edge.nft" + tt.options + "}"}, Files: map[string]string{"edge.nft": rules}}
			later := nftest.TCP(b, a, "A", "late").Numbers(501, 101).Outside().At(tt.silence)
			got := nftest.Run(stage.Build(t), nftest.Packets(append(open, later)...), 16)
			if want := "pass pass pass " + tt.want; got.Verdicts() != want {
				t.Errorf("after %v of silence: %s, want %s", tt.silence, got.Verdicts(), want)
			}
		})
	}
}
