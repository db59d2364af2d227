package translate

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func udpKeys(n int) *[2]Key {
	in, out, server := End{Lo: uint64(n), Port: 1000}, End{Lo: 9999, Port: uint16(n)}, End{Lo: 7777, Port: 53}
	return &[2]Key{KeyOf(in, server, packet.ProtoUDP, packet.IPv4, 0), KeyOf(out, server, packet.ProtoUDP, packet.IPv4, 0)}
}

// Random sessions against a map of what should be known of each; now and then a successor that has the deltas alone takes over.
func TestTableAgainstMap(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 2))
		tab := New(200, DefaultTimeouts(), seed)
		type known struct {
			expires  int64
			answered bool
		}
		model := map[int]*known{}
		b := &nf.Batch{Verdicts: make([]nf.Verdict, 1)}
		in := packet.Info{Kind: packet.IPv4, Proto: packet.ProtoUDP, HasL4: true, HasPorts: true}
		now := int64(time.Hour)
		limit := func(k *known) int64 {
			d := 30 * time.Second
			if k.answered {
				d = 2 * time.Minute
			}
			return int64(d)
		}
		for step := range 20000 {
			now += int64(rng.IntN(int(time.Second)))
			n := rng.IntN(300)
			side := nf.Side(rng.IntN(2))
			tab.Begin(now)
			for n, k := range model {
				if k.expires <= now {
					delete(model, n)
				}
			}
			keys := udpKeys(n)
			id := tab.Find(side, &keys[side], now)
			if (id != None) != (model[n] != nil) {
				t.Fatalf("seed %d, step %d: session %d is known: %v", seed, step, n, id != None)
			}
			b.Verdicts[0] = nf.Verdict(rng.IntN(4) / 3) // a quarter does not pass
			switch {
			case id != None:
				tab.Hit(0, id, side, &in, now)
				k := model[n]
				was := k.answered
				if k.answered = k.answered || side == nf.Outside; was != k.answered || k.expires-now < limit(k) {
					k.expires = now + limit(k) + limit(k)/16
				}
			case side == nf.Inside && len(model) < 150:
				p := &nf.Packet{Info: in, From: nf.Inside, Time: now}
				if tab.Open(0, p, keys, 0) == None {
					t.Fatalf("seed %d, step %d: no room beside %d sessions", seed, step, len(model))
				}
				if b.Verdicts[0] == nf.Pass {
					model[n] = &known{expires: now + 30e9 + 30e9/16}
				}
			}
			tab.Confirm(b)
			if tab.Len() < len(model) {
				t.Fatalf("seed %d, step %d: %d sessions, the model has %d", seed, step, tab.Len(), len(model))
			}
		}
	}
}

// A replica that is told every delta makes a successor that knows the same.
func TestSuccessorKnowsTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tab := New(100, DefaultTimeouts(), 1)
	replica := map[[6]uint64][]byte{}
	b := &nf.Batch{Verdicts: []nf.Verdict{nf.Pass}}
	in := packet.Info{Kind: packet.IPv4, Proto: packet.ProtoUDP, HasL4: true, HasPorts: true}
	now := int64(time.Hour)
	for range 5000 {
		now += int64(rng.IntN(int(time.Second)))
		n, side := rng.IntN(60), nf.Side(rng.IntN(2))
		tab.Begin(now)
		keys := udpKeys(n)
		if id := tab.Find(side, &keys[side], now); id != None {
			tab.Hit(0, id, side, &in, now)
		} else if side == nf.Inside {
			tab.Open(0, &nf.Packet{Info: in, From: side, Time: now, Sub: uint16(n)}, keys, 0)
		}
		tab.Confirm(b)
		var e state.Entry
		for r := state.Read(tab.AppendEntries(nil, 3)); r.Next(&e); {
			if e.NF != 3 {
				t.Fatal("an entry is another function's")
			}
			if replica[e.Key] = append([]byte(nil), e.Data...); len(e.Data) == 0 {
				delete(replica, e.Key)
			}
		}
	}
	next := New(100, DefaultTimeouts(), 2)
	for k, data := range replica {
		if _, err := next.Apply(&state.Entry{Kind: state.Flow, NF: 3, Version: Version, Key: k, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 60 {
		keys := udpKeys(n)
		for side := range keys {
			a, z := tab.Find(nf.Side(side), &keys[side], now), next.Find(nf.Side(side), &keys[side], now)
			if (a == None) != (z == None) {
				t.Errorf("session %d, side %d: known %v, by the successor %v", n, side, a != None, z != None)
			} else if a != None && (tab.Session(a).Expires() != next.Session(z).Expires() || tab.Session(a).Answered() != next.Session(z).Answered()) {
				t.Errorf("session %d: ends at %d, at the successor at %d", n, tab.Session(a).Expires(), next.Session(z).Expires())
			}
		}
	}
}

func FuzzApply(f *testing.F) {
	tab := New(4, DefaultTimeouts(), 1)
	tab.Begin(1)
	tab.Open(0, &nf.Packet{Info: packet.Info{Proto: packet.ProtoUDP}, Time: 1}, udpKeys(1), 0)
	tab.Confirm(&nf.Batch{Verdicts: []nf.Verdict{nf.Pass}})
	f.Add(tab.AppendEntries(nil, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := New(4, DefaultTimeouts(), 1)
		var e state.Entry
		for r := state.Read(data); r.Next(&e); {
			if id, err := tab.Apply(&e); err == nil && id != None && !tab.Session(id).is(used) {
				t.Fatal("a session that is none")
			}
		}
		tab.Begin(1 << 60)
		if tab.Begin(1<<60 + 1<<40); tab.Len() > 4 {
			t.Fatal("more sessions than there is room for")
		}
	})
}
