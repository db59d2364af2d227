package pktgen

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// TestThroughABridge sends through a Linux bridge and back, and expects each frame once, in order, and stamped.
func TestThroughABridge(t *testing.T) {
	g := onABridge(t)
	for _, c := range []Config{
		{Flows: 100, Rate: 20000, Duration: 300 * time.Millisecond},
		{Flows: 7, Rate: 5000, Duration: 200 * time.Millisecond, Sizes: IMIX[:2], Bidirectional: true},
		{Rate: 1000, Duration: 100 * time.Millisecond, VLAN: 42, Sizes: []Share{{1518, 1}}},
	} {
		c.Drain = 2 * time.Second
		r, err := g.Trial(t.Context(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Directions) != 1 && !c.Bidirectional {
			t.Errorf("%d directions", len(r.Directions))
		}
		for _, d := range r.Directions {
			if want := c.Rate * c.Duration.Seconds(); float64(d.Sent) > want+c.Rate*catchUp+1 || d.Sent == 0 {
				t.Errorf("%+v: %d sent, expected up to %.0f", c, d.Sent, want)
			}
			if d.Received != d.Sent || d.Lost != 0 || d.Reordered != 0 || d.Duplicated != 0 {
				t.Errorf("%+v: %+v", c, d)
			}
			if d.Delay.Min <= 0 || d.Delay.P50 < d.Delay.Min || d.Delay.Max < d.Delay.P999 || d.Delay.Max > time.Minute {
				t.Errorf("%+v: delays %+v", c, d.Delay)
			}
		}
	}
}

// TestLossIsSeen takes the bridge away while frames are sent.
func TestLossIsSeen(t *testing.T) {
	g := onABridge(t)
	cut := false
	r, err := g.Trial(t.Context(), Config{Rate: 2000, Duration: 400 * time.Millisecond, Drain: 100 * time.Millisecond},
		func(elapsed, _ time.Duration, _, received uint64) {
			if !cut && received > 0 && elapsed > 100*time.Millisecond {
				cut = true
				if err := bridge.Gateway.Do(func() error { return topo.SetUp(topo.OutsideIf, false) }); err != nil {
					t.Error(err)
				}
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Directions[0]; d.Lost == 0 || d.Received == 0 || d.Received+d.Lost != d.Sent {
		t.Errorf("%+v", d)
	}
}

var bridge *topo.Topo

// onABridge is a generator in a namespace whose two interfaces a bridge in another one joins.
func onABridge(t *testing.T) *Generator {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	w, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	bridge = w
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Bridge(); err != nil {
		t.Fatal(err)
	}
	const second = "eth1"
	ns, err := netns.GetFromPath(w.Inside.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	move := func() error {
		l, err := netlink.LinkByName(topo.HostIf)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetDown(l); err != nil {
			return err
		}
		if err := netlink.LinkSetName(l, second); err != nil {
			return err
		}
		return netlink.LinkSetNsFd(l, int(ns))
	}
	if err := w.Outside.Do(move); err != nil {
		t.Fatal(err)
	}
	var g *Generator
	err = w.Inside.Do(func() (err error) {
		l, err := netlink.LinkByName(topo.HostIf)
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for i := range addrs {
			if err := netlink.AddrDel(l, &addrs[i]); err != nil {
				return err
			}
		}
		if err := topo.SetUp(second, true); err != nil {
			return err
		}
		g, err = Open(topo.HostIf, second, false, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Inside.Do(g.Close); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestOpenRefusesALoopback(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: opens interfaces")
	}
	if g, err := Open("lo", "lo", false, nil); err == nil || !strings.Contains(err.Error(), "lo") {
		if g != nil {
			_ = g.Close()
		}
		t.Errorf("got %v", err)
	}
}
