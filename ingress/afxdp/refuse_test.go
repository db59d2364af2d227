package afxdp

import (
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

func withLink(name string, change func(netlink.Link) error) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return change(l)
}

func addAddress(name, cidr string) error {
	return withLink(name, func(l netlink.Link) error {
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(l, addr)
	})
}

// TestRefusals: each dangerous or impossible pair is refused with its reason before anything is touched, and doctor says the
// same. Dangers can be overridden by name, impossibilities can't.
func TestRefusals(t *testing.T) {
	defaultRoute := func(table int) error {
		if err := addAddress(topo.InsideIf, "10.77.0.9/24"); err != nil {
			return err
		}
		return withLink(topo.InsideIf, func(l netlink.Link) error {
			return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: net.ParseIP(topo.InsideIP), Table: table})
		})
	}
	mtu := func(name string, n int) error {
		return withLink(name, func(l netlink.Link) error { return netlink.LinkSetMTU(l, n) })
	}
	for _, c := range []struct {
		name   string
		set    func() error // in the gateway's namespace
		change func(*WireConfig)
		want   string
		danger bool
	}{
		{name: "same interface twice", change: func(c *WireConfig) { c.Interfaces[1] = c.Interfaces[0] }, want: "both ports are this interface"},
		{name: "no such interface", change: func(c *WireConfig) { c.Interfaces[1] = "nope0" }, want: `interface "nope0"`},
		{name: "unequal MTU", set: func() error { return mtu(topo.OutsideIf, 1400) }, want: "ip link set dev in0 mtu 1400"},
		{name: "jumbo MTU", set: func() error { return errors.Join(mtu(topo.InsideIf, 9001), mtu(topo.OutsideIf, 9001)) }, want: "expected at most 3498"},
		{name: "down", set: func() error { return topo.SetUp(topo.OutsideIf, false) }, want: "ip link set dev out0 up"},
		{name: "loopback", change: func(c *WireConfig) { c.Interfaces[0] = "lo" }, want: "not Ethernet"},
		{name: "fewer sockets than queues", change: func(c *WireConfig) { c.Queues = 1 }, want: "2 RX queues and 1 sockets"},
		{name: "an address", set: func() error { return addAddress(topo.InsideIf, "192.0.2.1/24") }, want: "192.0.2.1/24", danger: true},
		{name: "default route", set: func() error { return defaultRoute(254) }, want: "default route (table 254)", danger: true},
		{name: "default route, another table", set: func() error { return defaultRoute(77) }, want: "default route (table 77)", danger: true},
		{
			name: "SSH", set: func() error { return addAddress(topo.InsideIf, "10.77.0.9/24") }, want: "SSH session from 10.77.0.1", danger: true,
			change: func(c *WireConfig) { c.SSHConnection = "10.77.0.1 50000 10.77.0.9 22" },
		},
		{
			name: "workers", set: func() error { return addAddress(topo.InsideIf, "10.77.0.9/24") }, want: "workers at 10.77.0.1:443", danger: true,
			change: func(c *WireConfig) { c.WorkerAddrs = []string{"10.77.0.1:443"} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tp := newTopo(t, topo.Config{Queues: 2})
			cfg := WireConfig{Instance: "test", BPFFS: testBPFFS(t), Interfaces: [2]string{topo.InsideIf, topo.OutsideIf}}
			if c.change != nil {
				c.change(&cfg)
			}
			if err := tp.Gateway.Do(func() error {
				if c.set != nil {
					if err := c.set(); err != nil {
						return err
					}
				}
				checks := Doctor(cfg)
				w, err := Open(cfg)
				if err == nil {
					return errors.Join(errors.New("it was opened"), w.Close())
				}
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("refused with %q, expected %q in it", err, c.want)
				}
				if !slices.ContainsFunc(checks, func(k nic.Check) bool {
					return k.State == nic.Fail && strings.Contains(k.Found+k.Mend, strings.Fields(c.want)[0])
				}) {
					t.Errorf("doctor found nothing of it: %+v", checks)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, tp, cfg.BPFFS)
			cfg.Override = []string{topo.InsideIf}
			if err := tp.Gateway.Do(func() error {
				w, err := Open(cfg)
				if err == nil {
					err = w.Close()
				}
				if (err == nil) != c.danger {
					t.Errorf("with an override: %v", err)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// attachForeign attaches somebody else's program.
func attachForeign(ifindex int) (link.Link, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "not_ours", Type: ebpf.XDP, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	return link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: link.XDPDriverMode})
}

// TestForeignProgram is refused by name and id, and is still there afterwards.
func TestForeignProgram(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	cfg := WireConfig{Instance: "test", BPFFS: testBPFFS(t), Interfaces: [2]string{topo.InsideIf, topo.OutsideIf}}
	if err := tp.Gateway.Do(func() error {
		f, err := nic.Inspect(topo.OutsideIf)
		if err != nil {
			return err
		}
		foreign, err := attachForeign(f.Index)
		if err != nil {
			return err
		}
		defer foreign.Close()
		before, _ := xdpprog.Attached(f.Index)
		_, err = Open(cfg)
		if !errors.Is(err, xdpprog.ErrForeign) || !strings.Contains(err.Error(), `"not_ours", id `) {
			t.Errorf("got %v", err)
		}
		if after, ok := xdpprog.Attached(f.Index); !ok || after != before {
			t.Errorf("found %v before and %v after", before, after)
		}
		if !slices.ContainsFunc(Doctor(cfg), func(c nic.Check) bool {
			return c.Name == "xdp program" && c.State == nic.Fail && strings.Contains(c.Found, "not_ours")
		}) {
			t.Error("doctor did not find it")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSecondGateway of the same name, and one of another name on the same ports, are refused while the first lives.
func TestSecondGateway(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	var first WireConfig
	openWire(t, tp, func(c *WireConfig) { first = *c })
	for instance, want := range map[string]string{"test": "already running", "other": "another XDP program"} {
		second := first
		second.Instance = instance
		if err := tp.Gateway.Do(func() error { _, err := Open(second); return err }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("instance %q: %v, expected %q", instance, err, want)
		}
	}
}

// TestHealthyDoctorAndReport on ports against which nothing speaks.
func TestHealthyDoctorAndReport(t *testing.T) {
	tp := newTopo(t, topo.Config{Queues: 2})
	w := openWire(t, tp, nil)
	var checks []nic.Check
	if err := tp.Gateway.Do(func() error { checks = Doctor(w.cfg); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.State == nic.Fail {
			t.Errorf("doctor failed %+v", c)
		}
		if c.State == nic.OK && c.Mend != "" || c.Found == "" || c.Expected == "" {
			t.Errorf("incomplete: %+v", c)
		}
	}
	r := w.Report()
	for s, p := range r.Ports {
		if p.Driver != "veth" || p.MTU != 1500 || p.Queues != 2 || p.Mode != "native" || !p.Carrier || p.Side != ingress.Side(s).String() ||
			p.Promiscuous != "until exit" || !p.OutcomesAvailable || p.Socket.ZeroCopy {
			t.Errorf("port %d: %+v", s, p)
		}
	}
	if r.Policy != "closed" || !strings.HasSuffix(r.Pins, "/granule/test") {
		t.Errorf("got %+v", r)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// TestModes: generic when asked for, and zero-copy refused by veth is reported as not got.
func TestModes(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, func(c *WireConfig) { c.Mode, c.Port.ZeroCopy = xdpprog.Generic, true })
	relayLoop(t, w)
	crosses(t, openTap(t, tp.Inside), openTap(t, tp.Outside), "generic", testFrame(0, 60), testFrame(1, 1514))
	p := w.Report().Ports[ingress.Inside]
	if p.Mode != "generic" || p.ModeAsked != "generic" || !p.Socket.ZeroCopyAsked || p.Socket.ZeroCopy {
		t.Errorf("got %+v", p)
	}
}

// TestReopenQueue: Close unmaps what the library forgets, so a queue can be bound again in the same process.
func TestReopenQueue(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	for range 3 {
		w := openWire(t, tp, nil)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if rings, err := ringMappings(); err != nil || len(rings) != 0 {
		t.Errorf("still mapped: %v (%v)", rings, err)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, ""},
		{Config{RXFrames: 4096, JumboBuffers: 1}, ""},
		{Config{FillRing: 3000}, "fill ring of 3000"},
		{Config{RXRing: 32}, "RX ring of 32"},
		{Config{TXRing: 1 << 17}, "TX ring of 131072"},
		{Config{RXFrames: 1024}, "1024 parked frames with a fill ring of 2048"},
		{Config{RXFrames: 1 << 20}, "use more queues"},
		{Config{Queue: -1}, "queue -1"},
		{Config{SendBuffer: 1}, "send buffer 1"},
	} {
		err := c.cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, expected %q", c.cfg, err, c.want)
		}
	}
}
