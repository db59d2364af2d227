package nf

import "time"

// FlowTimeouter is implemented by functions that have to know a flow for longer than DefaultIdle without a packet. The stage's flow
// table forgets what all its functions know of a flow at once, so the longest timeout among them is the stage's.
type FlowTimeouter interface {
	// FlowTimeout returns how long after a flow's last packet the function's state of it still means something; 0 if any time
	// will do. It is asked once, after New.
	FlowTimeout() time.Duration
}

// flowTimeout returns the timeout of a stage with these functions, in ns.
func flowTimeout(nfs []NF) int64 {
	timeout := DefaultIdle
	for _, f := range nfs {
		if p, ok := f.(FlowTimeouter); ok {
			timeout = max(timeout, int64(p.FlowTimeout()))
		}
	}
	return timeout
}
