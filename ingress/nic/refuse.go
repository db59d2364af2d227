package nic

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// MTU limits of a port. Without multi-buffer, native XDP needs a frame to fit into one page with the kernel's own room
// around it: 3498 is what the strictest of the usual drivers (ENA) takes. With it, a port gathers up to 9700.
const (
	MaxMTU      = 3498
	MaxMTUJumbo = 9700
)

// Limits are what a port can do.
type Limits struct {
	MaxQueues int // RX queues that the XDP program serves
	Sockets   int // RX queues that will be served; 0: all
	Jumbo     bool
	Generic   bool // the XDP program is to run in the generic hook, which every driver has

	WorkerAddrs   []string // addresses of workers and cloud endpoints: the route to them must not lead through a port
	SSHConnection string   // value of SSH_CONNECTION: "client port server port"
	Override      []string // interfaces that may be ports whatever Danger says
}

// Refusal is a reason why an interface, or the pair, must not become a port.
type Refusal struct {
	Interface string
	Why       string // what was found
	Mend      string // what to do
	Danger    bool   // it would cut the machine off, and can be overridden by naming the interface
}

func (r Refusal) Error() string { return fmt.Sprintf("%s: %s; %s", r.Interface, r.Why, r.Mend) }

// Refuse looks at two interfaces and returns an error of every Refusal. It touches nothing.
func Refuse(pair [2]Facts, lim Limits) error {
	var errs []error
	for _, r := range Refusals(pair, lim) {
		errs = append(errs, r)
	}
	return errors.Join(errs...)
}

// Refusals is Refuse as a list.
func Refusals(pair [2]Facts, lim Limits) []Refusal {
	a, b := pair[0], pair[1]
	var out []Refusal
	if a.Index == b.Index {
		return append(out, Refusal{Interface: a.Name, Why: "both ports are this interface", Mend: "name two"})
	}
	if a.MTU != b.MTU {
		out = append(out, Refusal{
			Interface: a.Name, Why: fmt.Sprintf("MTU %d, and %s has %d: what fits on one side would vanish on the other", a.MTU, b.Name, b.MTU),
			Mend: fmt.Sprintf("ip link set dev %s mtu %d", larger(a, b).Name, min(a.MTU, b.MTU)),
		})
	}
	if a.RXQueues != b.RXQueues && a.Ethernet && b.Ethernet {
		more := a
		if b.RXQueues > a.RXQueues {
			more = b
		}
		out = append(out, Refusal{
			Interface: a.Name, Why: fmt.Sprintf("%d RX queues, and %s has %d: a shard serves one queue of each side", a.RXQueues, b.Name, b.RXQueues),
			Mend: more.setQueues(min(a.RXQueues, b.RXQueues)),
		})
	}
	for _, f := range pair {
		out = append(out, unfit(f, lim)...)
		if !slices.Contains(lim.Override, f.Name) {
			out = append(out, dangers(f, lim)...)
		}
	}
	return out
}

func larger(a, b Facts) Facts {
	if a.MTU > b.MTU {
		return a
	}
	return b
}

// unfit lists what would not work. It can't be overridden.
func unfit(f Facts, lim Limits) (out []Refusal) {
	add := func(mend, why string, args ...any) {
		out = append(out, Refusal{Interface: f.Name, Why: fmt.Sprintf(why, args...), Mend: mend})
	}
	if !f.Ethernet {
		add("choose an Ethernet interface", "its frames are not Ethernet")
	}
	if !f.Up {
		add("ip link set dev "+f.Name+" up", "it is down")
	}
	switch {
	case lim.Jumbo && f.MTU > MaxMTUJumbo:
		add(fmt.Sprintf("ip link set dev %s mtu %d", f.Name, MaxMTUJumbo), "MTU %d: expected at most %d", f.MTU, MaxMTUJumbo)
	case !lim.Jumbo && f.MTU > MaxMTU:
		add(fmt.Sprintf("ip link set dev %s mtu %d, or turn jumbo frames on if the driver has multi-buffer XDP", f.Name, MaxMTU),
			"MTU %d: expected at most %d without jumbo frames (EC2's default is 9001)", f.MTU, MaxMTU)
	}
	if lim.MaxQueues > 0 && f.RXQueues > lim.MaxQueues {
		add(f.setQueues(lim.MaxQueues), "%d RX queues: expected at most %d", f.RXQueues, lim.MaxQueues)
	}
	if lim.Sockets > 0 && lim.Sockets < f.RXQueues {
		add(f.setQueues(lim.Sockets)+", or serve all queues",
			"%d RX queues and %d sockets: frames of the other queues would pass us by unseen", f.RXQueues, lim.Sockets)
	}
	return out
}

