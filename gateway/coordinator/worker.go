package coordinator

import "time"

// State is where a worker stands in its life.
type State uint8

// A worker's life, in order.
const (
	Invoked  State = iota // the Lambda API has been asked for it
	Standby               // all its connections have joined, it has no seat
	Active                // it has a seat
	Draining              // its end is near: it is replaced as soon as another can take its seat
	Gone                  // it has no connection any more; its invocation may still have to return
	NumStates
)

var stateNames = [NumStates]string{"invoked", "standby", "active", "draining", "gone"}

// String returns the state's name as status and metrics carry it.
func (s State) String() string { return stateNames[s] }

// worker is one function instance.
type worker struct {
	id       uint32
	of       *Generation // the configuration that it was started with
	pool     int
	state    State
	seat     int // -1 without
	conns    int // joined so far
	invoked  time.Time
	joined   time.Time
	deadline time.Time // when it is replaced at the latest
	proven   bool      // it has lived for longer than starts are backed off
	returned bool      // its invocation has ended
}

// Worker is what status tells of one worker.
type Worker struct {
	ID     uint32    `json:"id"`
	Of     uint64    `json:"generation"` // of the configuration that it runs
	Pool   int       `json:"pool"`
	Stage  string    `json:"stage"`
	State  string    `json:"state"`
	Seat   int       `json:"assignment"` // -1 for none
	Since  time.Time `json:"invoked"`
	Joined time.Time `json:"joined,omitzero"`
	Ends   time.Time `json:"replaced_by,omitzero"`
}

// Counters are totals since the start.
type Counters struct {
	Invoked   uint64 `json:"invoked"`   // invocations asked for
	Joined    uint64 `json:"joined"`    // workers that joined
	Throttled uint64 `json:"throttled"` // invocations that Lambda refused for now
	Failed    uint64 `json:"failed"`    // invocations that failed otherwise, at the start or later
	Late      uint64 `json:"late"`      // workers given up because they did not join in time
	Lost      uint64 `json:"lost"`      // workers whose connection ended unexpectedly, or whose invocation failed after they had joined
	HandOffs  uint64 `json:"hand_offs"` // seats that passed from one worker to another
}
