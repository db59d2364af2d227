package rig

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// Process is a program that runs in a namespace.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	exit   error // valid once exited is closed
}

// Spawn starts cmd in a namespace, in a process group of its own: Ctrl-C is for the one who started us, who stops this one
// in its turn. It gets SIGTERM if this process is killed.
func Spawn(ns *topo.Namespace, cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		// The death signal is bound to the thread that forks, which therefore stays until the process has ended.
		err := ns.Do(func() error {
			err := cmd.Start()
			if err == nil {
				started <- nil
				p.exit = cmd.Wait()
				close(p.exited)
			}
			return err
		})
		if err != nil {
			started <- err
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", cmd.Path, ns.Name, err)
	}
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitError is how it ended, once Exited is closed; nil for exit code 0.
func (p *Process) ExitError() error { return p.exit }

// Signal sends it a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks it to end, and kills it if it does not in time, which is an error. More than once is fine.
func (p *Process) Stop(patience time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails for one that has ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("process %d did not stop within %s of SIGTERM and was killed", p.PID(), patience)
}
