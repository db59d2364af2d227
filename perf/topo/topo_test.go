package topo

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/granule-nf/granule/ingress/ethtool"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
}

func newTopo(t *testing.T, cfg Config) *Topo {
	t.Helper()
	needRoot(t)
	tp, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	})
	return tp
}

// TestShape: queues, MTU, offloads and addresses are what New promises.
func TestShape(t *testing.T) {
	tp := newTopo(t, Config{Queues: 2, MTU: 9000})
	for _, c := range []struct {
		ns    *Namespace
		names []string
	}{{tp.Inside, []string{HostIf}}, {tp.Gateway, []string{InsideIf, OutsideIf}}, {tp.Outside, []string{HostIf}}} {
		if err := c.ns.Do(func() error {
			for _, name := range c.names {
				l, err := netlink.LinkByName(name)
				if err != nil {
					return err
				}
				q, err := ethtool.GetQueues(name)
				if err != nil {
					return err
				}
				if l.Attrs().MTU != 9000 || q.Receive() != 2 || l.Attrs().OperState != netlink.OperUp {
					t.Errorf("%s in %s: MTU %d, %+v, %v", name, c.ns.Name, l.Attrs().MTU, q, l.Attrs().OperState)
				}
				for f, want := range map[ethtool.Feature]bool{ethtool.RXVLAN: false, ethtool.TXVLAN: false} {
					if on, err := ethtool.Get(name, f); err != nil || on != want {
						t.Errorf("%s in %s: %s is %t (%v)", name, c.ns.Name, f, on, err)
					}
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tp.Inside.Do(func() error {
		tx, err := ethtool.Get(HostIf, ethtool.TX)
		gro, gerr := ethtool.Get(HostIf, ethtool.GRO)
		addrs, aerr := net.InterfaceAddrs()
		if tx || !gro || len(addrs) != 2 {
			t.Errorf("tx %t, gro %t, addresses %v: expected false, true, and two without IPv6", tx, gro, addrs)
		}
		return errors.Join(err, gerr, aerr)
	}); err != nil {
		t.Fatal(err)
	}
	if driver, _, err := driverIn(tp.Gateway, InsideIf); err != nil || driver != "veth" {
		t.Errorf("driver %q (%v)", driver, err)
	}
	if tp.InsideMAC.String() == tp.OutsideMAC.String() || len(tp.InsideMAC) != 6 {
		t.Errorf("addresses %s and %s", tp.InsideMAC, tp.OutsideMAC)
	}
}

func driverIn(ns *Namespace, name string) (driver, version string, err error) {
	err = ns.Do(func() (err error) { driver, version, err = ethtool.Driver(name); return err })
	return driver, version, err
}

// TestBridged joins the gateway's interfaces by a kernel bridge: what one tap sends, tags and all, the other receives.
func TestBridged(t *testing.T) {
	tp := newTopo(t, Config{})
	if err := tp.Gateway.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "br0"
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		if err := netlink.LinkAdd(bridge); err != nil {
			return err
		}
		for _, name := range []string{InsideIf, OutsideIf} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMaster(l, bridge); err != nil {
				return err
			}
		}
		return SetUp("br0", true)
	}); err != nil {
		t.Skipf("%s needs a kernel with bridges: %v", t.Name(), err)
	}
	in, out := tap(t, tp.Inside), tap(t, tp.Outside)
	for _, f := range [][]byte{
		append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5"), make([]byte, 46)...),
		append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x81\x00\x20\x64\x88\xb5"), make([]byte, 46)...),
	} {
		if err := in.Send(f); err != nil {
			t.Fatal(err)
		}
		if got := receiveOurs(t, out, 3*time.Second); !bytes.Equal(got, f) {
			t.Fatalf("sent % x, got % x", f, got)
		}
	}
	if got := receiveOurs(t, in, 10*time.Millisecond); got != nil {
		t.Errorf("a tap saw what its host sent: % x", got)
	}
}

// receiveOurs passes over what the bridge sends for itself (IGMP).
func receiveOurs(t *testing.T, tap *Tap, timeout time.Duration) []byte {
	t.Helper()
	for {
		got, err := tap.Receive(timeout)
		if err != nil {
			t.Fatal(err)
		}
		if got == nil || bytes.Equal(got[6:12], []byte{2, 0, 0, 0, 0, 1}) {
			return got
		}
	}
}

func tap(t *testing.T, ns *Namespace) *Tap {
	t.Helper()
	tp, err := OpenTap(ns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tp.Close() })
	return tp
}

// TestCommand runs in the namespace, and sees this process's mounts.
func TestCommand(t *testing.T) {
	tp := newTopo(t, Config{})
	argv := tp.Gateway.Command("sh", "-c", "cat /proc/net/dev; readlink /proc/self/ns/mnt")
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	mnt, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{InsideIf, OutsideIf, mnt} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
}

// TestDoLeavesTheCallerWhereItWas, also when the function panics its way out with Goexit or fails.
func TestDoLeavesTheCallerWhereItWas(t *testing.T) {
	tp := newTopo(t, Config{})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := tp.Inside.Do(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("a function that never returned gave no error")
	}
	boom := errors.New("boom")
	if err := tp.Inside.Do(func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	after, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if !before.Equal(after) {
		t.Error("the caller's thread is in another namespace")
	}
}

func TestOwner(t *testing.T) {
	for name, want := range map[string]int{
		"granule-123-1-gw": 123, "granule-9-12-in": 9, "granule-x-1-in": 0, "granule-": 0, "granule-12": 0, "other-12-1-in": 0, "granule--1-gw": 0,
	} {
		pid, ours := owner(name)
		if ours != (want != 0) || ours && pid != want {
			t.Errorf("%s: owner %d, ours %t", name, pid, ours)
		}
	}
}

// TestSweep removes what a dead process left, and nothing else.
func TestSweep(t *testing.T) {
	tp := newTopo(t, Config{})
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	left := prefix + strconv.Itoa(dead.Process.Pid) + "-1-gw"
	ns, err := newNamespace(left)
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.handle.Close(); err != nil {
		t.Fatal(err)
	}
	swept, err := Sweep()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(swept, " "), left) {
		t.Errorf("%s was not swept: %v", left, swept)
	}
	if _, err := os.Stat(tp.Gateway.Path()); err != nil {
		t.Errorf("a living process's namespace was swept: %v", err)
	}
}
