package coordinator

import "time"

// State is where a worker stands in its life.
type State uint8

// A worker's life, in order.
const (
	Invoked  State = iota // the Lambda API has been asked for it
	Standby               // all its connections have joined, it has no sub-flows
	Active                // it has sub-flows
	Draining              // its end is near: it is replaced as soon as another can have its sub-flows
	Leaving               // the placement has it no more: its sub-flows are being handed off
	Gone                  // it has no connection any more; its invocation may still have to return
	NumStates
)

var stateNames = [NumStates]string{"invoked", "standby", "active", "draining", "leaving", "gone"}

// String returns the state's name as status and metrics carry it.
func (s State) String() string { return stateNames[s] }

// worker is one function instance.
type worker struct {
	id       uint32
	of       *Generation // the configuration that it was started with
	pool     int
	state    State
	conns    int // joined so far
	invoked  time.Time
	joined   time.Time
	deadline time.Time // when it is replaced at the latest
	left     time.Time // since when it is leaving
	released int       // shards that have handed off all that it had
	active   bool      // it has had sub-flows
	judged   bool      // and has judged packets of them
	proven   bool      // starts of its stage are not held back for it
	returned bool      // its invocation has ended
	load     load
}

// stoodBy is how long a worker that has no sub-flows must have been there to have proved itself: it has answered a request for a
// report.
const stoodBy = time.Second

// hasProved reports whether w is worth a replacement at once: it has judged packets, or has lived for long.
func (w *worker) hasProved(now time.Time, long time.Duration) bool {
	if w.joined.IsZero() {
		return false
	}
	lived := now.Sub(w.joined)
	return w.judged || lived > long || !w.active && lived > stoodBy
}

// Worker is what status tells of one worker.
type Worker struct {
	ID          uint32    `json:"id"`
	Of          uint64    `json:"generation"` // of the configuration that it runs
	Pool        int       `json:"pool"`
	Stage       string    `json:"stage"`
	State       string    `json:"state"`
	Seat        int       `json:"assignment"` // number among its stage's workers that have sub-flows, -1 for none
	SubFlows    int       `json:"sub_flows"`
	Utilisation float64   `json:"utilisation"`                 // its load by what it can carry
	Capacity    float64   `json:"capacity_packets_per_second"` // learned; 0: not known yet
	Busy        float64   `json:"busy"`                        // share of the last second in which it did not wait for packets
	Processor   float64   `json:"processor"`                   // processors that it used in the last second
	Packets     float64   `json:"packets_per_second"`
	Bytes       float64   `json:"bytes_per_second"`
	Since       time.Time `json:"invoked"`
	Joined      time.Time `json:"joined,omitzero"`
	Ends        time.Time `json:"replaced_by,omitzero"`
}

// Counters are totals since the start.
type Counters struct {
	Invoked   uint64 `json:"invoked"`   // invocations asked for
	Joined    uint64 `json:"joined"`    // workers that joined
	Throttled uint64 `json:"throttled"` // invocations that Lambda refused for now
	Failed    uint64 `json:"failed"`    // invocations that failed otherwise, at the start or later
	Late      uint64 `json:"late"`      // workers given up because they did not join in time
	Lost      uint64 `json:"lost"`      // workers whose connection ended unexpectedly, or whose invocation failed after they had joined
	HandOffs  uint64 `json:"hand_offs"` // workers that another one took the place of: planned, or because they were lost
}
