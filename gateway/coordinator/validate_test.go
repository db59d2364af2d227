package coordinator

import (
	"strings"
	"testing"
)

// What a shard has no connections for is refused, not found out when the last workers are turned away.
func TestWorkersThatNoShardCanHave(t *testing.T) {
	for _, c := range []struct {
		seats, standby, stages int
		fits                   bool
	}{
		{1, 1, 1, true}, {127, 1, 1, true}, {128, 0, 1, true}, {128, 1, 1, false}, {129, 0, 1, false},
		{31, 1, 4, true}, {32, 1, 4, false}, {1, 0, 128, true}, {1, 0, 129, false}, {1, 1<<63 - 1, 1, false},
	} {
		cfg := Defaults()
		cfg.Seats, cfg.Standby, cfg.Pools = c.seats, c.standby, make([]string, c.stages)
		if err := cfg.Validate(); (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "a shard can be connected to 256") {
			t.Errorf("%d workers and %d standing by in %d stages: %v", c.seats, c.standby, c.stages, err)
		}
	}
}