// dangers lists what a port would cut off: an interface that carries one no longer carries anything else.
func dangers(f Facts, lim Limits) (out []Refusal) {
	add := func(why string, args ...any) {
		out = append(out, Refusal{
			Interface: f.Name, Why: fmt.Sprintf(why, args...), Danger: true,
			Mend: "choose another interface, or override by naming this one (--allow-port " + f.Name + ")",
		})
	}
	if f.Master != 0 {
		add("it belongs to %s, a bridge or bond", f.MasterName)
	}
	if len(f.Children) > 0 {
		add("%s stands on it", strings.Join(f.Children, ", "))
	}
	for _, table := range f.DefaultRoutes {
		add("it carries a default route (table %d)", table)
	}
	for _, addr := range f.Addresses {
		add("it has the address %s", addr)
	}
	if ssh := strings.Fields(lim.SSHConnection); len(ssh) == 4 && routesThrough(ssh[0], f.Index) {
		add("your SSH session from %s comes in over it", ssh[0])
	}
	for _, addr := range lim.WorkerAddrs {
		if routesThrough(addr, f.Index) {
			add("the route to the workers at %s leads through it", addr)
		}
	}
	return out
}

// routesThrough reports whether packets to addr, a host with or without a port, leave by the interface.
func routesThrough(addr string, index int) bool {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		addr = host
	}
	if _, zone, ok := strings.Cut(addr, "%"); ok { // a link-local address says itself by which interface
		l, err := netlink.LinkByName(zone)
		return err == nil && l.Attrs().Index == index
	}
	ip := net.ParseIP(addr)
	if ip == nil {
		return false
	}
	routes, err := netlink.RouteGet(ip)
	return err == nil && len(routes) > 0 && routes[0].LinkIndex == index
}

// surroundings fills in what depends on an interface: addresses, routes, masters and children.
func (f *Facts) surroundings(l netlink.Link) error {
	a := l.Attrs()
	f.Ethernet = a.EncapType == "ether"
	if a.MasterIndex != 0 {
		f.Master, f.MasterName = a.MasterIndex, fmt.Sprintf("interface %d", a.MasterIndex)
		if m, err := netlink.LinkByIndex(a.MasterIndex); err == nil {
			f.MasterName = m.Attrs().Name
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, other := range links {
		switch other.Type() { // a veth's parent is its peer, which may have this number in another namespace
		case "vlan", "macvlan", "macvtap", "ipvlan":
			if other.Attrs().ParentIndex == f.Index {
				f.Children = append(f.Children, other.Attrs().Name)
			}
		}
	}
	addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list addresses of %s: %w", f.Name, err)
	}
	for _, addr := range addrs {
		if !addr.IP.IsLinkLocalUnicast() {
			f.Addresses = append(f.Addresses, addr.IPNet.String())
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if (r.Dst == nil || isAll(r.Dst)) && (r.LinkIndex == f.Index || slices.ContainsFunc(r.MultiPath, func(hop *netlink.NexthopInfo) bool {
			return hop.LinkIndex == f.Index
		})) {
			f.DefaultRoutes = append(f.DefaultRoutes, r.Table)
		}
	}
	return nil
}

func isAll(n *net.IPNet) bool {
	ones, _ := n.Mask.Size()
	return ones == 0
}
