package placer

import "time"

// Limits bound how many workers of a stage have sub-flows, and say how many more stand by.
type Limits struct {
	Min, Max int
	Standby  int
}

// DefaultHold is for how long a stage must have needed fewer workers before it gets fewer.
const DefaultHold = time.Minute

// Scaler says how many workers a stage is to have. It goes out at once, and in when all of the last Hold needed fewer.
type Scaler struct {
	Hold  time.Duration
	peaks []peak // of the last Hold: falling, in the order of time
}

type peak struct {
	at     time.Time
	needed int
}

// Want returns how many workers are to have sub-flows and how many more to stand by, when so many are needed at now (Needed). Calls
// come in the order of time. A stage that needs none and may have none has nobody standing by either.
func (s *Scaler) Want(now time.Time, needed int, l Limits) (active, standby int) {
	needed = min(max(needed, l.Min), max(l.Max, l.Min))
	for len(s.peaks) > 0 && s.peaks[len(s.peaks)-1].needed <= needed {
		s.peaks = s.peaks[:len(s.peaks)-1]
	}
	s.peaks = append(s.peaks, peak{now, needed})
	for len(s.peaks) > 1 && now.Sub(s.peaks[0].at) > s.Hold {
		s.peaks = s.peaks[1:]
	}
	active = min(max(s.peaks[0].needed, l.Min), max(l.Max, l.Min)) // the limits may have changed since
	if active == 0 {
		return 0, 0
	}
	return active, l.Standby
}
