package appliance

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// ports are both sides, whatever they are: afxdp, or two capture files.
type ports struct {
	offline  bool
	afxdp    *afxdp.Wire
	captures [2]*capture.Port
}

func openPorts(cfg settings.Ports, log *slog.Logger) (*ports, error) {
	in, inFile := settings.CapturePath(cfg.Inside)
	out, outFile := settings.CapturePath(cfg.Outside)
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
	warnOfMachine(x, log)
	w, err := afxdp.Open(x)
	if err != nil {
		return nil, err
	}
	return &ports{afxdp: w}, nil
}

func openCaptures(in, out string, parked int) (*ports, error) {
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
	return &ports{offline: true, captures: [2]*capture.Port{inside, outside}}, nil
}

// queues pairs the sides' queues, one pair a shard.
func (p *ports) queues() ([]dataplane.Queue, error) {
	if p.offline {
		return []dataplane.Queue{{Ports: [2]ingress.Port{p.captures[0], p.captures[1]}}}, nil
	}
	in, out := p.afxdp.Ports(ingress.Inside), p.afxdp.Ports(ingress.Outside)
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
func (p *ports) beat(shard int) {
	if p.afxdp != nil {
		p.afxdp.Beat(shard, xdpprog.Now())
	}
}

// relayed reports whether the XDP program of an earlier process was relaying or dropping frames when this one came.
func (p *ports) relayed() bool { return p.afxdp != nil && p.afxdp.Relayed() }

// err is what ended a capture file early.
func (p *ports) err() error {
	if !p.offline {
		return nil
	}
	return errors.Join(p.captures[0].Err(), p.captures[1].Err())
}

func (p *ports) close() error {
	if p.offline {
		return errors.Join(p.captures[0].Close(), p.captures[1].Close())
	}
	return p.afxdp.Close()
}
