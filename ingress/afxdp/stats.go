package afxdp

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
)

// Stats adds the port's counters to s, and the kernel's for the socket. One system call.
func (p *Port) Stats(s *ingress.PortStats) {
	s.RxPackets += p.rx.packets
	s.RxBytes += p.rx.bytes
	s.TxPackets += p.tx.packets
	s.TxBytes += p.tx.bytes
	s.RxDropped += p.rx.noJumbo
	s.RxOversize += p.rx.oversize
	s.TxInvalid += p.tx.invalid
	s.TxErrors += p.tx.errors
	s.TxDropped += p.tx.dropped

	var k unix.XDPStatistics
	length := uint32(unsafe.Sizeof(k))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(p.sock.FD()), unix.SOL_XDP, unix.XDP_STATISTICS,
		uintptr(unsafe.Pointer(&k)), uintptr(unsafe.Pointer(&length)), 0); errno != 0 {
		return // the device is gone; what we counted stands
	}
	s.RxDropped += k.Rx_dropped
	s.RxRingFull += k.Rx_ring_full
	s.RxFillEmpty += k.Rx_fill_ring_empty_descs
	s.TxInvalid += k.Tx_invalid_descs
}
