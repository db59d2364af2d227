package xdpprog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Mode is where on a frame's way the program runs.
type Mode uint8

// The modes. Native runs in the driver, before the kernel has made a packet buffer; generic runs after, on any driver,
// slower, and sees aggregated frames unless offloads are off.
const (
	Native Mode = iota
	Generic
)

// String returns "native" or "generic".
func (m Mode) String() string {
	if m == Native {
		return "native"
	}
	return "generic"
}

func (m Mode) flags() link.XDPAttachFlags {
	if m == Native {
		return link.XDPDriverMode
	}
	return link.XDPGenericMode
}

// DefaultMaxAge is how old a heartbeat may grow before the program acts on its own.
const DefaultMaxAge = time.Second

// Config says what to attach where.
type Config struct {
	Instance     string        // names the pins; one gateway at a time
	BPFFS        string        // DefaultBPFFS if empty
	Ifindex      [2]int        // the two ports
	FailOpen     bool          // relay, not drop, what no live gateway takes
	MaxAge       time.Duration // DefaultMaxAge if 0
	Frags        bool          // frames may span several buffers (jumbo)
	Mode         Mode          // asked for
	AllowGeneric bool          // take Generic where the driver refuses Native
}

// Relay is the program on both ports.
type Relay struct {
	Beats *Heartbeat
	sides [2]side
	pins  *pinDir
	beats *ebpf.Map
}

type side struct {
	objs  relayObjects
	link  link.Link
	taken bool // the link is a leftover of a former run
	mode  Mode
}

var sideNames = [2]string{"inside", "outside"}

// Open loads and attaches the program on both ports, or takes over what a gateway of the same name left. When it fails
// it leaves the wire as it was found.
func Open(cfg Config) (_ *Relay, err error) {
	if cfg.BPFFS == "" {
		cfg.BPFFS = DefaultBPFFS
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = DefaultMaxAge
	}
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 charge maps to RLIMIT_MEMLOCK
		return nil, fmt.Errorf("lift the limit on locked memory: %w; needs CAP_SYS_RESOURCE", err)
	}
	r := &Relay{}
	if r.pins, err = lockPinDir(cfg.BPFFS, cfg.Instance); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.abandon())
		}
	}()
	for s := range r.sides {
		if err = r.load(s, &cfg); err != nil {
			return nil, fmt.Errorf("XDP program for the %s port: %w", sideNames[s], err)
		}
	}
	if r.Beats, err = mapHeartbeat(r.beats); err != nil {
		return nil, err
	}
	for queue := range MaxQueues {
		r.Beats.Stop(queue) // a leftover map holds the last beats of a dead process
	}
	for s := range r.sides {
		if err = r.sides[s].attach(r.pins.file(sideNames[s]+"-link"), cfg.Ifindex[s], &cfg); err != nil {
			return nil, fmt.Errorf("XDP program on the %s port: %w", sideNames[s], err)
		}
	}
	return r, nil
}

// load makes one side's program. Pinned maps of a former run are taken up again, so that counters go on counting.
func (r *Relay) load(s int, cfg *Config) error {
	spec, err := loadRelay()
	if err != nil {
		return err
	}
	failOpen := uint32(0)
	if cfg.FailOpen {
		failOpen = 1
	}
	if err := spec.Variables[relayVarFailOpen].Set(failOpen); err != nil {
		return err
	}
	if err := spec.Variables[relayVarMaxAgeNs].Set(int64(cfg.MaxAge)); err != nil {
		return err
	}
	if cfg.Frags {
		spec.Programs[relayProgRelay].Flags |= unix.BPF_F_XDP_HAS_FRAGS
	}
	replace := map[string]*ebpf.Map{}
	pinned := map[string]string{
		relayMapSockets:   r.pins.file(sideNames[s] + "-sockets"),
		relayMapOtherPort: r.pins.file(sideNames[s] + "-other_port"),
		relayMapOutcomes:  r.pins.file(sideNames[s] + "-outcomes"),
		relayMapBeats:     r.pins.file(relayMapBeats), // shared by both sides
	}
	for name, path := range pinned {
		m, err := takeOverMap(path, spec.Maps[name])
		if err != nil {
			return err
		}
		if m != nil {
			defer m.Close() // the collection has a clone
			replace[name] = m
		}
	}
	side := &r.sides[s]
	if err := spec.LoadAndAssign(&side.objs, &ebpf.CollectionOptions{MapReplacements: replace}); err != nil {
		var verifier *ebpf.VerifierError
		if errors.As(err, &verifier) {
			return fmt.Errorf("load: %+v", verifier)
		}
		return fmt.Errorf("load: %w; needs CAP_BPF and CAP_NET_ADMIN", err)
	}
	for name, m := range map[string]*ebpf.Map{
		relayMapSockets: side.objs.Sockets, relayMapOtherPort: side.objs.OtherPort,
		relayMapOutcomes: side.objs.Outcomes, relayMapBeats: side.objs.Beats,
	} {
		if replace[name] == nil {
			if err := m.Pin(pinned[name]); err != nil {
				return fmt.Errorf("pin map %s: %w", name, err)
			}
		}
	}
	r.beats = side.objs.Beats
	if err := side.objs.OtherPort.Put(uint32(0), uint32(cfg.Ifindex[1-s])); err != nil {
		return fmt.Errorf("name the other port: %w", err)
	}
	return nil
}

