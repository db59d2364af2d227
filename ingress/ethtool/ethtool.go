// Package ethtool asks and sets, over the kernel's ethtool interface, the few things about a NIC that matter to a port:
// driver, queues and offloads. Interfaces are named as the calling thread's network namespace knows them.
package ethtool

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// request is struct ifreq with a pointer in its union.
type request struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ioctl runs one ethtool command; data begins with the command's number.
func ioctl(name string, data unsafe.Pointer) error {
	if len(name) >= unix.IFNAMSIZ {
		return fmt.Errorf("interface name %q: expected at most %d characters", name, unix.IFNAMSIZ-1)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req := request{data: data}
	copy(req.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

// Driver names an interface's driver and its version.
func Driver(name string) (driver, version string, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", "", err
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil {
		return "", "", fmt.Errorf("driver of %s: %w", name, err)
	}
	return unix.ByteSliceToString(info.Driver[:]), unix.ByteSliceToString(info.Version[:]), nil
}

// Queues are an interface's channels: a combined one has an RX and a TX queue.
type Queues struct {
	RX, TX, Combined          int
	MaxRX, MaxTX, MaxCombined int
}

// Receive is how many RX queues are in use.
func (q Queues) Receive() int { return q.RX + q.Combined }

// channels is struct ethtool_channels.
type channels struct {
	cmd                                uint32
	maxRX, maxTX, maxOther, maxCombine uint32
	rx, tx, other, combined            uint32
}

// GetQueues returns an interface's channels, or an error of unix.EOPNOTSUPP where its driver knows no such thing.
func GetQueues(name string) (Queues, error) {
	c := channels{cmd: unix.ETHTOOL_GCHANNELS}
	if err := ioctl(name, unsafe.Pointer(&c)); err != nil {
		return Queues{}, fmt.Errorf("queues of %s: %w", name, err)
	}
	return Queues{
		RX: int(c.rx), TX: int(c.tx), Combined: int(c.combined),
		MaxRX: int(c.maxRX), MaxTX: int(c.maxTX), MaxCombined: int(c.maxCombine),
	}, nil
}
