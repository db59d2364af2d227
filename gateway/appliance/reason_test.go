package appliance

import (
	"testing"

	"github.com/granule-nf/granule/gateway/dataplane"
)

// Two reasons of one name would be two samples of one series: /metrics would answer 500, and the ledger would forget one.
func TestDropReasonsDiffer(t *testing.T) {
	seen := map[string]int{}
	for i, name := range dataplane.ReasonNames(verdictNames()) {
		if name == "" {
			continue
		}
		if before, twice := seen[name]; twice {
			t.Errorf("reasons %d and %d are both called %q", before, i, name)
		}
		seen[name] = i
	}
}
