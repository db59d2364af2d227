package firewall

// Idle returns the longest that a connection may be silent before its state is forgotten, in ns: that of an established TCP
// connection, five days, unless timeouts say otherwise. 0 without rules that ask for it.
func (f *Firewall) Idle() int64 {
	if f.track == nil {
		return 0
	}
	return f.options.Timeouts.Longest().NS()
}
