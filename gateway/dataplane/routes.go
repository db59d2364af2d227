package dataplane

// routes say where the packets of a stage's sub-flows go: one table for each stage.
type routes []stageRoutes

// stageRoutes are a stage's, by sub-flow.
type stageRoutes struct {
	conn  [SubFlows]uint16 // connection of the worker that the placement assigns it to, noConn while there is none
	state [SubFlows]uint32 // worker that has its state, 0 if none has: another one is given it before its first packet
}

func newRoutes(stages int) routes {
	r := make(routes, stages)
	for stage := range r {
		for sub := range r[stage].conn {
			r[stage].conn[sub] = noConn
		}
	}
	return r
}

// withdraw takes a stage's sub-flows from connection id: they have no worker from here on.
func (r routes) withdraw(stage int, id uint16) {
	conn := &r[stage].conn
	for sub, to := range conn {
		if to == id {
			conn[sub] = noConn
		}
	}
}

// resolve turns the workers of a placement into connections.
//
// It is done between two packets. Workers are numbered as they are started, so the low bits of a number nearly always find its
// connection, without going through all of them for each sub-flow.
func (r routes) resolve(p *Placement, conns *connections) {
	var near [MaxWorkers]uint16
	for stage := range r {
		for i := range near {
			near[i] = noConn
		}
		for i := range conns.all {
			if c := &conns.all[i]; c.used && c.pool == stage {
				near[c.worker%MaxWorkers] = uint16(i)
			}
		}
		for sub := range r[stage].conn {
			r[stage].conn[sub] = noConn
			if p == nil || stage >= len(p.Pools) {
				continue
			}
			w := p.Pools[stage][sub]
			if w == 0 {
				continue
			}
			id := near[w%MaxWorkers]
			if id != noConn && conns.all[id].worker != w {
				id = conns.of(stage, w)
			}
			r[stage].conn[sub] = id
		}
	}
}
