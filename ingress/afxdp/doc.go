// Package afxdp is the port on a NIC: an AF_XDP socket per RX queue, behind ingress.Port.
//
// Where a frame is, in order:
//
//  1. RX frame of UMEM, on the fill ring: the kernel's, to receive into.
//  2. RX frame of UMEM, handed out by Receive: the caller's, parked for as long as it likes, until Release.
//  3. RX frame of UMEM, on the free stack: the port's, until the next Receive or Flush puts it on the fill ring.
//
// A frame is sent by copying it into a TX frame, which is staged (ours), then on the TX ring (the kernel's) and comes back
// by the completion ring. RX frames are never transmitted: the other port is another socket with another UMEM.
//
// The socket is that of github.com/asavie/xdp v0.3.3, whose traps this package keeps from everybody else:
//
//   - Transmit sends as much as one system call does and strands the rest; Flush kicks until the ring is drained, and the
//     kernel's budget for one call is raised where it can be.
//   - Transmit panics when the link is down or the device gone; that is contained, counted, and tried again later.
//   - GetDescs reserves nothing and Complete does not tell which frames it frees; frame lists are ours, and completions are
//     read off a second mapping of the completion ring.
//   - Close forgets to unmap the rings, which keeps the queue bound; Close here unmaps them.
//   - It orders no memory accesses, so it is right on amd64 alone; elsewhere Open refuses.
package afxdp
