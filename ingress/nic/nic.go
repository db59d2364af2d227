// Package nic looks at network interfaces before they become ports: what they are, which must not be touched, and what
// would be wrong with the others and how to mend it.
package nic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress/ethtool"
)

// Facts are what an interface is, in the calling thread's network namespace.
type Facts struct {
	Name      string
	Index     int
	Kind      string // netlink's kind: veth, bond, vlan; "device" for hardware
	MTU       int
	Up        bool // set up by the administrator
	Carrier   bool // and the link is there
	Promisc   bool
	Driver    string // empty if unknown
	Version   string
	RXQueues  int // in use
	MaxQueues int
	Split     bool                     // RX and TX queues are set apart, not combined
	Offloads  map[ethtool.Feature]bool // those that the driver told

	Ethernet      bool     // its frames have Ethernet headers
	Master        int      // index of the bridge or bond that it belongs to, or 0
	MasterName    string   // of that
	Children      []string // VLANs and the like that stand on it
	Addresses     []string // with prefix, but for link-local ones
	DefaultRoutes []int    // tables that have a default route through it
}

// Inspect looks at an interface.
func Inspect(name string) (Facts, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return Facts{}, fmt.Errorf("interface %q: %w; see `ip link` for those there are", name, err)
	}
	a := l.Attrs()
	f := Facts{
		Name: name, Index: a.Index, Kind: l.Type(), MTU: a.MTU,
		Up:      a.RawFlags&unix.IFF_UP != 0,
		Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
		Promisc: a.RawFlags&unix.IFF_PROMISC != 0 || a.Promisc > 0,
		// Where the driver has no channels, every queue that the device was made with is in use.
		RXQueues: max(1, a.NumRxQueues), MaxQueues: max(1, a.NumRxQueues),
		Offloads: map[ethtool.Feature]bool{},
	}
	f.Driver, f.Version, _ = ethtool.Driver(name) // unknown stays empty
	q, err := ethtool.GetQueues(name)
	switch {
	case err == nil:
		f.RXQueues, f.MaxQueues, f.Split = max(1, q.Receive()), max(q.MaxCombined, q.MaxRX), q.MaxCombined == 0
	case !errors.Is(err, unix.EOPNOTSUPP):
		return Facts{}, err
	}
	for _, feature := range ethtool.Features {
		if on, err := ethtool.Get(name, feature); err == nil {
			f.Offloads[feature] = on
		}
	}
	return f, f.surroundings(l)
}

// setQueues is the command that gives the interface n RX queues.
func (f *Facts) setQueues(n int) string {
	if f.Split {
		return fmt.Sprintf("ethtool -L %s rx %d", f.Name, n)
	}
	return fmt.Sprintf("ethtool -L %s combined %d", f.Name, n)
}
