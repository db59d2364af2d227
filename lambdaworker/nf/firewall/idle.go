package firewall

import "time"

// FlowTimeout returns the longest that a connection may be silent before its state is forgotten: that of an established TCP
// connection, five days, unless timeouts say otherwise. 0 without rules that ask for it.
func (f *Firewall) FlowTimeout() time.Duration {
	if f.track == nil {
		return 0
	}
	return time.Duration(f.options.Timeouts.Longest().NS())
}
