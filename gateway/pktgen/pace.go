package pktgen

// pace says how many frames are due. A sender that was late catches up at most 5 ms' worth: more would be a burst that nobody
// asked for.
type pace struct {
	rate  float64 // frames per second; 0: as many as there can be
	began int64   // ns
	given float64
}

const catchUp = 5e-3 // seconds

// due is how many frames are to be sent at now, at most most.
func (p *pace) due(now int64, most int) int {
	if p.rate == 0 {
		return most
	}
	owed := float64(now-p.began)/1e9*p.rate - p.given
	if allowed := catchUp*p.rate + 1; owed > allowed {
		p.given += owed - allowed
		owed = allowed
	}
	n := min(int(owed), most)
	p.given += float64(n)
	return n
}

// wait is how many ns there are until a frame is due.
func (p *pace) wait(now int64) int64 {
	if p.rate == 0 {
		return 0
	}
	return max(0, p.began+int64((p.given+1)/p.rate*1e9)-now)
}
