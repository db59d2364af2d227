package firewall

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Adopt takes over connections from an older instance of the same stage: after a reload established flows stay
// established. Counters and limits start anew, as after `nft -f` of a file that flushes the rule set.
func (f *Firewall) Adopt(old nf.NF) error {
	o, ok := old.(*Firewall)
	if !ok {
		return fmt.Errorf("firewall: can't take over from %T; expected a firewall", old)
	}
	if f.track == nil || o.track == nil {
		return nil
	}
	if len(f.track.conns) != len(o.track.conns) {
		return fmt.Errorf("firewall: can't take over %d flows into %d; expected flow tables of one size", len(o.track.conns), len(f.track.conns))
	}
	f.track.conns, o.track.conns = o.track.conns, f.track.conns
	clear(f.cache) // verdicts of the older rules
	return nil
}
