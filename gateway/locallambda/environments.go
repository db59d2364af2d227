package locallambda

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Environment is one running process of a function, as a status page shows it.
type Environment struct {
	Function   string
	PID        int
	State      State
	Frozen     bool      // stopped between invocations, by Function.FreezeIdle
	Invocation string    // request id; empty when idle
	Deadline   time.Time // of that invocation; zero when idle
	Served     int       // invocations handed to it so far, the current one included
	Memory     uint64    // resident bytes now
	MemoryPeak uint64    // resident bytes at most
	Age        time.Duration
}

// List returns the live environments, oldest first.
func (s *Service) List() []Environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Environment, 0, len(s.environments))
	for e := range s.environments {
		list = append(list, e.describe())
	}
	slices.SortFunc(list, func(a, b Environment) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.PID, b.PID))
	})
	return list
}

func (e *environment) describe() Environment {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := Environment{
		Function: e.fn.Name, PID: e.proc.pid(), State: e.state, Frozen: e.frozen, Served: e.served, Age: time.Since(e.created),
	}
	d.Memory, d.MemoryPeak = e.proc.memory()
	if e.current != nil {
		d.Invocation, d.Deadline = e.current.id, e.current.deadline
	}
	return d
}

// Kill ends an environment with SIGKILL, at once. It is named by its process id or by the request id it works on.
func (s *Service) Kill(target string) error {
	e, err := s.find(target)
	if err != nil {
		return err
	}
	e.log.Info("killed by request", "pid", e.proc.pid())
	e.retire() // nobody gets it from here on, though its end is noticed a moment later
	e.proc.signal(syscall.SIGKILL)
	return nil
}

// Freeze stops a working environment (SIGSTOP) and lets it go on after d. It is named as for Kill.
func (s *Service) Freeze(target string, d time.Duration) error {
	e, err := s.find(target)
	if err != nil {
		return err
	}
	e.log.Info("frozen by request", "pid", e.proc.pid(), "for", d)
	e.proc.signal(syscall.SIGSTOP)
	time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.frozen { // idle by now, and to stay stopped until its next invocation
			e.proc.signal(syscall.SIGCONT)
		}
	})
	return nil
}

// find looks an environment up by process id or request id. Only live ones of this service are found, so that no caller
// can reach a foreign process.
func (s *Service) find(target string) (*environment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.environments {
		e.mu.Lock()
		match := strconv.Itoa(e.proc.pid()) == target || (e.current != nil && e.current.id == target)
		e.mu.Unlock()
		if match {
			return e, nil
		}
	}
	return nil, fmt.Errorf("local lambda: no environment has the process id or request id %q: List names those there are", target)
}

// SetFault puts a fault on a function, in place of an earlier one of its kind. It strikes invocations accepted from now on.
func (s *Service) SetFault(function string, f Fault) error {
	fn, err := s.function(function)
	if err != nil {
		return err
	}
	if err := f.validate(); err != nil {
		return fmt.Errorf("local lambda: function %q: %w", function, err)
	}
	fn.faults.set(f)
	return nil
}

// ClearFaults removes all faults of a function; those that a running invocation has been dealt stay with it.
func (s *Service) ClearFaults(function string) error {
	fn, err := s.function(function)
	if err != nil {
		return err
	}
	fn.faults.clear()
	return nil
}

// Faults lists the faults that are set on a function, with what is left of their counts.
func (s *Service) Faults(function string) ([]Fault, error) {
	fn, err := s.function(function)
	if err != nil {
		return nil, err
	}
	return fn.faults.list(), nil
}

func (s *Service) function(name string) (*function, error) {
	fn := s.functions[name]
	if fn == nil {
		return nil, fmt.Errorf("local lambda: function %q is unknown: it is not in the service's configuration", name)
	}
	return fn, nil
}
