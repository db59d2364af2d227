package xdpprog

import (
	"path/filepath"

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