// takeOverMap opens a map pinned by a former run; nil if there is none or it is of another make.
func takeOverMap(path string, spec *ebpf.MapSpec) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open pinned map %s: %w", path, err)
	}
	if err := spec.Compatible(m); err != nil {
		_ = m.Close()
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the pin of a map of another version: %w", err)
		}
		return nil, nil
	}
	return m, nil
}

// attach updates the pinned link of a former run in place, or makes a new one and pins it.
func (s *side) attach(pin string, ifindex int, cfg *Config) error {
	old, err := link.LoadPinnedLink(pin, nil)
	switch {
	case err == nil:
		if linkedTo(old) == ifindex && old.Update(s.objs.Relay) == nil {
			s.link, s.taken = old, true
			s.mode, err = AttachedMode(ifindex)
			return err
		}
		// The interface is another one by now, or the device went away under the link: nothing to take over.
		if err := errors.Join(old.Unpin(), old.Close()); err != nil {
			return fmt.Errorf("drop the link left by a former run: %w", err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("open pinned link %s: %w", pin, err)
	}
	if s.link, s.mode, err = attachNew(s.objs.Relay, ifindex, cfg); err != nil {
		return err
	}
	if err := s.link.Pin(pin); err != nil {
		return fmt.Errorf("pin the link: %w", err)
	}
	return nil
}

func attachNew(prog *ebpf.Program, ifindex int, cfg *Config) (link.Link, Mode, error) {
	try := func(m Mode) (link.Link, error) {
		return link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: m.flags()})
	}
	l, err := try(cfg.Mode)
	if err == nil {
		return l, cfg.Mode, nil
	}
	if foreign, ok := Attached(ifindex); ok {
		return nil, 0, fmt.Errorf("%w: %s", ErrForeign, foreign)
	}
	if cfg.Mode == Native && cfg.AllowGeneric {
		if l, gerr := try(Generic); gerr == nil {
			return l, Generic, nil
		}
	}
	return nil, 0, fmt.Errorf("attach in %s mode: %w (ERANGE: lower the MTU; ENOSPC or EINVAL: too many queues, see `ethtool -L`; "+
		"EOPNOTSUPP: the driver has no native XDP, allow generic mode)", cfg.Mode, err)
}

func linkedTo(l link.Link) int {
	info, err := l.Info()
	if err != nil {
		return 0
	}
	xdp := info.XDP()
	if xdp == nil {
		return 0
	}
	return int(xdp.Ifindex) // 0 once the device is gone
}

// Serve hands the frames of a side's queue to the AF_XDP socket with that descriptor, once the queue beats. The kernel
// takes the socket out of the map by itself when it is closed.
func (r *Relay) Serve(side, queue, socket int) error {
	if queue < 0 || queue >= MaxQueues {
		return fmt.Errorf("queue %d: the XDP program serves queues 0 to %d", queue, MaxQueues-1)
	}
	if err := r.sides[side].objs.Sockets.Put(uint32(queue), uint32(socket)); err != nil {
		return fmt.Errorf("give queue %d of the %s port to its socket: %w", queue, sideNames[side], err)
	}
	return nil
}

// Tallies returns what a side's program did with the frames it saw, since it was first pinned.
func (r *Relay) Tallies(side int) ([Outcomes]Tally, error) {
	return readTallies(r.sides[side].objs.Outcomes)
}

// Mode is the mode that a side's program runs in.
func (r *Relay) Mode(side int) Mode { return r.sides[side].mode }

// TakenOver reports that a side's link was left by a former run and updated in place.
func (r *Relay) TakenOver(side int) bool { return r.sides[side].taken }

// Pins is the folder of the pins.
func (r *Relay) Pins() string { return r.pins.path }

// Close ends the gateway's part. With leave, the programs stay attached and pinned and relay or drop by policy from now
// on; without, they are detached and nothing is left.
func (r *Relay) Close(leave bool) error {
	var errs []error
	if r.Beats != nil {
		for queue := range MaxQueues {
			r.Beats.Stop(queue)
		}
		errs = append(errs, r.Beats.close())
	}
	for s := range r.sides {
		errs = append(errs, r.sides[s].close(leave))
	}
	if !leave {
		errs = append(errs, r.removePins())
	}
	return errors.Join(append(errs, r.pins.unlock(!leave))...)
}

func (s *side) close(leave bool) error {
	var errs []error
	if s.link != nil {
		if !leave {
			if err := s.link.Unpin(); !errors.Is(err, os.ErrNotExist) { // somebody else may have removed it, which is as good
				errs = append(errs, err)
			}
		}
		errs = append(errs, s.link.Close())
	}
	if s.objs.Relay != nil {
		errs = append(errs, s.objs.Close())
	}
	return errors.Join(errs...)
}

func (r *Relay) removePins() error {
	return removeAll(r.pins.path)
}

// abandon undoes a failed Open. A link that was taken over stays: it was guarding the wire before we came.
func (r *Relay) abandon() error {
	leave := r.sides[0].taken || r.sides[1].taken
	return r.Close(leave)
}
