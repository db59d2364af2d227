package locallambda

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// The platform's windows between SIGTERM and SIGKILL.
const (
	shutdownWindow          = 300 * time.Millisecond
	shutdownWindowExtension = 500 * time.Millisecond
)

// State is where an environment stands.
type State uint8

// The states of an environment, in the order it goes through them.
const (
	StateStarting State = iota // the process has not asked for work yet
	StateIdle                  // warm, waiting (and frozen, if the function says so)
	StateBusy                  // an invocation is in it
	StateEnding                // being shut down
)

// String is the state's name for a status page.
func (s State) String() string {
	return [...]string{"starting", "idle", "busy", "ending"}[s]
}

// MarshalText makes a state readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// environment is one process of a function, with the Runtime API it talks to. It takes one invocation at a time.
type environment struct {
	fn      *function
	secret  string // the first element of its Runtime API path
	created time.Time
	log     *slog.Logger
	output  *logTail
	proc    process

	work  chan *invocation // to the runtime's "next"; holds one
	ready chan struct{}    // closed at the first "next"
	unfit chan struct{}    // closed when the runtime has posted to init/error

	mu        sync.Mutex
	state     State
	isReady   bool // ready is closed
	current   *invocation
	served    int         // invocations so far
	initError outcome     // what the runtime posted to init/error
	extension string      // identifier of a registered extension; empty without one
	frozen    bool        // stopped by the idle policy
	idle      *time.Timer // ends an environment that nobody uses
	coldIn    time.Duration
}

func newEnvironment(fn *function, logger *slog.Logger) *environment {
	secret := rand.Text()
	logger = logger.With("function", fn.Name, "environment", secret[:6])
	return &environment{
		fn: fn, secret: secret, created: time.Now(), log: logger,
		output: &logTail{logger: logger},
		work:   make(chan *invocation, 1),
		ready:  make(chan struct{}),
		unfit:  make(chan struct{}),
	}
}

// awaitInit waits for the first "next". It returns what the caller gets when that doesn't come, or nil.
func (e *environment) awaitInit(inv *invocation) *outcome {
	timer := time.NewTimer(InitTimeout)
	defer timer.Stop()
	select {
	case <-e.ready:
		e.mu.Lock()
		e.coldIn = time.Since(e.created)
		e.mu.Unlock()
		return nil
	case <-e.unfit:
		e.shutDown()
		return e.initOutcome()
	case <-e.proc.exited():
		if out := e.initOutcome(); out != nil {
			return out
		}
		out := inv.processEnded(e.proc.reason())
		return &out
	case <-timer.C:
		e.shutDown()
		out := inv.functionFailure("Sandbox.Timedout", "Task timed out after %.2f seconds", InitTimeout.Seconds())
		return &out
	}
}

// initOutcome is what the runtime said about its failed start; nil if it said nothing.
func (e *environment) initOutcome() *outcome {
	select {
	case <-e.unfit:
		out := e.initError
		out.log = e.output.last()
		return &out
	default:
		return nil
	}
}

// serve hands an invocation to the runtime and waits until the environment is free again or gone. The caller is answered
// as soon as that is certain, or a moment after the response if the runtime lingers. It reports whether the runtime ever
// took the invocation: if not, it may be tried elsewhere.
func (e *environment) serve(inv *invocation) (out outcome, taken bool) {
	e.begin(inv)
	deadline := time.NewTimer(time.Until(inv.deadline))
	defer deadline.Stop()
	stopFaults := e.scheduleFaults(inv.plan)
	defer stopFaults()

	select {
	case <-inv.responded:
		out = inv.result
	case <-e.proc.exited():
		out = e.responseOr(inv, func() outcome { return inv.processEnded(e.proc.reason()) })
	case <-deadline.C:
		// What comes after the deadline comes too late: the Runtime API refuses it from shutDown on.
		out = e.responseOr(inv, inv.timedOut)
		e.proc.memory() // remembered for the report, the dead have none
		e.shutDown()
	}
	select {
	case <-inv.taken:
	default:
		if e.hasExited() {
			return out, false
		}
	}
	e.finish(inv, &out)
	e.settle(inv, out, deadline)
	return out, true
}

// begin marks the environment busy, thaws it and gives the runtime its work.
func (e *environment) begin(inv *invocation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.current = StateBusy, inv
	e.served++
	if e.idle != nil {
		e.idle.Stop()
	}
	if e.frozen {
		e.frozen = false
		e.proc.signal(syscall.SIGCONT)
	}
	inv.deadline = time.Now().Add(e.fn.Timeout)
	e.output.begin()
	_, _ = fmt.Fprintf(e.output, "START RequestId: %s Version: %s\n", inv.id, latest)
	e.work <- inv
}

