package dataplane

import (
	"encoding/binary"
	"testing"

	"github.com/granule-nf/granule/gateway/dataplane/fragment"
	"github.com/granule-nf/granule/ingress/packet"
)

// datagram is a UDP datagram in fragments of 64 bytes from port to 53; id is its identification.
func datagram(id, port uint16, n int) (fragments [][]byte) {
	for i := range n {
		f := make([]byte, 14+20+64)
		binary.BigEndian.PutUint16(f[12:], packet.EtherIPv4)
		h := f[14:]
		h[0], h[8], h[9] = 0x45, 64, packet.ProtoUDP
		binary.BigEndian.PutUint16(h[2:], 20+64)
		binary.BigEndian.PutUint16(h[4:], id)
		offset := uint16(i * 8)
		if i < n-1 {
			offset |= 0x2000
		}
		binary.BigEndian.PutUint16(h[6:], offset)
		copy(h[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
		if i == 0 {
			binary.BigEndian.PutUint16(h[20:], port)
			binary.BigEndian.PutUint16(h[22:], 53)
			binary.BigEndian.PutUint16(h[24:], uint16(64*n))
		}
		fragments = append(fragments, f)
	}
	return fragments
}

func wantDatagrams(c *Config) { c.Datagrams = true }

// Whatever the order in which a datagram's fragments come, each reaches the worker of its flow with the ports of the first.
func TestFragmentsFollowTheirDatagram(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}} {
		r := newRig(t, wantDatagrams)
		l := newFakeLink(t, 1, 1000)
		r.s.Connect(l, 0)
		r.place(1, 1)
		r.turn(1)
		fragments := datagram(7, 4000, 3)
		for _, i := range order {
			r.ports[0].in = append(r.ports[0].in, fragments[i])
			r.turn(1)
		}
		if len(l.refs) != 3 || len(l.uppers) != 3 {
			t.Fatalf("%v: %d packets, %d with what the first says; expected 3", order, len(l.refs), len(l.uppers))
		}
		for _, raw := range l.uppers {
			if u, ok := packet.ParseUpper(raw[:]); !ok || u.SrcPort != 4000 || u.DstPort != 53 || u.Proto != packet.ProtoUDP {
				t.Errorf("%v: a fragment of %+v; expected ports 4000 and 53", order, u)
			}
		}
		whole := udpOf(fragments[0])
		var p, q packet.Key
		whole.SetUpper(whole.Upper(fragments[0]))
		whole.Key(fragments[0], &p)
		u, _ := packet.ParseUpper(l.uppers[2][:])
		var later packet.Info
		packet.Parse(fragments[2], len(fragments[2]), &later)
		later.SetUpper(u)
		if later.Key(fragments[2], &q); p != q || l.subs[0] != l.subs[2] {
			t.Errorf("%v: the first and the last fragment are of flows %x and %x", order, p, q)
		}
		l.answer(3, func(int) uint8 { return 0 })
		r.turn(2)
		if len(r.ports[1].out) != 3 || r.s.fragments.Len() != 0 {
			t.Errorf("%v: %d left, %d datagrams stay; expected 3 and 0", order, len(r.ports[1].out), r.s.fragments.Len())
		}
	}
}

func udpOf(f []byte) (in packet.Info) {
	packet.Parse(f, len(f), &in)
	return in
}

// Fragments whose first one does not come are dropped by name when their time is over, those that overlap at once; a stop ends the wait.
func TestFragmentsAreDroppedByName(t *testing.T) {
	r := newRig(t, wantDatagrams)
	r.turn(1)
	fragments := datagram(7, 4000, 3)
	r.ports[0].in = [][]byte{fragments[1], fragments[2], fragments[2]}
	r.turn(1)
	if l := r.ledger().Ports[0]; l.InFlight != 2 || l.Dropped[FragmentOverlap] != 1 {
		t.Fatalf("in flight %d, overlapping %d; expected 2 and 1", l.InFlight, l.Dropped[FragmentOverlap])
	}
	for range 64 { // the table is looked through bit by bit
		r.s.fragments.Expire(r.s.clock.now+fragment.Timeout4+1, 64, r.s.dropHeld)
	}
	r.turn(1)
	if l := r.ledger().Ports[0]; l.InFlight != 0 || l.Dropped[FragmentTimeout] != 2 {
		t.Errorf("in flight %d, timed out %d; expected 0 and 2", l.InFlight, l.Dropped[FragmentTimeout])
	}
	r.ports[0].in = [][]byte{fragments[1]}
	r.turn(1)
	r.s.end.stopping, r.s.end.by, r.s.due.overdue = true, 1<<62, 0
	r.turn(1)
	if l := r.ledger().Ports[0]; l.InFlight != 0 || l.Dropped[Shutdown] != 1 {
		t.Errorf("in flight %d, dropped at the stop %d; expected 0 and 1", l.InFlight, l.Dropped[Shutdown])
	}
}

// Fragments that arrive on any queue, in any order, of flows at home anywhere: all of them leave, every frame comes home, and the ledger of
// both shards closes.
func TestFragmentsCrossShards(t *testing.T) {
	rng := rng(t, 3)
	p := newPair(t, wantDatagrams)
	var links [2]*fakeLink
	for i, r := range p {
		links[i] = newFakeLink(t, 1, 1000)
		r.s.Connect(links[i], 0)
		r.place(1, 1)
	}
	p.turn(1)
	var all [][]byte
	for id := range uint16(40) {
		all = append(all, datagram(id+1, 4000+id, 4)...)
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for len(all) > 0 {
		n := min(len(all), 1+rng.IntN(8))
		q := p[rng.IntN(2)].ports[0]
		q.in = append(q.in, all[:n]...)
		all = all[n:]
		p.turn(2)
	}
	for range 10 {
		for _, l := range links {
			l.answer(1000, func(int) uint8 { return 0 })
		}
		p.turn(2)
	}
	if n := len(p[0].ports[1].out) + len(p[1].ports[1].out); n != 160 {
		t.Errorf("%d of 160 fragments left", n)
	}
	if n := len(links[0].uppers) + len(links[1].uppers); n != 160 || len(links[0].uppers) == 0 || len(links[1].uppers) == 0 {
		t.Errorf("%d and %d fragments were shipped with their ports", len(links[0].uppers), len(links[1].uppers))
	}
	l := p.total()
	if err := l.Check(); err != nil || l.Ports[0].InFlight != 0 || l.Ports[0].Received != 160 || l.Ports[0].Forwarded != 160 {
		t.Errorf("%v; received %d, forwarded %d, in flight %d", err, l.Ports[0].Received, l.Ports[0].Forwarded, l.Ports[0].InFlight)
	}
	if p.held() != 0 {
		t.Errorf("%d frames did not come home", p.held())
	}
}
