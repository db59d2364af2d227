package appliance

import (
	"context"
	"errors"
	"slices"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/afxdp"
)

// ErrReopen ends Serve because the ports have to be opened anew: an interface was removed and made again, or has other queues. The sockets of this process can't
// follow: the program is to begin anew, in the same process.
var ErrReopen = errors.New("the ports have to be opened anew")

// watchLinks logs what changes of the ports' interfaces, until ctx ends. It reports whether the ports are to be opened anew.
func (a *Appliance) watchLinks(ctx context.Context) (reopen bool) {
	if a.wire.afxdp == nil {
		<-ctx.Done()
		return false
	}
	last, opened, changed := a.wire.afxdp.Links()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
		var now [2]afxdp.LinkState
		now, _, changed = a.wire.afxdp.Links()
		for s := range now {
			if now[s] != last[s] {
				a.log.Warn("link changed", "port", ingress.Side(s).String(), "interface", opened[s].Name, "present", now[s].Present, "up", now[s].Up, "name", now[s].Name, "mtu", now[s].MTU, "rx_queues", now[s].Queues)
			}
			for _, why := range now[s].Differs(ingress.Side(s).String(), &opened[s], opened[s].Queues) {
				if !slices.Contains(last[s].Differs(ingress.Side(s).String(), &opened[s], opened[s].Queues), why) {
					a.log.Warn("port", "problem", why)
				}
			}
		}
		if last = now; needsReopening(&now, &opened) {
			a.log.Warn("the ports are opened anew")
			return true
		}
	}
}

// needsReopening reports whether the ports would be better served by opening them anew, and can be: both interfaces are there, with as many queues, and
// one is another one, or they have more queues than are served.
func needsReopening(now, opened *[2]afxdp.LinkState) bool {
	another := false
	for s := range now {
		if !now[s].Present && now[s].Back == 0 {
			return false
		}
		another = another || !now[s].Present
	}
	return now[0].Queues == now[1].Queues && (another || now[0].Queues > opened[0].Queues)
}

// linkProblems says what is wrong with the ports' interfaces: so that traffic is lost, and else.
func (a *Appliance) linkProblems() (notReady, degraded []string) {
	if a.wire == nil || a.wire.afxdp == nil {
		return nil, nil
	}
	now, opened, _ := a.wire.afxdp.Links()
	for s := range now {
		why := now[s].Differs(ingress.Side(s).String(), &opened[s], opened[s].Queues)
		if !now[s].Present || now[s].Queues > opened[s].Queues {
			notReady = append(notReady, why...)
		} else {
			degraded = append(degraded, why...)
		}
	}
	return notReady, degraded
}

// linkOf is what the console shows of a port.
func linkOf(r *afxdp.PortReport) console.Link {
	l := console.Link{Interface: r.Interface, Present: r.Link.Present, Up: r.Link.Up, Changes: r.CarrierChanges, MTU: r.Link.MTU, Queues: r.Link.Queues, Served: r.Queues, XDP: map[string]uint64{}}
	for name, tally := range r.Outcomes {
		l.XDP[name] = tally.Packets
	}
	return l
}
