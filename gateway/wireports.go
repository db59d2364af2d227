package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// portsConfig names both sides: an interface each, or "pcap:FILE" each, the inside one to read and the outside to write.
type portsConfig struct {
	Inside, Outside string
	XDP             afxdp.WireConfig // but for the interfaces
	Parked          int              // frames that can be parked, a queue and side
}

// wirePorts are both sides, whatever they are.
type wirePorts struct {
	offline  bool
	wire     *afxdp.Wire
	captures [2]*capture.Port
}

// capturePath returns the file of a "pcap:" port.
func capturePath(port string) (string, bool) { return strings.CutPrefix(port, "pcap:") }

func openPorts(cfg portsConfig) (*wirePorts, error) {
	in, inFile := capturePath(cfg.Inside)
	out, outFile := capturePath(cfg.Outside)
	switch {
	case cfg.Inside == "" || cfg.Outside == "":
		return nil, errors.New("a port is missing: name both sides with --inside and --outside, an interface each or pcap:FILE each")
	case inFile != outFile:
		return nil, fmt.Errorf("--inside %s and --outside %s: a capture file on one side needs one on the other, to read from and to write to", cfg.Inside, cfg.Outside)
	case inFile:
		return openCaptures(in, out, cfg.Parked)
	}
	x := cfg.XDP
	x.Interfaces = [2]string{cfg.Inside, cfg.Outside}
	x.Port.RXFrames = cfg.Parked
	w, err := afxdp.Open(x)
	if err != nil {
		return nil, err
	}
	return &wirePorts{wire: w}, nil
}

func openCaptures(in, out string, parked int) (*wirePorts, error) {
	if a, err := os.Stat(in); err == nil {
		if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
			return nil, fmt.Errorf("--inside and --outside are the same file, %s: it would be overwritten while it is read; name another to write", in)
		}
	}
	inside, err := capture.Open(capture.Config{Read: in, Frames: parked})
	if err != nil {
		return nil, fmt.Errorf("inside port: %w", err)
	}
	outside, err := capture.Open(capture.Config{Write: out, LinkType: inside.LinkType(), Nanos: inside.Nanos()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("outside port: %w", err), inside.Close())
	}
	return &wirePorts{offline: true, captures: [2]*capture.Port{inside, outside}}, nil
}

// queues pairs the sides' queues, one pair a shard.
func (w *wirePorts) queues() ([]dataplane.Queue, error) {
	if w.offline {
		return []dataplane.Queue{{Ports: [2]ingress.Port{w.captures[0], w.captures[1]}}}, nil
	}
	in, out := w.wire.Ports(ingress.Inside), w.wire.Ports(ingress.Outside)
	if len(in) != len(out) {
		return nil, fmt.Errorf("the inside port has %d RX queues and the outside port %d: a shard needs one of each; set both to the same with `ethtool -L DEVICE combined N`", len(in), len(out))
	}
	qs := make([]dataplane.Queue, len(in))
	for i := range qs {
		qs[i].Ports = [2]ingress.Port{in[i], out[i]}
	}
	return qs, nil
}

// beat tells the XDP program that shard's loop turns.
func (w *wirePorts) beat(shard int) {
	if w.wire != nil {
		w.wire.Beat(shard, xdpprog.Now())
	}
}

// err is what ended a capture file early.
func (w *wirePorts) err() error {
	if !w.offline {
		return nil
	}
	return errors.Join(w.captures[0].Err(), w.captures[1].Err())
}

func (w *wirePorts) close() error {
	if w.offline {
		return errors.Join(w.captures[0].Close(), w.captures[1].Close())
	}
	return w.wire.Close()
}
