package main

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// twice lets two packets of each flow pass, and keeps count in state that moves.
type twice struct{ seen []uint8 }

func (*twice) Needs() nf.Needs      { return nf.Needs{Reads: nf.Headers, Flows: true} }
func (*twice) Report(*nf.Report)    {}
func (*twice) StateVersion() uint16 { return 1 }
func (f *twice) ForgetFlow(x uint32) {
	f.seen[x] = 0
}

func (f *twice) Process(b *nf.Batch) {
	for _, i := range b.Live {
		if x := b.Packets[i].Flow; f.seen[x] == 2 {
			b.Drop(i, nf.DropRate)
		} else {
			f.seen[x]++
			b.Touch(x)
		}
	}
}

func (f *twice) AppendFlow(dst []byte, x uint32) []byte {
	if f.seen[x] == 0 {
		return dst
	}
	return append(dst, f.seen[x])
}

func (f *twice) ApplyFlow(x uint32, data []byte) error {
	if len(data) != 1 || data[0] > 2 {
		return errors.New("no count")
	}
	f.seen[x] = data[0]
	return nil
}

func init() {
	nf.Register(nf.Type{Name: "test-twice", Doc: "lets two packets of each flow pass", New: func(s nf.Setup) (nf.NF, error) {
		return &twice{make([]uint8, s.Flows.Cap())}, nil
	}})
}

// udp returns a packet of the flow with that source port.
func udp(port uint16) []byte {
	p := make([]byte, 42)
	p[12], p[13] = 8, 0
	ip := p[14:]
	ip[0], ip[3], ip[8], ip[9] = 0x45, 28, 64, 17
	copy(ip[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	binary.BigEndian.PutUint16(ip[20:], port)
	binary.BigEndian.PutUint16(ip[22:], 53)
	binary.BigEndian.PutUint16(ip[24:], 8)
	return p
}

// replica is what a gateway keeps of the deltas.
type replica struct {
	heard
	deltas []byte
	order2 []string
}

func (r *replica) State(delta []byte, _ func(int) (uint64, bool)) {
	r.deltas = append(r.deltas, delta...)
	r.order2 = append(r.order2, "state")
}

func (r *replica) Verdicts(refs []uint64, v uint8) {
	r.order2 = append(r.order2, "verdicts")
	r.heard.Verdicts(refs, v)
}

// TestStateOutlivesItsWorker ends a worker between two packets of a flow. Its successor, given what the gateway kept, goes on as
// if nothing had happened.
func TestStateOutlivesItsWorker(t *testing.T) {
	g := newFakeGateway(t, true)
	stage := strings.ReplaceAll(string(g.invocation(1).Stage), "test-obedient", "test-twice")
	r := &replica{heard: *newHeard()}
	ref := uint64(0)
	for life, sends := range []struct {
		ports []uint16
		want  []nf.Verdict
	}{
		{[]uint16{1, 1, 2}, []nf.Verdict{nf.Pass, nf.Pass, nf.Pass}},
		{[]uint16{2, 1, 3, 2}, []nf.Verdict{nf.Pass, nf.DropRate, nf.Pass, nf.DropRate}},
		{[]uint16{1, 2, 3, 3}, []nf.Verdict{nf.DropRate, nf.DropRate, nf.Pass, nf.DropRate}},
	} {
		inv := g.invocation(1)
		inv.Stage = []byte(stage)
		done := g.invoke(t.Context(), quietWorker(), inv)
		c := g.joined()
		for kept := r.deltas; life > 0; { // in parts, as a gateway with little room would
			n := min(len(kept), 30)
			if !c.ImportState(kept[:n], n < len(kept)) {
				t.Fatal("no room")
			}
			if kept = kept[n:]; len(kept) == 0 {
				break
			}
		}
		first := ref
		for i, port := range sends.ports {
			c.Add(ref, port, false, 42, udp(port), true, int64(life*10+i)*1e6)
			ref++
		}
		until(t, c, r, func() bool { return len(r.order) == int(ref) })
		for i, want := range sends.want {
			if got := nf.Verdict(r.verdicts[first+uint64(i)]); got != want {
				t.Errorf("life %d, packet %d of flow %d: %v, want %v", life, i, sends.ports[i], got, want)
			}
		}
		c.Close()
		(<-done).want(t, ReasonClosed)
	}
	if r.order2[0] != "state" {
		t.Errorf("told %v: a verdict came before the state it stands on", r.order2)
	}
}

func TestRefusedStateIsReported(t *testing.T) {
	l, gateway := bareLink(t, nf.BundleNF{Name: "test-twice"})
	say := wire.AppendState(nil, []byte("this is "), true)
	say = wire.AppendState(say, []byte("no state"), false)
	say = wire.AppendReportRequest(say, 9)
	say = wire.AppendRetire(say)
	if _, err := gateway.Write(say); err != nil {
		t.Fatal(err)
	}
	l.serve()
	b := make([]byte, 4096)
	n, err := gateway.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	h, fault := wire.ParseHeader(b[:n])
	if fault != wire.FaultNone || h.Type != wire.TypeReport || h.Sequence != 9 || !strings.Contains(string(b[:n]), `"imported":16,"refused":1,"refusal":"`) {
		t.Errorf("%v, %+v, %q", fault, h, b[:n])
	}
	if l.reason != ReasonRetired {
		t.Errorf("ended with %s: a refused import is no reason to leave", l.reason)
	}
}
