package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Flood sends small UDP frames from one host's interface to another's, past the sender's own network stack, and counts what
// the other interface receives. Its result is about packets a second; for order and loss see UDP.
type Flood struct {
	From, To       Host
	Interface      string // on either host
	FromMAC, ToMAC net.HardwareAddr
	Source, Target string        // addresses
	Flows          int           // source ports, in turn (64)
	Size           int           // bytes on the wire, with FCS (64)
	Rate           float64       // packets a second offered; 0: all that the sender can
	Duration       time.Duration // (1 s)
	Meter          *Meter
}

// FloodResult is what a run of Flood came to, after its warm-up.
type FloodResult struct {
	Sent, Received uint64
	Refused        uint64 // that the sender's interface did not take
	Elapsed        time.Duration
}

// Offered and Arrived are packets a second.
func (r *FloodResult) Offered() float64 { return float64(r.Sent) / max(r.Elapsed.Seconds(), 1e-9) }

// Arrived returns the packets a second that came out of the other end.
func (r *FloodResult) Arrived() float64 { return float64(r.Received) / max(r.Elapsed.Seconds(), 1e-9) }

const floodBatch = 64 // frames a system call

// Run floods for Duration, after a tenth of it for everything to get going.
func (f Flood) Run(ctx context.Context) (r FloodResult, err error) {
	if f.Flows == 0 {
		f.Flows = 64
	}
	if f.Size == 0 {
		f.Size = 64
	}
	if f.Duration == 0 {
		f.Duration = time.Second
	}
	f.Meter = meter(f.Meter)
	fd, err := f.open()
	if err != nil {
		return r, err
	}
	defer unix.Close(fd)
	// The datagrams have a socket to go to, one that holds nearly none of them: else the host would answer with ICMP.
	var sink *net.UDPConn
	if err := f.To.Do(func() (err error) {
		sink, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(f.Target)})
		return err
	}); err != nil {
		return r, fmt.Errorf("flood: listen on UDP %s: %w", f.Target, err)
	}
	defer func() { _ = sink.Close() }()
	_ = sink.SetReadBuffer(1)
	messages := f.messages(uint16(sink.LocalAddr().(*net.UDPAddr).Port))

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := pace{rate: f.Rate, began: time.Now()}
	began, warm, before := p.began, false, uint64(0)
	for at := 0; ctx.Err() == nil; {
		now := time.Now()
		if !warm && now.Sub(p.began) > f.Duration/10 {
			if before, err = f.arrived(); err != nil {
				return r, err
			}
			warm, began, r = true, time.Now(), FloodResult{}
			continue
		}
		if warm && now.Sub(began) >= f.Duration {
			break
		}
		n := p.due(ctx, floodBatch)
		sent, errno := sendmmsg(fd, messages[at:at+n])
		if at += floodBatch; at >= len(messages) {
			at = 0
		}
		r.Sent += uint64(sent)
		f.Meter.Sent.Add(uint64(sent))
		switch errno {
		case 0, unix.EINTR, unix.EAGAIN:
		case unix.ENOBUFS, unix.ENETDOWN:
			r.Refused++
		default:
			return r, fmt.Errorf("flood: send on %s: %w", f.Interface, errno)
		}
	}
	r.Elapsed = time.Since(began)
	after, err := f.arrived()
	r.Received = after - before
	f.Meter.Received.Add(r.Received)
	return r, errors.Join(err, ctx.Err())
}

// open makes a packet socket that hands frames straight to the device.
func (f *Flood) open() (fd int, err error) {
	err = f.From.Do(func() error {
		iface, err := net.InterfaceByName(f.Interface)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil { // 0: receives nothing
			return err
		}
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8<<20),
			unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: iface.Index}),
		)
		if err != nil {
			unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("flood: packet socket on %s: %w", f.Interface, err)
	}
	return fd, nil
}

// arrived is how many packets the far interface has received.
func (f *Flood) arrived() (n uint64, err error) {
	err = f.To.Do(func() error {
		l, err := netlink.LinkByName(f.Interface)
		if err == nil {
			n = l.Attrs().Statistics.RxPackets
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("flood: counters of %s: %w", f.Interface, err)
	}
	return n, nil
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// messages are the frames of all flows, ready for sendmmsg; a multiple of floodBatch of them.
func (f *Flood) messages(port uint16) []mmsghdr {
	m := make([]mmsghdr, (f.Flows+floodBatch-1)/floodBatch*floodBatch)
	frames := make([][]byte, f.Flows)
	for i := range frames {
		frames[i] = udpFrame(f.Size-4, f.FromMAC, f.ToMAC, net.ParseIP(f.Source), net.ParseIP(f.Target), uint16(1024+i%60000), port)
	}
	iovs := make([]unix.Iovec, len(m))
	for i := range m {
		b := frames[i%f.Flows]
		iovs[i] = unix.Iovec{Base: &b[0], Len: uint64(len(b))}
		m[i].hdr.Iov, m[i].hdr.Iovlen = &iovs[i], 1
	}
	return m
}

func sendmmsg(fd int, m []mmsghdr) (sent int, errno unix.Errno) {
	if len(m) == 0 {
		return 0, 0
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
