package xdpprog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/link"
)

// ErrNothingPinned says that no gateway of an instance name has left anything in the BPF file system.
var ErrNothingPinned = errors.New("nothing is pinned")

// Detach removes what a gateway of that instance name left: its programs come off their interfaces, pins and folder go. It returns the indices of the
// interfaces, 0 for one that is gone. It refuses while that gateway runs. The error wraps ErrNothingPinned where there is nothing; others are those of the
// file system.
func Detach(bpffs, instance string) (ifindex []int, err error) {
	if bpffs == "" {
		bpffs = DefaultBPFFS
	}
	if instance == "" || instance != filepath.Base(instance) || instance == "." || instance == ".." {
		return nil, fmt.Errorf("gateway instance name %q: expected a name that can be one folder's", instance)
	}
	path := filepath.Join(bpffs, "granule", instance)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("instance %q: %w in %s (pins are seen in the mount namespace of the gateway that made them)", instance, ErrNothingPinned, path)
		}
		return nil, err
	}
	pins, err := lockPinDir(bpffs, instance)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, side := range sideNames {
		l, err := link.LoadPinnedLink(pins.file(side+"-link"), nil)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
			continue
		}
		ifindex = append(ifindex, linkedTo(l))
		errs = append(errs, l.Unpin(), l.Close()) // the last reference: the program comes off
	}
	errs = append(errs, removeAll(path), pins.unlock(true))
	return ifindex, errors.Join(errs...)
}

// removeAll empties a folder of pins. One that has gone meanwhile is as good.
func removeAll(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(path, e.Name())); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
