package nat

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
)

// Options are what granule.yaml may say.
type Options struct {
	Addresses     []netip.Addr       `yaml:"addresses"`     // to leave with
	Ports         string             `yaml:"ports"`         // "first-last"
	HostPorts     int                `yaml:"host_ports"`    // ports a host may have at a time
	Sessions      int                `yaml:"sessions"`      // conversations at a time
	Block         int                `yaml:"block"`         // ports of a block; 0: hosts have no blocks
	Leases        int                `yaml:"leases"`        // blocks a host may lease at a time
	LogLeases     bool               `yaml:"log_leases"`    //
	Deterministic bool               `yaml:"deterministic"` // a host's ports follow from its address
	Inside        []netip.Prefix     `yaml:"inside"`        // whose packets are translated
	Forward       []Forward          `yaml:"forward"`       // ports that lead inside
	Timeouts      translate.Timeouts `yaml:"timeouts"`
}

// Forward leads what is sent to a port of an outside address to a host inside.
type Forward struct {
	Address  netip.Addr `yaml:"address"`  // absent: the first of addresses
	Protocol string     `yaml:"protocol"` // tcp or udp
	Port     uint16     `yaml:"port"`
	To       string     `yaml:"to"` // address or address:port; without a port the one that was sent to
}

// Defaults of options that are not set.
const (
	defaultBlock     = 512
	defaultLeases    = 4
	defaultHostPorts = 8192
	maxSessions      = 1 << 24
)

// checked are options in the form that is worked with.
type checked struct {
	Options
	first, last int
	forwards    []forward
}

// forward is a static mapping.
type forward struct {
	proto    uint8
	address  int // index of the outside one
	port     uint16
	to       translate.End
	original translate.End // the outside end
}

// check reads the options and says all that is wrong with them.
func check(s *nf.Setup) (*checked, error) {
	c := &checked{Options: Options{Ports: "1024-65535", Timeouts: translate.DefaultTimeouts(), HostPorts: -1, Sessions: -1, Block: -1, Leases: -1}}
	o := &c.Options
	if err := s.Options.Decode(o); err != nil {
		return nil, err
	}
	var bad nf.Problems
	problem := func(key, format string, a ...any) nf.Problem {
		file, line, column := s.Options.Pos(key)
		return nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)}
	}
	say := func(key, format string, a ...any) { bad = append(bad, problem(key, format, a...)) }
	if len(o.Addresses) == 0 || len(o.Addresses) > 256 {
		say("addresses", "%d addresses; expected 1 to 256 IPv4 addresses to leave with", len(o.Addresses))
	}
	for i, a := range o.Addresses {
		if !a.Is4() {
			say("addresses", "%v is no IPv4 address; IPv6 needs no NAT and passes", a)
		}
		for _, b := range o.Addresses[:i] {
			if a == b {
				say("addresses", "%v is there twice", a)
			}
		}
	}
	for _, p := range o.Inside {
		if !p.Addr().Is4() {
			say("inside", "%v is no IPv4 prefix", p)
		}
	}
	ports := 0
	if n, err := fmt.Sscanf(o.Ports+"\n", "%d-%d\n", &c.first, &c.last); n != 2 || err != nil || c.first < 1 || c.last > 65535 || c.first > c.last {
		say("ports", "ports is %q; expected FIRST-LAST within 1-65535", o.Ports)
	} else if ports = c.last - c.first + 1; o.Block > ports || o.Block != -1 && o.Block < 0 {
		say("block", "block is %d; expected 1 to %d, the number of ports, or 0 for none", o.Block, ports)
	}
	c.blocks(ports, say)
	if o.HostPorts == -1 {
		o.HostPorts = defaultHostPorts
	} else if o.HostPorts < 1 || o.HostPorts > 1<<24 {
		say("host_ports", "host_ports is %d; expected 1 to %d", o.HostPorts, 1<<24)
	}
	if o.Sessions == -1 {
		o.Sessions = min(max(2*ports*len(o.Addresses), 1<<16), 1<<18)
	} else if o.Sessions < 1 || o.Sessions > maxSessions {
		say("sessions", "sessions is %d; expected 1 to %d", o.Sessions, maxSessions)
	}
	if what := o.Timeouts.Check(); what != "" {
		say("timeouts", "%s", what)
	}
	c.forward(say)
	if bad != nil {
		return nil, bad
	}
	if all := ports * len(o.Addresses); o.Sessions < all && s.Warn != nil && all <= maxSessions {
		s.Warn(problem("addresses", "there is room for %d sessions, fewer than the %d ports of the addresses; `sessions: %d` would use them all, for %d MiB of a worker's memory", o.Sessions, all, all, all*(translate.Bytes+mappingBytes)>>20))
	}
	return c, nil
}

