package main

import (
	"errors"

	"github.com/asavie/xdp"
	"golang.org/x/sys/unix"
)

const (
	frameSize = 4096
	ring      = 2048
	burst     = 128
)

// side is one socket. Its first ring frames receive, the rest send, in turns.
type side struct {
	sock *xdp.Socket
	next int // TX frame whose turn it is
	free int // TX frames that the kernel has given back
	out  []xdp.Desc
}

func open(ifindex int) (*side, error) {
	xdp.DefaultSocketFlags = unix.XDP_COPY
	sock, err := xdp.NewSocket(ifindex, 0, &xdp.SocketOptions{
		NumFrames: 2 * ring, FrameSize: frameSize,
		FillRingNumDescs: ring, CompletionRingNumDescs: ring, RxRingNumDescs: ring, TxRingNumDescs: ring,
	})
	if err != nil {
		return nil, err
	}
	fill := make([]xdp.Desc, ring)
	for i := range fill {
		fill[i].Addr = uint64(i) * frameSize
	}
	sock.Fill(fill)
	if err := unix.SetsockoptInt(sock.FD(), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20); err != nil {
		return nil, errors.Join(err, sock.Close())
	}
	// Without it (before Linux 6.17) a call sends 32 frames at most, and move kicks again.
	_ = unix.SetsockoptInt(sock.FD(), unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, ring)
	return &side{sock: sock, free: ring, out: make([]xdp.Desc, 0, burst)}, nil
}

// move copies a burst from s to the other side and sends it. A TX frame is used again in its turn, although completions come
// in any order: in copy mode the kernel has its own copy of the bytes as soon as Transmit returns.
func (s *side) move(to *side) int {
	if n := to.sock.NumCompleted(); n > 0 {
		to.sock.Complete(n)
		to.free += n
	}
	n := min(s.sock.NumReceived(), burst, to.free)
	if n == 0 {
		if to.sock.NumFreeTxSlots() < ring {
			to.sock.Transmit(nil)
		}
		return 0
	}
	in := s.sock.Receive(n)
	to.out = to.out[:0]
	for _, d := range in {
		o := xdp.Desc{Addr: uint64(ring+to.next) * frameSize, Len: d.Len}
		to.next = (to.next + 1) % ring
		copy(to.sock.GetFrame(o), s.sock.GetFrame(d))
		to.out = append(to.out, o)
	}
	s.sock.Fill(in)
	to.free -= n
	to.sock.Transmit(to.out)
	return n
}
