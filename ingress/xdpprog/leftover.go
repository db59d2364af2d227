package xdpprog

import (
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Leftover reports whether the program on an interface was left by a gateway of that instance name: it is taken over where
// another one is refused.
func Leftover(bpffs, instance string, ifindex int) bool {
	if bpffs == "" {
		bpffs = DefaultBPFFS
	}
	for _, side := range sideNames {
		l, err := link.LoadPinnedLink(filepath.Join(bpffs, "granule", instance, side+"-link"), nil)
		if err != nil {
			continue
		}
		index := linkedTo(l)
		_ = l.Close()
		if index == ifindex {
			return true
		}
	}
	return false
}

// PinnedTallies reads what the program on a side (0 inside, 1 outside) has done, from its pins: also while no gateway runs.
func PinnedTallies(bpffs, instance string, side int) ([Outcomes]Tally, error) {
	if bpffs == "" {
		bpffs = DefaultBPFFS
	}
	path := filepath.Join(bpffs, "granule", instance, sideNames[side]+"-outcomes")
	m, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return [Outcomes]Tally{}, fmt.Errorf("open the counters pinned at %s: %w", path, err)
	}
	defer m.Close()
	return readTallies(m)
}