// blocks checks what says which ports a host may have.
func (c *checked) blocks(ports int, say func(key, format string, a ...any)) {
	o := &c.Options
	if o.Leases != -1 && (o.Leases < 1 || o.Leases > 64) {
		say("leases", "leases is %d; expected 1 to 64", o.Leases)
	}
	if o.Deterministic {
		hosts := 0
		for _, p := range o.Inside {
			if p.Addr().Is4() {
				hosts += 1 << (32 - p.Bits())
			}
		}
		switch per := ports * len(o.Addresses) / max(hosts, 1); {
		case hosts == 0:
			say("deterministic", "deterministic needs to know all hosts; expected `inside` with their prefixes")
		case per < 1 || ports/max(per, 1) == 0:
			say("deterministic", "%d hosts inside share %d ports; expected a port for each at least: name more addresses or smaller prefixes", hosts, ports*len(o.Addresses))
		case o.Block > 0 || o.Leases != -1 || o.LogLeases:
			say("deterministic", "deterministic and blocks that are leased contradict each other; expected one of the two")
		}
	}
	if o.Block == -1 {
		if o.Block = 0; (o.Leases != -1 || o.LogLeases) && ports > 0 && !o.Deterministic {
			o.Block = min(defaultBlock, ports)
		}
	}
	if o.Leases == -1 {
		o.Leases = defaultLeases
	}
}

// forward reads the static mappings.
func (c *checked) forward(say func(key, format string, a ...any)) {
	for i, f := range c.Options.Forward {
		out := forward{port: f.Port}
		switch strings.ToLower(f.Protocol) {
		case "", "tcp":
			out.proto = packet.ProtoTCP
		case "udp":
			out.proto = packet.ProtoUDP
		default:
			say("forward", "forward %d: protocol is %q; expected tcp or udp", i+1, f.Protocol)
			continue
		}
		if f.Port == 0 {
			say("forward", "forward %d has no port; expected the one that is sent to", i+1)
			continue
		}
		at := 0
		if f.Address.IsValid() {
			for at = 0; at < len(c.Addresses) && c.Addresses[at] != f.Address; at++ {
			}
		}
		if at >= len(c.Addresses) {
			say("forward", "forward %d: %v is none of addresses; expected one of them", i+1, f.Address)
			continue
		}
		to, err := netip.ParseAddrPort(f.To)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(f.To); err == nil {
				to = netip.AddrPortFrom(a, f.Port)
			}
		}
		if err != nil || !to.Addr().Is4() || to.Port() == 0 {
			say("forward", "forward %d: to is %q; expected an IPv4 address inside, or ADDRESS:PORT", i+1, f.To)
			continue
		}
		out.address, out.to, out.original = at, translate.EndOf(to.Addr().AsSlice(), to.Port()), translate.EndOf(c.Addresses[at].AsSlice(), f.Port)
		for _, other := range c.forwards {
			if other.proto == out.proto && other.original == out.original {
				say("forward", "forward %d: port %d leads inside already", i+1, f.Port)
			}
		}
		c.forwards = append(c.forwards, out)
	}
}
