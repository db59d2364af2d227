package locallambda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running function as an environment sees it. Tests of pure timing put a fake in its place.
type process interface {
	pid() int
	// signal reaches the whole process group; after the end it does nothing.
	signal(syscall.Signal)
	// exited is closed when the process is reaped and nothing of its group is left.
	exited() <-chan struct{}
	// reason says how it ended, as the platform words it; empty for exit code 0. Valid once exited is closed.
	reason() string
	// memory is the resident size now and at its peak, in bytes; after the end, 0 and the peak last seen.
	memory() (now, peak uint64)
	// drainOutput moves everything printed so far to the log, so that a tail taken next is complete.
	drainOutput()
}

// launchSpec is what it takes to start a function's process.
type launchSpec struct {
	artifact  string
	variables []string
	memory    uint64 // bytes
	cpus      float64
	uid, gid  uint32 // 0 keeps those of this process
	output    *logTail
}

// osProcess is a child process in a process group of its own.
type osProcess struct {
	cmd    *exec.Cmd
	output *outputPipe
	limits *limits
	done   chan struct{}
	end    string

	mu     sync.Mutex
	reaped bool // from here on the pid may belong to somebody else
	peak   uint64
}

// start runs the artifact. The process is in its own group (so a signal reaches what it started too), dies with this
// process (Pdeathsig) and writes stdout and stderr into one pipe.
func (s *spawner) start(spec launchSpec) (process, error) {
	output, err := newOutputPipe(spec.output)
	if err != nil {
		return nil, err
	}
	limits, err := s.enforcer.prepare(spec.memory, spec.cpus)
	if err != nil {
		output.close()
		return nil, err
	}
	cmd := exec.Command(spec.artifact)
	cmd.Dir = filepath.Dir(spec.artifact)
	cmd.Env = append(limits.variables(), spec.variables...) // the function's own setting wins
	cmd.Stdout, cmd.Stderr = output.child, output.child
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	limits.atStart(cmd.SysProcAttr)
	started, err := s.confiner.confined(cmd, &spec)
	if err == nil {
		err = s.onThread(cmd.Start)
		started(err)
	}
	if err != nil && s.confiner.bare.Load() && cmd.SysProcAttr.Cloneflags != 0 {
		output.close()
		limits.remove()
		return s.start(spec) // without namespaces, which were refused
	}
	if err != nil {
		output.close()
		limits.remove()
		return nil, fmt.Errorf("%w: %w", errEntrypoint, err)
	}
	output.closeChildEnd()
	p := &osProcess{cmd: cmd, output: output, limits: limits, done: make(chan struct{})}
	// Before anybody reaps it: a process that ends at once takes its group's folders with it.
	err = limits.attach(p)
	go p.reap()
	if err != nil {
		p.signal(syscall.SIGKILL)
		<-p.done
		return nil, fmt.Errorf("limit %s: %w", spec.artifact, err)
	}
	return p, nil
}

// reap waits for the end without taking the exit status first: while the leader is a zombie its pid, and so the group's,
// can't be given to somebody else, and what is left of the group can be killed safely.
func (p *osProcess) reap() {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.reaped = true
	err := p.cmd.Wait()
	p.mu.Unlock()

	if err != nil {
		p.end = err.Error()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			p.end = exit.ProcessState.String()
		}
	}
	p.output.drain()
	p.output.close()
	p.limits.remove()
	close(p.done)
}

func (p *osProcess) pid() int                { return p.cmd.Process.Pid }
func (p *osProcess) exited() <-chan struct{} { return p.done }
func (p *osProcess) reason() string          { return p.end }
func (p *osProcess) drainOutput()            { p.output.drain() }

func (p *osProcess) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

func (p *osProcess) memory() (now, peak uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return 0, p.peak
	}
	now, peak = residentMemory(p.cmd.Process.Pid)
	p.peak = max(p.peak, peak) // a zombie has none
	return now, p.peak
}

// terminate ends a process as the platform does: SIGTERM, then SIGKILL when the window is over. It returns when the process
// is reaped.
func terminate(p process, window time.Duration) {
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT) // a frozen process hears nothing until it is thawed
	timer := time.NewTimer(window)
	defer timer.Stop()
	select {
	case <-p.exited():
		return
	case <-timer.C:
	}
	p.signal(syscall.SIGKILL)
	<-p.exited()
}

// residentMemory reads VmRSS and VmHWM, in bytes.
func residentMemory(pid int) (now, peak uint64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	return statusKiB(status, "VmRSS:") << 10, statusKiB(status, "VmHWM:") << 10
}
