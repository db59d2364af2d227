package afxdp

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// completionRing is a second, read-only mapping of the ring on which the kernel returns TX frames.
//
// The library's Complete(n) consumes n of them and keeps to itself which. They don't come in the order in which they were
// sent (a packet buffer completes when the receiver frees it, on whatever CPU that is), so counting won't do.
type completionRing struct {
	mem      []byte
	consumer *uint32
	addrs    []uint64
	mask     uint32
}

func mapCompletionRing(fd, size int) (*completionRing, error) {
	var off unix.XDPMmapOffsets
	length := uint32(unsafe.Sizeof(off))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&off)), uintptr(unsafe.Pointer(&length)), 0); errno != 0 {
		return nil, fmt.Errorf("ask where the completion ring's fields are: %w", errno)
	}
	mem, err := unix.Mmap(fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, int(off.Cr.Desc)+size*8, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map the completion ring: %w", err)
	}
	return &completionRing{
		mem:      mem,
		consumer: (*uint32)(unsafe.Pointer(&mem[off.Cr.Consumer])),
		addrs:    unsafe.Slice((*uint64)(unsafe.Pointer(&mem[off.Cr.Desc])), size),
		mask:     uint32(size - 1),
	}, nil
}

// frames pushes the numbers of the next n completed frames; the caller has the library consume them afterwards.
func (r *completionRing) frames(n int, to *stack) {
	at := atomic.LoadUint32(r.consumer)
	for range n {
		to.push(uint32(r.addrs[at&r.mask] / FrameSize))
		at++
	}
}

func (r *completionRing) close() error { return unix.Munmap(r.mem) }
