package afxdp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapping is a range of this process's memory.
type mapping struct{ start, end uintptr }

// ringMappings lists the memory that is mapped from sockets.
//
// The library's Close leaves its four rings mapped. A mapping keeps the socket alive, hence the queue bound and UMEM
// pinned until the process ends, so what NewSocket mapped is found here, and Close unmaps it.
func ringMappings() (map[mapping]bool, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := map[mapping]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(" socket:[")) {
			continue
		}
		var m mapping
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &m.start, &m.end); err != nil {
			return nil, fmt.Errorf("/proc/self/maps: %q: %w", lines.Text(), err)
		}
		found[m] = true
	}
	return found, lines.Err()
}

// mappedSince lists the socket memory that was not mapped before.
func mappedSince(before map[mapping]bool) ([]mapping, error) {
	now, err := ringMappings()
	if err != nil {
		return nil, err
	}
	var added []mapping
	for m := range now {
		if !before[m] {
			added = append(added, m)
		}
	}
	return added, nil
}

func unmapAll(maps []mapping) error {
	var errs []error
	for _, m := range maps {
		if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, m.start, m.end-m.start, 0); errno != 0 {
			errs = append(errs, fmt.Errorf("unmap a ring: %w", errno))
		}
	}
	return errors.Join(errs...)
}
