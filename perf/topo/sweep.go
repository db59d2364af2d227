package topo

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netns"
)

const netnsDir = "/var/run/netns"

// Sweep removes the namespaces of processes that are no more, and returns their names.
func Sweep() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var swept []string
	var errs []error
	for _, e := range entries {
		pid, ours := owner(e.Name())
		if !ours || syscall.Kill(pid, 0) != syscall.ESRCH {
			continue
		}
		if err := netns.DeleteNamed(e.Name()); err != nil {
			errs = append(errs, fmt.Errorf("remove network namespace %s: %w", e.Name(), err))
			continue
		}
		swept = append(swept, e.Name())
	}
	return swept, errors.Join(errs...)
}

// owner is the process that made a namespace of that name.
func owner(name string) (pid int, ours bool) {
	rest, ours := strings.CutPrefix(name, prefix)
	number, _, dash := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(number)
	return pid, ours && dash && err == nil && pid > 0
}
