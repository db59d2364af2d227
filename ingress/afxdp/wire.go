package afxdp

import (
	"errors"
	"fmt"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// WireConfig is how to open a pair of interfaces.
type WireConfig struct {
	Instance   string    // names the pins; the default is "default"
	BPFFS      string    // xdpprog.DefaultBPFFS if empty
	Interfaces [2]string // by ingress.Side

	FailOpen     bool          // on-process-failure: relay port to port (true) or drop (false)
	MaxAge       time.Duration // heartbeat age at which the program acts; xdpprog.DefaultMaxAge if 0
	Mode         xdpprog.Mode  // asked for
	AllowGeneric bool          // take generic mode where the driver refuses native

	Queues        int      // RX queues that will be served; 0: all. Fewer than an interface has is refused
	Override      []string // interfaces that may be ports although the machine would be cut off
	WorkerAddrs   []string // addresses of workers and cloud endpoints; the route to them must not lead through a port
	SSHConnection string   // value of SSH_CONNECTION, for the same reason
	NoPromisc     bool     // take only frames addressed to the interfaces (in a VPC nothing else arrives)

	FailOpenPromised  bool   // somebody asked for FailOpen: Open refuses where it would be void
	AllowPrivateBPFFS bool   // and yet does not
	LeaveRelay        bool   // at Close, leave the program relaying or dropping by policy; by default nothing stays
	Port              Config // sizes and modes of every queue; Ifindex, MTU, Queue and Jumbo are filled in
	Jumbo             bool   // frames up to MTU 9700
}

// Wire is a pair of interfaces with the XDP program on both and a Port for every RX queue.
type Wire struct {
	cfg   WireConfig
	nics  [2]nic.Facts
	relay *xdpprog.Relay
	ports [2][]*Port

	links   *linkWatch
	promisc [2]*promisc
	closed  bool
	relayed bool
	pinsEnd bool // pins end with this process's mount namespace
}

// Open checks the interfaces, attaches the program and binds every RX queue of both, in the calling thread's network
// namespace. What speaks against a port is reported before anything is touched. Until the first Beat of a queue its frames
// are relayed or dropped by policy.
func Open(cfg WireConfig) (_ *Wire, err error) {
	if err := supported(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.Port.Validate(); err != nil {
		return nil, err
	}
	w := &Wire{cfg: cfg}
	for s := range w.nics {
		if w.nics[s], err = nic.Inspect(cfg.Interfaces[s]); err != nil {
			return nil, fmt.Errorf("%s port: %w", ingress.Side(s), err)
		}
	}
	if err := nic.Refuse(w.nics, cfg.limits()); err != nil {
		return nil, fmt.Errorf("refused as a port:\n%w", err)
	}
	var leftover [2]bool
	for s, f := range w.nics {
		leftover[s] = xdpprog.Leftover(cfg.BPFFS, cfg.Instance, f.Index)
		if foreign, ok := xdpprog.Attached(f.Index); ok && !leftover[s] {
			return nil, fmt.Errorf("%s port %s: %w: %s", ingress.Side(s), f.Name, xdpprog.ErrForeign, foreign)
		}
	}
	w.relayed = leftover[0] && leftover[1]
	if w.pinsEnd, err = pinsEnd(&cfg); err != nil {
		return nil, err
	}
	w.relay, err = xdpprog.Open(xdpprog.Config{
		Instance: cfg.Instance, BPFFS: cfg.BPFFS,
		Ifindex:  [2]int{w.nics[0].Index, w.nics[1].Index},
		FailOpen: cfg.FailOpen, MaxAge: cfg.MaxAge,
		Frags: cfg.Jumbo, Mode: cfg.Mode, AllowGeneric: cfg.AllowGeneric,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.links, err = watchLinks(w.nics); err != nil {
		return nil, err
	}
	for s, f := range w.nics {
		if !cfg.NoPromisc {
			if w.promisc[s], err = makePromiscuous(w.links.ask, f.Index, cfg.FailOpen, f.Promisc, leftover[s]); err != nil {
				return nil, fmt.Errorf("%s port %s: %w", ingress.Side(s), f.Name, err)
			}
		}
	}
	for s := range w.nics {
		for queue := range w.nics[s].RXQueues {
			if err = w.openQueue(ingress.Side(s), queue); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// pinsEnd reports whether what is pinned would end with this process's mount namespace, so that on-process-failure could not outlive the process. Where open
// was asked for, that is an error.
func pinsEnd(cfg *WireConfig) (bool, error) {
	if err := xdpprog.MountBPFFS(cfg.BPFFS); err != nil {
		return false, err
	}
	lasts, err := xdpprog.Survives(cfg.BPFFS)
	if err != nil || lasts {
		return false, nil // unknown: nothing is promised on that ground, and nothing refused
	}
	if cfg.FailOpen && cfg.FailOpenPromised && !cfg.AllowPrivateBPFFS {
		return true, fmt.Errorf("on-process-failure: found open, and a BPF file system at %s that this mount namespace alone has: when the process dies the XDP program goes with it, and the wire is cut; expected the machine's: %s; --allow-private-bpffs starts all the same",
			cfg.BPFFS, privateBPFFS)
	}
	return true, nil
}

func (w *Wire) openQueue(s ingress.Side, queue int) error {
	c := w.cfg.Port
	c.Ifindex, c.MTU, c.Queue, c.Jumbo = w.nics[s].Index, w.nics[s].MTU, queue, w.cfg.Jumbo
	p, err := OpenPort(c, &w.links.up[s])
	if err != nil {
		return fmt.Errorf("%s port %s: %w", s, w.nics[s].Name, err)
	}
	w.ports[s] = append(w.ports[s], p)
	return w.relay.Serve(int(s), queue, p.FD())
}

// Relayed reports whether an earlier process had left the program on both ports: until the first Beat it goes on with their frames by policy.
func (w *Wire) Relayed() bool { return w.relayed }

// Ports returns a side's ports, one for each RX queue, in the order of queues.
func (w *Wire) Ports(s ingress.Side) []*Port { return w.ports[s] }

// Queues is how many shards the wire wants: the RX queues of the side that has more.
func (w *Wire) Queues() int { return max(len(w.ports[0]), len(w.ports[1])) }

// Beat says that the loop which serves queue number queue of both sides is alive at now, in ns of CLOCK_MONOTONIC
// (xdpprog.Now, or xdpprog.Monotonic of a time just read). A store into memory: call it every round of that loop, and from
// nowhere else. Without a beat for MaxAge the XDP program relays or drops that queue's frames by itself.
func (w *Wire) Beat(queue int, now int64) { w.relay.Beats.Beat(queue, now) }

// Close stops the beats, detaches and unpins the program and unbinds the queues: nothing stays, and the kernel's own stack
// sees the ports' frames again. With LeaveRelay the program stays attached, and relays or drops by policy.
func (w *Wire) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	errs := []error{w.relay.Close(w.cfg.LeaveRelay)}
	for s := range w.ports {
		for _, p := range w.ports[s] {
			errs = append(errs, p.Close())
		}
		if w.promisc[s] != nil {
			errs = append(errs, w.promisc[s].close(w.links.ask, w.cfg.LeaveRelay))
		}
	}
	if w.links != nil {
		w.links.close()
	}
	return errors.Join(errs...)
}

func (c WireConfig) withDefaults() WireConfig {
	if c.Instance == "" {
		c.Instance = "default"
	}
	if c.BPFFS == "" {
		c.BPFFS = xdpprog.DefaultBPFFS
	}
	if c.MaxAge == 0 {
		c.MaxAge = xdpprog.DefaultMaxAge
	}
	return c
}

func (c *WireConfig) limits() nic.Limits {
	return nic.Limits{
		MaxQueues: xdpprog.MaxQueues, Sockets: c.Queues, Jumbo: c.Jumbo, Generic: c.Mode == xdpprog.Generic,
		WorkerAddrs: c.WorkerAddrs, SSHConnection: c.SSHConnection, Override: c.Override,
	}
}

// Links returns how both interfaces stand, how they stood when they were opened, and a channel that is closed at the next change.
func (w *Wire) Links() (now, opened [2]LinkState, changed <-chan struct{}) {
	now, changed = w.links.now()
	return now, w.links.opened, changed
}

// LeaveRelay makes Close leave the program in place, as if the configuration had said so.
func (w *Wire) LeaveRelay() { w.cfg.LeaveRelay = true }
