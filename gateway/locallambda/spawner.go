package locallambda

import "runtime"

// spawner starts every child from one OS thread that lives as long as the service.
//
// Pdeathsig fires when the *thread* that forked ends, not the process. A goroutine's thread may end at any time (one that
// was locked, one the scheduler gave up), and would take healthy workers with it.
type spawner struct {
	enforcer *enforcer
	confiner *confiner
	jobs     chan func()
	stopped  chan struct{}
}

func newSpawner(e *enforcer, c *confiner) *spawner {
	s := &spawner{enforcer: e, confiner: c, jobs: make(chan func()), stopped: make(chan struct{})}
	go func() {
		defer close(s.stopped)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// onThread runs f on the spawning thread.
func (s *spawner) onThread(f func() error) error {
	result := make(chan error, 1)
	s.jobs <- func() { result <- f() }
	return <-result
}

// stop ends the thread; every child must have been reaped.
func (s *spawner) stop() {
	close(s.jobs)
	<-s.stopped
}
