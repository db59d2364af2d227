package afxdp

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/asavie/xdp"
	"golang.org/x/sys/unix"
)

// Facts are what the kernel gave for what was asked.
type Facts struct {
	ZeroCopyAsked, ZeroCopy bool
	SendBudget              int  // frames the kernel sends in one system call; 0: not settable here (before 6.17), 32 or 16
	SendBufferForced        bool // SO_SNDBUFFORCE took; otherwise the system's limit holds
	Jumbo                   bool
	FrameSize               int
	RXFrames, FillRing      int
	RXRing, TXRing          int
}

// openLock guards the library's package-wide bind flags, and the comparison of mappings before and after.
var openLock sync.Mutex

// newSocket binds a socket and returns with it the rings that its Close won't unmap.
func newSocket(c *Config, zeroCopy bool) (*xdp.Socket, []mapping, error) {
	openLock.Lock()
	defer openLock.Unlock()
	before, err := ringMappings()
	if err != nil {
		return nil, nil, err
	}
	saved := xdp.DefaultSocketFlags
	defer func() { xdp.DefaultSocketFlags = saved }()
	xdp.DefaultSocketFlags = unix.XDP_COPY
	if zeroCopy {
		xdp.DefaultSocketFlags = unix.XDP_ZEROCOPY
	}
	if c.Jumbo {
		xdp.DefaultSocketFlags |= unix.XDP_USE_SG
	}
	sock, err := xdp.NewSocket(c.Ifindex, c.Queue, &xdp.SocketOptions{
		NumFrames:              c.RXFrames + c.TXRing,
		FrameSize:              FrameSize,
		FillRingNumDescs:       c.FillRing,
		CompletionRingNumDescs: c.TXRing,
		RxRingNumDescs:         c.RXRing,
		TxRingNumDescs:         c.TXRing,
	})
	rings, merr := mappedSince(before)
	if err != nil {
		return nil, nil, errors.Join(err, merr, unmapAll(rings))
	}
	if merr != nil {
		return nil, nil, errors.Join(merr, sock.Close())
	}
	return sock, rings, nil
}

// busy reports whether a queue has a socket already. The library hands on the text of the kernel's error alone.
func busy(err error) bool { return err != nil && strings.Contains(err.Error(), unix.EBUSY.Error()) }

// releaseTime is how long a queue may be busy before somebody else is taken to have it.
const releaseTime = time.Second

// openSocket binds in the mode asked for, or in copy mode where the driver refuses zero-copy.
func openSocket(c *Config) (sock *xdp.Socket, rings []mapping, err error) {
	if c.ZeroCopy {
		if sock, rings, err = newSocket(c, true); err == nil {
			return sock, rings, nil
		}
	}
	// The kernel lets go of a queue some time after its socket was closed: a gateway that starts anew has to wait for that.
	for end := time.Now().Add(releaseTime); ; time.Sleep(5 * time.Millisecond) {
		if sock, rings, err = newSocket(c, false); !busy(err) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open an AF_XDP socket on interface %d queue %d: %w (busy: another process has the queue; "+
			"not supported or invalid: see `granule doctor`)", c.Ifindex, c.Queue, err)
	}
	return sock, rings, nil
}

// tune sets what the library has no field for, and reads back what was got.
func tune(fd int, c *Config) (Facts, error) {
	f := Facts{
		ZeroCopyAsked: c.ZeroCopy, Jumbo: c.Jumbo, FrameSize: FrameSize,
		RXFrames: c.RXFrames, FillRing: c.FillRing, RXRing: c.RXRing, TXRing: c.TXRing,
	}
	// In copy mode every frame on its way out is charged to the socket; the default stops at some 90 full frames.
	f.SendBufferForced = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, c.SendBuffer) == nil
	if !f.SendBufferForced {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, c.SendBuffer) // cut to the system's limit, never refused
	}
	// Linux 6.17: without, one call sends 32 frames and the ring must be kicked for the rest.
	if unix.SetsockoptInt(fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, c.TXRing) == nil {
		f.SendBudget = c.TXRing
	}
	if c.BusyPoll > 0 {
		for _, o := range []struct{ opt, value int }{
			{unix.SO_PREFER_BUSY_POLL, 1},
			{unix.SO_BUSY_POLL, int(c.BusyPoll.Microseconds())},
			{unix.SO_BUSY_POLL_BUDGET, 64},
		} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.opt, o.value); err != nil {
				return f, fmt.Errorf("busy polling: set socket option %d to %d: %w; needs Linux 5.11 and CAP_NET_ADMIN", o.opt, o.value, err)
			}
		}
	}
	var options uint32
	length := uint32(unsafe.Sizeof(options))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_XDP, unix.XDP_OPTIONS,
		uintptr(unsafe.Pointer(&options)), uintptr(unsafe.Pointer(&length)), 0); errno != 0 {
		return f, fmt.Errorf("read the mode got (XDP_OPTIONS): %w", errno)
	}
	f.ZeroCopy = options&unix.XDP_OPTIONS_ZEROCOPY != 0
	return f, nil
}
