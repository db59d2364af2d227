package nic

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/ethtool"
)

func good(name string, index int) Facts {
	return Facts{
		Name: name, Index: index, MTU: 1500, Up: true, Carrier: true, Ethernet: true, Driver: "virtio_net", RXQueues: 2, MaxQueues: 4,
		Offloads: map[ethtool.Feature]bool{ethtool.RX: true, ethtool.TX: true, ethtool.GRO: true, ethtool.LRO: false},
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a, b *Facts, lim *Limits)
		want   []string // one for each refusal
	}{
		{"nothing against them", func(a, b *Facts, lim *Limits) {}, nil},
		{"same", func(a, b *Facts, lim *Limits) { b.Index = a.Index }, []string{"both ports are this interface"}},
		{"unequal MTU", func(a, b *Facts, lim *Limits) { b.MTU = 3000 }, []string{"ip link set dev eth2 mtu 1500"}},
		{"EC2's MTU", func(a, b *Facts, lim *Limits) { a.MTU, b.MTU = 9001, 9001 }, []string{"eth1 mtu 3498", "eth2 mtu 3498"}},
		{"EC2's MTU with jumbo", func(a, b *Facts, lim *Limits) { a.MTU, b.MTU, lim.Jumbo = 9001, 9001, true }, nil},
		{"beyond jumbo", func(a, b *Facts, lim *Limits) { a.MTU, b.MTU, lim.Jumbo = 9800, 9800, true }, []string{"9700", "9700"}},
		{"no Ethernet", func(a, b *Facts, lim *Limits) { b.Ethernet = false }, []string{"eth2: its frames are not Ethernet"}},
		{"unequal queues", func(a, b *Facts, lim *Limits) { b.RXQueues = 4 }, []string{"eth1: 2 RX queues, and eth2 has 4: a shard serves one queue of each side; ethtool -L eth2 combined 2"}},
		{"more queues inside, not combined", func(a, b *Facts, lim *Limits) { a.RXQueues, a.Split = 3, true }, []string{"eth1: 3 RX queues, and eth2 has 2: a shard serves one queue of each side; ethtool -L eth1 rx 2"}},
		{"too many queues", func(a, b *Facts, lim *Limits) { a.RXQueues, b.RXQueues = 65, 65 }, []string{"eth1 combined 64", "eth2 combined 64"}},
		{"too few sockets", func(a, b *Facts, lim *Limits) { lim.Sockets = 1 }, []string{"2 RX queues and 1 sockets", "2 RX queues and 1 sockets"}},
		{"bridge member", func(a, b *Facts, lim *Limits) { a.Master, a.MasterName = 9, "br0" }, []string{"belongs to br0"}},
		{"VLAN parent", func(a, b *Facts, lim *Limits) { b.Children = []string{"eth2.7"} }, []string{"eth2.7 stands on it"}},
		{"two tables", func(a, b *Facts, lim *Limits) { a.DefaultRoutes = []int{254, 9} }, []string{"table 254", "table 9"}},
		{"overridden", func(a, b *Facts, lim *Limits) { a.DefaultRoutes, lim.Override = []int{254}, []string{"eth1"} }, nil},
		{"the other one overridden", func(a, b *Facts, lim *Limits) { a.DefaultRoutes, lim.Override = []int{254}, []string{"eth2"} }, []string{"table 254"}},
		{"what an override can't", func(a, b *Facts, lim *Limits) { a.Up, lim.Override = false, []string{"eth1"} }, []string{"ip link set dev eth1 up"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair, lim := [2]Facts{good("eth1", 1<<30), good("eth2", 1<<30+1)}, Limits{MaxQueues: 64}
			c.change(&pair[0], &pair[1], &lim)
			got := Refusals(pair, lim)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, expected %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i].Error(), want) {
					t.Errorf("got %q, expected %q in it", got[i], want)
				}
			}
			if err := Refuse(pair, lim); (err == nil) != (len(c.want) == 0) {
				t.Errorf("Refuse: %v", err)
			}
			fails := 0
			for _, k := range CheckPorts(pair, lim) {
				if k.Name == "fit for a port" || k.Name == "in use otherwise" {
					fails++
				}
			}
			if fails != len(c.want) {
				t.Errorf("doctor has %d of %d", fails, len(c.want))
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Facts)
		check  string
		mend   string
	}{
		{"no carrier", func(f *Facts) { f.Carrier = false }, "link", "ip link set dev eth1 up"},
		{"unknown driver", func(f *Facts) { f.Driver = "e1000" }, "driver", "granule run --xdp-mode generic"},
		{"LRO", func(f *Facts) { f.Offloads[ethtool.LRO] = true }, "offload lro", "ethtool -K eth1 lro off"},
		{"VLAN offload", func(f *Facts) { f.Offloads[ethtool.RXVLAN] = true }, "offload rxvlan", "ethtool -K eth1 rxvlan off"},
		{"ENA with all queues", func(f *Facts) { f.Driver, f.MaxQueues = "ena", 2 }, "spare queues", "ethtool -L eth1 combined 1"},
		{"veth", func(f *Facts) { f.Driver = "veth" }, "far end", "ethtool -K IF tx off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := [2]Facts{good("eth1", 1<<30), good("eth2", 1<<30+1)}
			for _, k := range CheckPorts(pair, Limits{MaxQueues: 64}) {
				if k.State != OK || k.Mend != "" {
					t.Fatalf("before: %+v", k)
				}
			}
			c.change(&pair[0])
			found := false
			for _, k := range CheckPorts(pair, Limits{MaxQueues: 64}) {
				if k.Subject == "eth1" && k.Name == c.check {
					found = k.State == Warn && strings.Contains(k.Mend, c.mend)
				}
			}
			if !found {
				t.Errorf("no warning %q with %q", c.check, c.mend)
			}
		})
	}
}

func TestCheckSystem(t *testing.T) {
	for _, c := range CheckSystem() {
		if c.Subject != "system" || c.Name == "" || c.Found == "" || c.Expected == "" {
			t.Errorf("incomplete: %+v", c)
		}
	}
	if release, major, _ := kernelVersion(); major < 3 {
		t.Errorf("kernel %q has major version %d", release, major)
	}
}
