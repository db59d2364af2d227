package ethtool

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Feature is an offload, under the name that `ethtool -K` takes.
type Feature string

// The offloads that change what a port sees or sends.
const (
	RX     Feature = "rx"     // receive checksums verified by the NIC
	TX     Feature = "tx"     // checksums left to the NIC: a frame taken before it has wrong ones
	TSO    Feature = "tso"    // segments left to the NIC
	GSO    Feature = "gso"    // segments left to the last moment
	GRO    Feature = "gro"    // received segments joined by the kernel
	LRO    Feature = "lro"    // received segments joined by the NIC, not to be parted again
	RXVLAN Feature = "rxvlan" // tags taken off into metadata
	TXVLAN Feature = "txvlan" // tags put on by the NIC
)

// Features lists all of them.
var Features = []Feature{RX, TX, TSO, GSO, GRO, LRO, RXVLAN, TXVLAN}

// A feature has a command pair of its own, or a bit in the flags word (ETH_FLAG_* of the kernel's ethtool.h).
var commands = map[Feature]struct{ get, set, bit uint32 }{
	RX:     {unix.ETHTOOL_GRXCSUM, unix.ETHTOOL_SRXCSUM, 0},
	TX:     {unix.ETHTOOL_GTXCSUM, unix.ETHTOOL_STXCSUM, 0},
	TSO:    {unix.ETHTOOL_GTSO, unix.ETHTOOL_STSO, 0},
	GSO:    {unix.ETHTOOL_GGSO, unix.ETHTOOL_SGSO, 0},
	GRO:    {unix.ETHTOOL_GGRO, unix.ETHTOOL_SGRO, 0},
	LRO:    {unix.ETHTOOL_GFLAGS, unix.ETHTOOL_SFLAGS, 1 << 15},
	RXVLAN: {unix.ETHTOOL_GFLAGS, unix.ETHTOOL_SFLAGS, 1 << 8},
	TXVLAN: {unix.ETHTOOL_GFLAGS, unix.ETHTOOL_SFLAGS, 1 << 7},
}

// value is struct ethtool_value.
type value struct{ cmd, data uint32 }

// Get reports whether a feature is on.
func Get(name string, f Feature) (bool, error) {
	c, ok := commands[f]
	if !ok {
		return false, fmt.Errorf("unknown offload %q", f)
	}
	v := value{cmd: c.get}
	if err := ioctl(name, unsafe.Pointer(&v)); err != nil {
		return false, fmt.Errorf("offload %s of %s: %w", f, name, err)
	}
	if c.bit != 0 {
		return v.data&c.bit != 0, nil
	}
	return v.data != 0, nil
}

// Set turns a feature on or off, as `ethtool -K name feature on|off`. It fails if the driver keeps the feature as it was.
func Set(name string, f Feature, on bool) error {
	c, ok := commands[f]
	if !ok {
		return fmt.Errorf("unknown offload %q", f)
	}
	v := value{cmd: c.get}
	if c.bit != 0 { // the other flags stay
		if err := ioctl(name, unsafe.Pointer(&v)); err != nil {
			return fmt.Errorf("offload %s of %s: %w", f, name, err)
		}
	}
	switch {
	case c.bit != 0 && on:
		v.data |= c.bit
	case c.bit != 0:
		v.data &^= c.bit
	case on:
		v.data = 1
	}
	v.cmd = c.set
	if err := ioctl(name, unsafe.Pointer(&v)); err != nil {
		return fmt.Errorf("set offload %s of %s: %w", f, name, err)
	}
	if got, err := Get(name, f); err != nil || got != on {
		return fmt.Errorf("set offload %s of %s to %t: it stays %t (%v)", f, name, on, got, err)
	}
	return nil
}
