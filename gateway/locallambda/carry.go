package locallambda

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errEntrypoint is a process that could not even be started.
var errEntrypoint = errors.New("the artifact can't be run")

// accept admits an invocation against the concurrency limits and starts to carry it; the answer arrives in inv.answer.
func (s *Service) accept(inv *invocation) *apiError {
	inv.plan = inv.fn.faults.plan()
	switch {
	case inv.plan.throttle:
		return errThrottled(reasonReserved)
	case inv.plan.serviceError:
		return errService("a service error was asked for (fault %v)", FaultServiceError)
	}
	if refused := s.admit(inv); refused != nil {
		return refused
	}
	if inv.plan.duplicate {
		// A duplicate that finds no room is a duplicate that didn't happen.
		_ = s.admit(inv.twin())
	}
	return nil
}

// The reasons of a 429.
const (
	reasonReserved = "ReservedFunctionConcurrentInvocationLimitExceeded"
	reasonAccount  = "ConcurrentInvocationLimitExceeded"
)

func (s *Service) admit(inv *invocation) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn := inv.fn
	switch {
	case s.closed:
		return errClosing()
	case fn.ReservedConcurrency > 0 && fn.running >= fn.ReservedConcurrency:
		return errThrottled(reasonReserved)
	case s.running >= s.cfg.AccountConcurrency:
		return errThrottled(reasonAccount)
	}
	s.running++
	fn.running++
	s.jobs.Go(func() {
		out := s.carry(inv)
		if s.closing.Err() != nil {
			out = outcome{refused: errClosing()}
		}
		s.mu.Lock()
		s.running--
		fn.running--
		s.mu.Unlock()
		inv.reply(out)
	})
	return nil
}

// carry takes an invocation through an environment, a warm one if there is one.
func (s *Service) carry(inv *invocation) outcome {
	if inv.plan.noShow {
		s.pause(inv.fn.Timeout)
		return inv.timedOut()
	}
	for {
		e := s.takeIdle(inv.fn)
		warm := e != nil
		if !warm {
			var err error
			e, err = s.coldStart(inv.fn)
			switch {
			case errors.Is(err, errEntrypoint):
				return inv.functionFailure("Runtime.InvalidEntrypoint", "%v", err)
			case err != nil:
				return outcome{refused: errService("%v", err)}
			}
			if out := e.awaitInit(inv); out != nil {
				return *out
			}
		}
		out, taken := e.serve(inv)
		if !s.park(e) {
			e.shutDown()
		}
		if taken || !warm {
			return out
		}
		// A warm process ended while nobody looked; the invocation never reached it.
	}
}

// takeIdle returns the environment used last, or nil.
func (s *Service) takeIdle(fn *function) *environment {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(fn.idle) > 0 {
		last := len(fn.idle) - 1
		e := fn.idle[last]
		fn.idle = fn.idle[:last]
		if e.usable() {
			return e
		}
	}
	return nil
}

// park puts an environment that is free again among the idle ones.
func (s *Service) park(e *environment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !e.park(func() { s.expire(e) }) {
		return false
	}
	e.fn.idle = append(e.fn.idle, e)
	return true
}

// expire ends an environment that nobody has used, unless somebody has just taken it.
func (s *Service) expire(e *environment) {
	s.mu.Lock()
	i := slices.Index(e.fn.idle, e)
	if i >= 0 {
		e.fn.idle = slices.Delete(e.fn.idle, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		e.log.Info("idle environment ends", "pid", e.proc.pid(), "idle", e.fn.IdleTimeout)
		e.shutDown()
	}
}

// coldStart starts a new environment. It returns before the process has asked for work.
func (s *Service) coldStart(fn *function) (*environment, error) {
	delay := fn.ColdStart
	if f := fn.faults.strike(FaultColdStart); f != nil {
		delay += f.For
	}
	if !s.pause(delay) {
		return nil, errClosing()
	}
	e := newEnvironment(fn, s.cfg.Logger)
	s.mu.Lock()
	s.bySecret[e.secret] = e // before the start: the process calls at once
	s.mu.Unlock()

	stream := fmt.Sprintf("%s/[%s]%s", time.Now().UTC().Format("2006/01/02"), latest, rand.Text())
	var err error
	e.proc, err = s.launch(launchSpec{
		artifact:  fn.Artifact,
		variables: fn.variables(s.runtimeAddress+"/"+e.secret, stream),
		memory:    uint64(fn.MemoryMB) << 20,
		cpus:      fn.CPUs,
		uid:       fn.UID,
		gid:       fn.GID,
		output:    e.output,
	})
	s.mu.Lock()
	if err != nil {
		delete(s.bySecret, e.secret)
		s.mu.Unlock()
		return nil, err
	}
	s.environments[e] = struct{}{}
	closed := s.closed
	// Under a job already, so Close is still waiting.
	s.jobs.Go(func() {
		<-e.proc.exited()
		s.forget(e)
	})
	s.mu.Unlock()
	e.log.Info("environment starts", "pid", e.proc.pid(), "memory_mb", fn.MemoryMB)
	if closed {
		e.shutDown()
		return nil, errClosing()
	}
	return e, nil
}

// forget drops an environment whose process has ended.
func (s *Service) forget(e *environment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.environments, e)
	delete(s.bySecret, e.secret)
	if i := slices.Index(e.fn.idle, e); i >= 0 {
		e.fn.idle = slices.Delete(e.fn.idle, i, i+1)
	}
	e.retire()
	e.log.Info("environment has ended", "pid", e.proc.pid(), "reason", e.proc.reason(), "age", time.Since(e.created))
}

// pause waits; false if the service closed meanwhile.
func (s *Service) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.closing.Done():
		return false
	}
}
