// Package topo builds the wire that tests, demo and bench run on: three network namespaces joined by two veth pairs.
//
//	inside host                gateway                outside host
//	+--------------+     +-----------------+     +--------------+
//	| eth0 --------+-----+- in0       out0 +-----+-------- eth0 |
//	| 10.77.0.1/24 |     |  no addresses   |     | 10.77.0.2/24 |
//	+--------------+     +-----------------+     +--------------+
//
// The hosts stand as neighbours on one Ethernet, with the gateway as a bump in it. Needs root. Namespaces are named after
// the process that made them, so Sweep finds what a killed one left.
package topo

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/granule-nf/granule/ingress/ethtool"
)

// Names and addresses, the same in every topology.
const (
	HostIf    = "eth0" // on either host
	InsideIf  = "in0"  // in the gateway
	OutsideIf = "out0"
	InsideIP  = "10.77.0.1"
	OutsideIP = "10.77.0.2"
	prefix    = "granule-"
	prefixLen = 24
)

// Config is what may differ. The zero value is one queue, MTU 1500.
type Config struct {
	Queues   int  // RX and TX queues of every interface (1)
	MTU      int  // of every interface (1500)
	Offloads bool // leave the hosts' offloads on: checksums will be wrong, see New
}

// Topo is a wire that stands.
type Topo struct {
	Inside, Gateway, Outside *Namespace
	InsideMAC, OutsideMAC    net.HardwareAddr // of the hosts
}

var serial atomic.Uint32

// New builds a topology. Close it whatever happens.
//
// At the hosts tx, rxvlan and txvlan are off: a frame taken off a veth before a NIC would have finished its checksum, or put
// its tag on, would leave without. gro is on: with it a veth polls, and takes the frames that an XDP program relays to it.
// IPv6 is off, lest router solicitations stand between the frames that a test counts.
func New(cfg Config) (_ *Topo, err error) {
	if cfg.Queues == 0 {
		cfg.Queues = 1
	}
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	base := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), serial.Add(1))
	t := &Topo{}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	for _, ns := range []struct {
		at   **Namespace
		name string
	}{{&t.Inside, "in"}, {&t.Gateway, "gw"}, {&t.Outside, "out"}} {
		if *ns.at, err = newNamespace(base + "-" + ns.name); err != nil {
			return nil, err
		}
	}
	if t.InsideMAC, err = t.cable(t.Inside, InsideIf, InsideIP, cfg); err != nil {
		return nil, err
	}
	if t.OutsideMAC, err = t.cable(t.Outside, OutsideIf, OutsideIP, cfg); err != nil {
		return nil, err
	}
	return t, nil
}

// cable joins a host to the gateway's interface port.
func (t *Topo) cable(host *Namespace, port, ip string, cfg Config) (mac net.HardwareAddr, err error) {
	err = t.Gateway.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = port, cfg.MTU
		attrs.NumTxQueues, attrs.NumRxQueues = cfg.Queues, cfg.Queues
		veth := &netlink.Veth{
			LinkAttrs: attrs, PeerName: HostIf, PeerNamespace: netlink.NsFd(int(host.handle)), PeerMTU: uint32(cfg.MTU),
			PeerNumTxQueues: uint32(cfg.Queues), PeerNumRxQueues: uint32(cfg.Queues),
		}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("make the veth pair %s: %w", port, err)
		}
		for _, f := range []ethtool.Feature{ethtool.RXVLAN, ethtool.TXVLAN} {
			if err := ethtool.Set(port, f, false); err != nil {
				return err
			}
		}
		return SetUp(port, true)
	})
	if err != nil {
		return nil, err
	}
	err = host.Do(func() error {
		if err := setUpHost(ip, cfg.Offloads); err != nil {
			return err
		}
		l, err := netlink.LinkByName(HostIf)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	return mac, err
}

func setUpHost(ip string, offloads bool) error {
	if !offloads {
		for _, f := range []ethtool.Feature{ethtool.TX, ethtool.RXVLAN, ethtool.TXVLAN} {
			if err := ethtool.Set(HostIf, f, false); err != nil {
				return err
			}
		}
	}
	l, err := netlink.LinkByName(HostIf)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(prefixLen, 32)}}
	if err := netlink.AddrAdd(l, addr); err != nil {
		return fmt.Errorf("give the host %s: %w", ip, err)
	}
	if err := SetUp("lo", true); err != nil {
		return err
	}
	if err := SetUp(HostIf, true); err != nil {
		return err
	}
	// Only a change made while the interface is up tells its peer that it may redirect frames here.
	return errors.Join(ethtool.Set(HostIf, ethtool.GRO, false), ethtool.Set(HostIf, ethtool.GRO, true))
}

// SetUp sets an interface of the calling thread's namespace up or down.
func SetUp(name string, up bool) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	set := netlink.LinkSetDown
	if up {
		set = netlink.LinkSetUp
	}
	if err := set(l); err != nil {
		return fmt.Errorf("set %s up=%t: %w", name, up, err)
	}
	return nil
}

// Close removes the namespaces, and with them everything in them.
func (t *Topo) Close() error {
	var errs []error
	for _, ns := range []*Namespace{t.Inside, t.Gateway, t.Outside} {
		if ns != nil {
			errs = append(errs, ns.close())
		}
	}
	return errors.Join(errs...)
}

// Namespace is one network namespace, under a name as `ip netns` has them.
type Namespace struct {
	Name   string
	handle netns.NsHandle
}

func newNamespace(name string) (*Namespace, error) {
	runtime.LockOSThread() // unlocked only when the thread is back where it was; otherwise it ends with the goroutine
	home, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("find this thread's network namespace: %w", err)
	}
	defer home.Close()
	handle, err := netns.NewNamed(name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make network namespace %s: %w; needs root", name, err), goHome(home))
	}
	ns := &Namespace{Name: name, handle: handle}
	for _, which := range []string{"all", "default"} {
		// A kernel without IPv6 has no such file, and needs none.
		if werr := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0); werr != nil && !errors.Is(werr, os.ErrNotExist) {
			err = errors.Join(err, werr)
		}
	}
	// A gateway and its local workers talk over loopback.
	if err = errors.Join(err, SetUp("lo", true), goHome(home)); err != nil {
		return nil, errors.Join(err, ns.close())
	}
	return ns, nil
}

func goHome(home netns.NsHandle) error {
	if err := netns.Set(home); err != nil {
		return fmt.Errorf("return to this thread's network namespace: %w", err)
	}
	runtime.UnlockOSThread()
	return nil
}

// Do runs fn on a thread that is in the namespace, in the caller's mount namespace: pins stay visible. Goroutines that fn
// starts are not in it; sockets that fn opens are, for good.
func (n *Namespace) Do(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, in whatever namespace it is
		err := errors.New("did not return (runtime.Goexit, as testing.T.FailNow does)")
		defer func() { done <- err }()
		if err = netns.Set(n.handle); err != nil {
			err = fmt.Errorf("enter network namespace %s: %w", n.Name, err)
			return
		}
		err = errors.New("did not return (runtime.Goexit, as testing.T.FailNow does)")
		err = fn()
	}()
	return <-done
}

// Command is argv, to be run in the namespace, and in no other mount namespace: `ip netns exec` would hide pins.
func (n *Namespace) Command(argv ...string) []string {
	return append([]string{"nsenter", "--net=" + n.Path(), "--"}, argv...)
}

// Path is the namespace's file.
func (n *Namespace) Path() string { return netnsDir + "/" + n.Name }

func (n *Namespace) close() error {
	return errors.Join(n.handle.Close(), netns.DeleteNamed(n.Name))
}
