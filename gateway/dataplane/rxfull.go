package dataplane

import "github.com/granule-nf/granule/ingress"

// readPorts reads the ports' own counters, and takes what was lost before the gateway had it into the ledger: to the user it was received, and dropped.
func (s *Shard) readPorts() {
	s.ports.stats(&s.led.Wire)
	for side := range s.led.Wire {
		p := &s.led.Ports[side]
		if lost := lostAtPort(&s.led.Wire[side]); lost > s.ports.lost[side] {
			n := lost - s.ports.lost[side]
			s.ports.lost[side] = lost
			p.Received += n
			p.Dropped[RxFull] += n
		}
	}
}

// lostAtPort is how many frames of the wire were not received: the ring was full, there was no buffer, or they were longer than one.
func lostAtPort(p *ingress.PortStats) uint64 { return p.RxDropped + p.RxRingFull + p.RxOversize }
