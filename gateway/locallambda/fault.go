package locallambda

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// FaultKind is a way in which the platform misbehaves on demand.
type FaultKind uint8

// The faults. After counts from the moment the runtime is handed the invocation.
const (
	// FaultThrottle refuses the invocation with 429 TooManyRequestsException.
	FaultThrottle FaultKind = iota
	// FaultServiceError refuses it with 500 ServiceException.
	FaultServiceError
	// FaultColdStart makes the next new environment start later by For.
	FaultColdStart
	// FaultKill kills the environment (SIGKILL) After the start.
	FaultKill
	// FaultCrash makes the process crash by itself (SIGABRT: a Go program prints its goroutines and exits with 2) After the start.
	FaultCrash
	// FaultNoShow accepts the invocation and never starts the handler; it answers with a timeout.
	FaultNoShow
	// FaultDuplicate delivers the invocation to a second environment too, with the same request id; the second answer is dropped.
	FaultDuplicate
	// FaultFreeze stops the process (SIGSTOP) After the start, and lets it go on (SIGCONT) after For.
	FaultFreeze

	faultKinds = iota
)

var faultNames = [faultKinds]string{
	"throttle", "service-error", "cold-start", "kill", "crash", "no-show", "duplicate", "freeze",
}

// String is the fault's name.
func (k FaultKind) String() string {
	if int(k) < len(faultNames) {
		return faultNames[k]
	}
	return fmt.Sprintf("FaultKind(%d)", uint8(k))
}

// Fault is one kind of misbehaviour and when it strikes.
type Fault struct {
	Kind FaultKind
	// Count is how often it strikes before it is over; 0 means until cleared.
	Count int
	// Probability of striking an invocation, above 0 and up to 1; 0 means always. Drawn from Config.Seed.
	Probability float64
	// After is the delay of FaultKill, FaultCrash and FaultFreeze.
	After time.Duration
	// For is the length of FaultColdStart and FaultFreeze.
	For time.Duration
}

func (f Fault) validate() error {
	switch {
	case f.Kind >= faultKinds:
		return fmt.Errorf("fault %v is unknown: expected one of %q", f.Kind, faultNames)
	case f.Count < 0:
		return fmt.Errorf("fault %v: count is %d: expected 0 (until cleared) or more", f.Kind, f.Count)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return fmt.Errorf("fault %v: probability is %v: expected 0 (always) to 1", f.Kind, f.Probability)
	case f.After < 0 || f.For < 0:
		return fmt.Errorf("fault %v: after %v, for %v: expected none below 0", f.Kind, f.After, f.For)
	case f.For == 0 && (f.Kind == FaultColdStart || f.Kind == FaultFreeze):
		return fmt.Errorf("fault %v: no duration is given: set For", f.Kind)
	}
	return nil
}

// faultPlan is what an invocation will suffer, decided when it is accepted.
type faultPlan struct {
	throttle, serviceError, noShow, duplicate bool
	kill, crash, freeze                       *Fault
}

// faults of one function.
type faults struct {
	mu     sync.Mutex
	draws  *rand.Rand
	active [faultKinds]*Fault
}

func newFaults(seed uint64, function string) *faults {
	// Each function draws from its own sequence, so that one's traffic doesn't change another's faults.
	var mix uint64 = 14695981039346656037 // FNV-1a
	for _, b := range []byte(function) {
		mix = (mix ^ uint64(b)) * 1099511628211
	}
	return &faults{draws: rand.New(rand.NewPCG(seed, mix))}
}

func (fs *faults) set(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.active[f.Kind] = &f
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.active = [faultKinds]*Fault{}
}

func (fs *faults) list() (active []Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.active {
		if f != nil {
			active = append(active, *f)
		}
	}
	return active
}

// strike decides whether a fault hits now, and counts it. It returns a copy, or nil.
func (fs *faults) strike(kind FaultKind) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.active[kind]
	if f == nil {
		return nil
	}
	if f.Probability > 0 && fs.draws.Float64() >= f.Probability {
		return nil
	}
	hit := *f
	if f.Count > 0 {
		if f.Count--; f.Count == 0 {
			fs.active[kind] = nil
		}
	}
	return &hit
}

// plan decides for one invocation. A refused one spends no other fault.
func (fs *faults) plan() (p faultPlan) {
	if p.throttle = fs.strike(FaultThrottle) != nil; p.throttle {
		return p
	}
	if p.serviceError = fs.strike(FaultServiceError) != nil; p.serviceError {
		return p
	}
	if p.noShow = fs.strike(FaultNoShow) != nil; p.noShow {
		return p
	}
	p.duplicate = fs.strike(FaultDuplicate) != nil
	p.kill, p.crash, p.freeze = fs.strike(FaultKill), fs.strike(FaultCrash), fs.strike(FaultFreeze)
	return p
}
