package loadbalance

import (
	"fmt"
	"net/netip"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
)

// Options are what granule.yaml may say: one service, or a list of them.
type Options struct {
	Service  `yaml:",inline"`
	Services []Service          `yaml:"services"`
	Clients  string             `yaml:"clients"`  // the side that clients are on
	Sessions int                `yaml:"sessions"` // connections at a time
	Timeouts translate.Timeouts `yaml:"timeouts"`
}

// Service is an address that clients connect to.
type Service struct {
	Address  netip.Addr `yaml:"address"`
	Port     uint16     `yaml:"port"`     // 0 is every port
	Protocol string     `yaml:"protocol"` // tcp or udp
	Sticky   string     `yaml:"sticky"`   // flow or client
	Backends []Backend  `yaml:"backends"`
}

// Backend is one server.
type Backend struct {
	Address netip.Addr `yaml:"address"`
	Port    uint16     `yaml:"port"`   // 0 is the port that was asked for
	Weight  *int       `yaml:"weight"` // share of new connections, from 0; 1 if absent
	Up      *bool      `yaml:"up"`     // false: no new connections, and those it had go elsewhere; true if absent
}

// defaultSessions is room for sessions where the options say nothing.
const defaultSessions = 1 << 17

// defaultTimeouts are longer than those of a translator that runs out of ports: nothing is scarce here but memory.
func defaultTimeouts() translate.Timeouts {
	t := translate.DefaultTimeouts()
	t.UDP, t.UDPStream = udpTimeout, udpTimeout
	return t
}

// New makes a Balancer from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{Clients: "outside", Sessions: defaultSessions, Timeouts: defaultTimeouts()}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	var bad nf.Problems
	say := func(key, format string, a ...any) {
		file, line, column := s.Options.Pos(key)
		bad = append(bad, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)})
	}
	l := &Balancer{seed: s.Seed}
	switch o.Clients {
	case "inside":
		l.clients = nf.Inside
	case "outside":
		l.clients = nf.Outside
	default:
		say("clients", "clients is %q; expected inside or outside", o.Clients)
	}
	if o.Sessions < 1 || o.Sessions > 1<<24 {
		say("sessions", "sessions is %d; expected 1 to %d", o.Sessions, 1<<24)
		o.Sessions = 1
	}
	if what := o.Timeouts.Check(); what != "" {
		say("timeouts", "%s", what)
	}
	list := o.Services
	if len(list) == 0 {
		list = []Service{o.Service}
	} else if o.Address.IsValid() || len(o.Backends) > 0 {
		say("services", "address or backends stand beside services; expected one service, or a list of services that has all of them")
	}
	for i := range list {
		name := ""
		if len(o.Services) > 0 {
			name = fmt.Sprintf("service %d: ", i+1)
		}
		l.service(&list[i], func(key, format string, a ...any) {
			if name != "" {
				key = "services"
			}
			say(key, name+format, a...)
		})
	}
	if bad != nil {
		return nil, bad
	}
	l.sessions = translate.New(o.Sessions, o.Timeouts, s.Seed)
	l.sessions.OnEnd(l.ended)
	return l, nil
}

func (l *Balancer) service(o *Service, say func(key, format string, a ...any)) {
	v := service{name: netip.AddrPortFrom(o.Address, o.Port).String()}
	if !o.Address.IsValid() {
		say("address", "no address; expected the one that clients connect to")
		return
	}
	v.end, v.kind = translate.EndOf(o.Address.AsSlice(), o.Port), packet.IPv4
	if !o.Address.Is4() {
		v.kind = packet.IPv6
	}
	switch o.Protocol {
	case "", "tcp":
		v.proto = packet.ProtoTCP
	case "udp":
		v.proto = packet.ProtoUDP
	default:
		say("protocol", "protocol is %q; expected tcp or udp", o.Protocol)
	}
	switch o.Sticky {
	case "", "flow":
	case "client":
		v.byClient = true
	default:
		say("sticky", "sticky is %q; expected flow or client", o.Sticky)
	}
	for i := range l.services {
		if x := &l.services[i]; x.end == v.end && x.proto == v.proto {
			say("address", "%s is there already", v.name)
		}
	}
	l.setBackends(&v, o, say)
	l.services = append(l.services, v)
}

func (l *Balancer) setBackends(v *service, o *Service, say func(key, format string, a ...any)) {
	if len(o.Backends) == 0 || len(o.Backends) > 512 {
		say("backends", "%d backends; expected 1 to 512", len(o.Backends))
		return
	}
	var names []string
	var weights []int
	for i, b := range o.Backends {
		if !b.Address.IsValid() || b.Address.Is4() != o.Address.Is4() {
			say("backends", "backend %d: address %v; expected one of the same family as address", i+1, b.Address)
			return
		}
		weight := 1
		if b.Weight != nil {
			weight = *b.Weight
		}
		if weight < 0 || weight > 100 {
			say("backends", "backend %d: weight is %d; expected 0 to 100", i+1, weight)
			return
		}
		up := b.Up == nil || *b.Up
		name := netip.AddrPortFrom(b.Address, b.Port).String()
		for _, other := range names {
			if name == other {
				say("backends", "backend %d: %s is there twice; give it a weight", i+1, name)
				return
			}
		}
		l.backends = append(l.backends, backend{name: name, end: translate.EndOf(b.Address.AsSlice(), b.Port), service: len(l.services), up: up, drained: weight == 0})
		if !up {
			weight = 0
		}
		names, weights = append(names, name), append(weights, weight)
	}
	v.first = len(l.backends) - len(names)
	v.table = maglev(names, weights, l.seed)
}
