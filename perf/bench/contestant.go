package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
)

// contestant is something that carries packets between the hosts.
type contestant struct {
	name string
	can  []string // probes
	// start makes it carry packets over a fresh wire, and stop undoes it.
	start func(ctx context.Context, tp *topo.Topo) (*carrier, error)
}

// carrier is a contestant that runs.
type carrier struct {
	address string       // of the outside host, as the inside host is to use it
	gateway *rig.Gateway // granule's
	stop    func() error
}

// Names in results.
const (
	nameGranule   = "granule"
	nameBridge    = "bridge"
	nameWireguard = "wireguard-go"
	nameBare      = "bare AF_XDP"
)

func contestants(s settings, p programs) []contestant {
	return []contestant{
		{nameBridge, []string{"rtt", "tcp"}, startBridge},
		{nameGranule, []string{"rtt", "tcp", "pps", "cost"}, func(ctx context.Context, tp *topo.Topo) (*carrier, error) { return startGranule(ctx, tp, s) }},
		{nameWireguard, []string{"rtt", "tcp"}, func(ctx context.Context, tp *topo.Topo) (*carrier, error) {
			return startWireguard(ctx, tp, p.wireguard)
		}},
		{nameBare, []string{"pps"}, func(ctx context.Context, tp *topo.Topo) (*carrier, error) { return startBare(ctx, tp, p.barexdp) }},
	}
}

// probes are those of want that the contestant can be measured by, in their order.
func (c *contestant) probes(want map[string]bool) (names []string) {
	for _, p := range allProbes {
		if want[p] && slices.Contains(c.can, p) {
			names = append(names, p)
		}
	}
	return names
}

// startBridge: a kernel bridge in the gateway's place.
func startBridge(_ context.Context, tp *topo.Topo) (*carrier, error) {
	return &carrier{address: topo.OutsideIP, stop: func() error { return nil }}, tp.Bridge()
}

// granuleFiles: the chain counter + firewall, with rules that a packet has to be compared with.
var granuleFiles = map[string]string{
	"granule.yaml": "chains:\n  - name: edge\n    stages:\n      - - counter: {}\n        - firewall: {rules: edge.nft}\n",
	"edge.nft": `table inet edge {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ip saddr 192.0.2.0/24 counter drop
    tcp dport 23 counter drop
    ip saddr 10.77.0.0/24 ip daddr 10.77.0.0/24 counter accept
  }
}
`,
}

// startGranule: one local worker and no standby, TLS on, everything else as a user gets it.
func startGranule(ctx context.Context, tp *topo.Topo, s settings) (*carrier, error) {
	g, err := rig.Start(ctx, rig.Config{Topo: tp, Granule: s.granule, Bootstrap: s.bootstrap, Files: granuleFiles, Flags: []string{"--workers", "1", "--standby", "0"}})
	if err != nil {
		return nil, err
	}
	return &carrier{address: topo.OutsideIP, gateway: g, stop: g.Stop}, nil
}

// startBare: receive, copy, transmit.
func startBare(ctx context.Context, tp *topo.Topo, program string) (*carrier, error) {
	p, err := spawn(ctx, tp.Gateway, program, "-inside", topo.InsideIf, "-outside", topo.OutsideIf)
	if err != nil {
		return nil, err
	}
	return &carrier{address: topo.OutsideIP, stop: func() error { return p.Stop(5 * time.Second) }}, nil
}

// spawn starts a program in a namespace and returns when it has printed "ready".
func spawn(ctx context.Context, ns *topo.Namespace, argv ...string) (*rig.Process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	read, write := io.Pipe()
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = write, write
	p, err := rig.Spawn(ns, cmd)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go func() {
		b := make([]byte, 4096)
		for told := false; ; {
			n, err := read.Read(b)
			if !told {
				said.Write(b[:n])
				if told = strings.Contains(said.String(), "ready\n"); told {
					close(ready)
				}
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case <-ready:
		return p, nil
	case <-p.Exited():
		return nil, fmt.Errorf("%s ended: %w", argv[0], p.ExitError())
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(10 * time.Second):
		err = fmt.Errorf("%s was not ready within 10 s", argv[0])
	}
	return nil, errors.Join(err, p.Stop(time.Second))
}