// settleGrace is how long the answer waits for the runtime to come back for more work (or to end). An invocation is over
// only then: a caller that invokes again at once finds the environment free.
const settleGrace = 100 * time.Millisecond

func (e *environment) settle(inv *invocation, out outcome, deadline *time.Timer) {
	grace := time.NewTimer(settleGrace)
	defer grace.Stop()
	for {
		select {
		case <-inv.settled:
			return
		case <-e.proc.exited():
			return
		case <-grace.C:
			inv.reply(out)
		case <-deadline.C:
			e.shutDown()
		}
	}
}

// finish writes the platform's closing lines and takes the tail of the log.
func (e *environment) finish(inv *invocation, out *outcome) {
	e.proc.drainOutput()
	_, peak := e.proc.memory()
	took := e.fn.Timeout - time.Until(inv.deadline)
	billed := (took + time.Millisecond - 1).Truncate(time.Millisecond)
	_, _ = fmt.Fprintf(e.output, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		inv.id, inv.id, float64(took)/float64(time.Millisecond), billed.Milliseconds(), e.fn.MemoryMB, (peak+1<<20-1)>>20)
	e.mu.Lock()
	cold := e.coldIn
	e.coldIn = 0
	e.mu.Unlock()
	if cold > 0 {
		_, _ = fmt.Fprintf(e.output, "Init Duration: %.2f ms\t", float64(cold)/float64(time.Millisecond))
	}
	_, _ = fmt.Fprint(e.output, "\n")
	out.log = e.output.last()
}

// responseOr prefers an answer that the runtime has posted: a panic is reported, then the process exits.
func (e *environment) responseOr(inv *invocation, otherwise func() outcome) outcome {
	select {
	case <-inv.responded:
		return inv.result
	default:
		return otherwise()
	}
}

// park makes a free environment idle and calls expire if nobody uses it in time. It reports false if it is not free.
func (e *environment) park(expire func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hasExited() || e.state == StateEnding {
		return false
	}
	e.state, e.current = StateIdle, nil
	e.idle = time.AfterFunc(e.fn.IdleTimeout, expire)
	if e.fn.FreezeIdle {
		e.frozen = true
		e.proc.signal(syscall.SIGSTOP)
	}
	return true
}

// shutDown ends the environment within the platform's window and returns when its process is reaped.
func (e *environment) shutDown() {
	e.mu.Lock()
	e.state = StateEnding
	window := shutdownWindow
	if e.extension != "" {
		window = shutdownWindowExtension
	}
	if e.idle != nil {
		e.idle.Stop()
	}
	e.mu.Unlock()
	terminate(e.proc, window)
}

// retire takes an environment out of use.
func (e *environment) retire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = StateEnding
	if e.idle != nil {
		e.idle.Stop()
	}
}

// usable reports whether an idle environment can still take an invocation.
func (e *environment) usable() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state != StateEnding && !e.hasExited()
}

func (e *environment) hasExited() bool {
	select {
	case <-e.proc.exited():
		return true
	default:
		return false
	}
}

// scheduleFaults arms what the plan holds for a running handler; the returned function disarms it.
func (e *environment) scheduleFaults(plan faultPlan) (stop func()) {
	var timers []*time.Timer
	after := func(d time.Duration, kind FaultKind, f func()) {
		timers = append(timers, time.AfterFunc(d, func() {
			e.log.Info("fault", "kind", kind.String(), "pid", e.proc.pid())
			f()
		}))
	}
	if plan.kill != nil {
		after(plan.kill.After, FaultKill, func() { e.proc.signal(syscall.SIGKILL) })
	}
	if plan.crash != nil {
		after(plan.crash.After, FaultCrash, func() { e.proc.signal(syscall.SIGABRT) })
	}
	if plan.freeze != nil {
		after(plan.freeze.After, FaultFreeze, func() { e.proc.signal(syscall.SIGSTOP) })
		timers = append(timers, time.AfterFunc(plan.freeze.After+plan.freeze.For, func() { e.proc.signal(syscall.SIGCONT) }))
	}
	return func() {
		for _, t := range timers {
			t.Stop()
		}
		if plan.freeze != nil {
			e.proc.signal(syscall.SIGCONT)
		}
	}
}
