package livetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/granule-nf/granule/ingress/xdpprog"
)

// traces are what gateways of one test have made outside themselves, as long as it could be seen.
type traces struct {
	gateways, workers []int    // processes
	groups            []string // control groups
}

// note looks at what the gateway, process pid, has at this moment.
func (s *traces) note(pid int) {
	s.gateways = append(s.gateways, pid)
	s.workers = append(s.workers, descendants(pid)...)
	for _, g := range controlGroups() {
		if strings.Contains(g, fmt.Sprintf("granule-lambda-%d-", pid)) {
			s.groups = append(s.groups, g)
		}
	}
}

// descendants are the processes that pid has started, and those that they have.
func descendants(pid int) (all []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ") // pid (name) state parent
		fields := strings.Fields(rest)
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		all = append(all, children[queue[0]]...)
		queue = append(queue, children[queue[0]]...)
	}
	return all
}

// controlGroups are all groups that an embedded Lambda service made, whoever's.
func controlGroups() (groups []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "granule-lambda-") {
			groups = append(groups, path)
		}
		return nil // a group that went meanwhile
	})
	return groups
}

// nothingLeft checks, when the gateway has ended as planned, that of all that gateways of this test made nothing is there: no
// worker, no control group, no pin.
func (l *live) nothingLeft() {
	l.t.Helper()
	if len(l.seen.workers) == 0 {
		l.t.Error("no worker was ever seen: there is nothing to be left behind")
	}
	for _, pid := range l.seen.workers { // those of a killed gateway end when they notice
		there := func() bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
		for end := time.Now().Add(10 * time.Second); there() && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		}
		if there() {
			state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			l.t.Errorf("worker process %d is still there: %s", pid, state)
		}
	}
	for _, g := range controlGroups() {
		if slices.ContainsFunc(l.seen.gateways, func(pid int) bool { return strings.Contains(g, fmt.Sprintf("granule-lambda-%d-", pid)) }) {
			l.t.Errorf("control group left behind: %s", g)
		}
	}
	pins := filepath.Join(xdpprog.DefaultBPFFS, "granule", l.instance())
	if _, err := os.Stat(pins); !errors.Is(err, os.ErrNotExist) {
		l.t.Errorf("pins left behind: %s (%v)", pins, err)
	}
	if paths, _ := filepath.Glob(filepath.Join(l.dir, "*.sock")); len(paths) > 0 {
		l.t.Errorf("sockets left behind: %v", paths)
	}
}

func (l *live) noNamespaceLeft() {
	for _, ns := range []string{l.topo.Inside.Path(), l.topo.Gateway.Path(), l.topo.Outside.Path()} {
		if _, err := os.Stat(ns); !errors.Is(err, os.ErrNotExist) {
			l.t.Errorf("network namespace left behind: %s (%v)", ns, err)
		}
	}
}
