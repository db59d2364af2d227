package nf

// Patient is implemented by functions that want to know a flow for longer than DefaultIdle without a packet. The stage's flow table
// forgets what all its functions know of a flow at once, so it keeps flows for as long as the most patient of them asks.
type Patient interface {
	// Idle returns the longest silence, in ns, after which the function's state of a flow still means something; 0 if any will do. It is
	// asked once, after New.
	Idle() int64
}

// idleOf returns the idle time of a stage with these functions.
func idleOf(nfs []NF) int64 {
	idle := DefaultIdle
	for _, f := range nfs {
		if p, ok := f.(Patient); ok {
			idle = max(idle, p.Idle())
		}
	}
	return idle
}
