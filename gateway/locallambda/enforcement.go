package locallambda

import (
	"fmt"
	"log/slog"
	"strconv"
	"syscall"
	"time"
)

// Enforcement says, for each limit that the kernel must help with, how it is enforced on this machine, in words for a
// status page. The limits that the service keeps by itself (lifetime, concurrency, payload) always hold.
type Enforcement struct {
	// Memory is "cgroup v2", "cgroup v1" or "polled".
	Memory string
	// CPU is "cgroup v2", "cgroup v1" or "not enforced".
	CPU string
	// Why explains what is missing; empty if both are kept by the kernel.
	Why string
}

// enforcer knows what this machine can do.
type enforcer struct {
	groups cgroups
	log    *slog.Logger
}

func (e *enforcer) describe() Enforcement {
	d := Enforcement{Memory: "polled", CPU: "not enforced"}
	if e.groups.memory != "" {
		d.Memory = e.groups.version
	}
	if e.groups.cpu != "" {
		d.CPU = e.groups.version
	}
	if e.groups.why != nil {
		d.Why = e.groups.why.Error()
	}
	return d
}

// limits are those of one process.
type limits struct {
	group  *cgroup // nil without one
	memory uint64
	polled bool
	log    *slog.Logger
}

// prepare makes what must exist before the process starts.
func (e *enforcer) prepare(memory uint64, cpus float64) (*limits, error) {
	l := &limits{memory: memory, polled: e.groups.memory == "", log: e.log}
	if e.groups.version != "" {
		group, err := e.groups.create(memory, cpus)
		if err != nil {
			return nil, err
		}
		l.group = group
	}
	return l, nil
}

// variables tells Go's collector about a limit that no kernel keeps: the poll sees it up to a period late.
// RLIMIT_AS is no substitute: Go reserves far more address space than it uses, and would die at start.
func (l *limits) variables() []string {
	if !l.polled {
		return nil
	}
	return []string{"GOMEMLIMIT=" + strconv.FormatUint(l.memory/10*9, 10)}
}

func (l *limits) atStart(attr *syscall.SysProcAttr) {
	if l.group != nil {
		l.group.atStart(attr)
	}
}

// attach puts a process that has just started under its limits.
func (l *limits) attach(p *osProcess) error {
	if l.group != nil {
		if err := l.group.attach(p.pid()); err != nil {
			return err
		}
	}
	if l.polled {
		go l.poll(p)
	}
	return nil
}

// memoryPoll is how often a process without a memory group is looked at.
const memoryPoll = 100 * time.Millisecond

func (l *limits) poll(p *osProcess) {
	ticker := time.NewTicker(memoryPoll)
	defer ticker.Stop()
	for {
		select {
		case <-p.exited():
			return
		case <-ticker.C:
		}
		if now, _ := p.memory(); now > l.memory {
			l.log.Warn("function is over its memory limit, killed", "pid", p.pid(), "resident", now, "limit", l.memory)
			p.signal(syscall.SIGKILL)
			return
		}
	}
}

func (l *limits) remove() {
	if l.group == nil {
		return
	}
	if err := l.group.remove(); err != nil {
		l.log.Warn("a control group of an ended function is left behind", "error", fmt.Sprint(err))
	}
}
