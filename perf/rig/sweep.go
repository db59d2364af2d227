package rig

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

// Sweep removes what killed runs left: namespaces, folders, pinned programs. What belongs to living processes stays.
func Sweep() (removed []string, err error) {
	removed, err = topo.Sweep()
	errs := []error{err}
	for _, dir := range []string{os.TempDir(), filepath.Join(xdpprog.DefaultBPFFS, "granule")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); orphaned(e.Name()) {
				removed = append(removed, path)
				errs = append(errs, os.RemoveAll(path))
			}
		}
	}
	return removed, errors.Join(errs...)
}

// orphaned reports whether that is the name of something that a rig of a dead process made.
func orphaned(name string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	number, _, dash := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(number)
	return ours && dash && err == nil && pid > 0 && syscall.Kill(pid, 0) == syscall.ESRCH
}

// removePins removes what a gateway that was killed left pinned, and with it the program on the interfaces.
func removePins(instance string) error {
	return os.RemoveAll(filepath.Join(xdpprog.DefaultBPFFS, "granule", instance))
}
