package dataplane

import "github.com/granule-nf/granule/ingress"

// ports are the shard's queue of both ports, what is on its way into them, and which of their frames are to be given back.
type ports struct {
	port    [2]ingress.Port
	tx      [2]txQueue
	lost    [2]uint64               // frames lost before they were received, as far as the ledger has them
	freed   [2][]uint32             // IDs of frames freed in this turn
	scratch [maxBurst]ingress.Frame // of one Transmit
}

// txQueue holds slots whose packets have left their flow's queue, linked by next, until their port takes them.
type txQueue struct {
	head, tail uint32
}

func newPorts(port [2]ingress.Port, slots int) ports {
	p := ports{port: port}
	for side := range p.port {
		p.freed[side] = make([]uint32, 0, slots)
		p.tx[side] = txQueue{head: none, tail: none}
	}
	return p
}

func (p *ports) done() bool { return p.port[0].Done() && p.port[1].Done() }

// capacity is how many frames the ports can have received and not got back.
func (p *ports) capacity() int { return p.port[0].Frames() + p.port[1].Frames() }

// free notes that a frame that was received at side is to be given back.
func (p *ports) free(side ingress.Side, id uint32) { p.freed[side] = append(p.freed[side], id) }

// release gives the frames freed in this turn back, in one call for each port.
func (p *ports) release() {
	for side := range p.freed {
		if len(p.freed[side]) > 0 {
			p.port[side].Release(p.freed[side])
			p.freed[side] = p.freed[side][:0]
		}
	}
}

// stats copies the ports' counters.
func (p *ports) stats(to *[2]ingress.PortStats) {
	for side, port := range p.port {
		to[side] = ingress.PortStats{}
		port.Stats(&to[side])
	}
}

func (q *txQueue) push(t *slotTable, i uint32) {
	t.s[i].next = none
	if q.tail == none {
		q.head = i
	} else {
		t.s[q.tail].next = i
	}
	q.tail = i
}

func (q *txQueue) pop(t *slotTable) uint32 {
	i := q.head
	q.head = t.s[i].next
	if q.head == none {
		q.tail = none
	}
	return i
}
