package translate

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Looked is what Look found of a packet, and where its session would be.
type Looked struct {
	Key     Key
	Class   Class
	tag, at uint32
}

// Ahead looks at all packets of the run at once. A table of a million sessions is in no cache: so memory is waited for once, and not packet
// after packet.
func (t *Table) Ahead(b *nf.Batch) {
	touched := uint32(0)
	for _, i := range b.Live {
		p, l := &b.Packets[i], &t.looked[i]
		if p.Kind == packet.NotIP {
			l.Class = Broken
			continue
		}
		if l.Class = Look(p.Data, &p.Info, p.From, &l.Key); l.Class <= Error {
			l.tag, l.at = t.home(&l.Key)
			touched += t.slots[l.at].tag
		}
	}
	for _, i := range b.Live {
		if l := &t.looked[i]; l.Class <= Error {
			if s := t.slots[l.at]; s.tag == l.tag && s.ref != 0 {
				x := &t.sessions[(s.ref-1)>>1]
				touched += uint32(x.Keys[0][0]) + uint32(x.flags)
			}
		}
	}
	t.touched = touched
}

// Looked is what Ahead found of packet i.
func (t *Table) Looked(i uint16) *Looked { return &t.looked[i] }

// FindLooked is Find for a packet that Ahead has looked at, from that side at time now.
func (t *Table) FindLooked(side nf.Side, l *Looked, now int64) uint32 {
	return t.find(side, &l.Key, l.tag, l.at, now)
}
