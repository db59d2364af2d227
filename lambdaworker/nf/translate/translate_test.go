package translate_test

import (
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// mapper gives every new flow from inside the source 203.0.113.1:7.
type mapper struct{ t *translate.Table }

func (m mapper) Needs() nf.Needs                           { return nf.Needs{Reads: nf.Headers, Writes: nf.Headers, Flows: true} }
func (m mapper) Report(*nf.Report)                         {}
func (m mapper) StateVersion() uint16                      { return translate.Version }
func (m mapper) AppendFlow(dst []byte, flow uint32) []byte { return m.t.Append(dst, flow) }
func (m mapper) ApplyFlow(flow uint32, data []byte) error  { return m.t.Apply(flow, data) }
func (m mapper) ForgetFlow(flow uint32)                    { m.t.Forget(flow) }

func (m mapper) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		if m.t.Rewrite(b, i) || p.From == nf.Outside {
			continue
		}
		out := translate.Record{Port: 7, Field: translate.Src, Size: 4, Tag: 42}
		in := translate.Record{Port: p.SrcPort, Field: translate.Dst, Size: 4}
		copy(out.Addr[:], []byte{203, 0, 113, 1})
		copy(in.Addr[:], p.Src(p.Data))
		key, _ := packet.KeyOf(&p.Key, p.Dst(p.Data), out.Address(), p.DstPort, 7, p.Proto)
		if !m.t.Pair(b, p.Flow, out, &key, in, p.Time) {
			b.Drop(i, nf.DropNAT)
			continue
		}
		m.t.Rewrite(b, i)
	}
}

func build(flows int, idle time.Duration) (*nf.Pipeline, *translate.Table, *state.Table) {
	table := state.NewTable(flows, int64(idle), 1)
	t := translate.New(table)
	return nf.NewPipeline([]nf.NF{mapper{t}}, table, 0), t, table
}

var (
	there = nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "query")
	back  = nftest.UDP("192.0.2.1:53", "203.0.113.1:7", "answer").Outside()
)

// One direction alone keeps both flows: an answer after a long time of questions only still finds its way.
func TestOneFlowKeepsTheOther(t *testing.T) {
	p, _, _ := build(64, 10*time.Second)
	var ps []nftest.P
	for i := range 30 {
		ps = append(ps, there.At(time.Duration(i)*5*time.Second))
	}
	ps = append(ps, back.At(146*time.Second), back.At(200*time.Second))
	r := nftest.Run(p, nftest.Packets(ps...), 64)
	if r.Packets[30].Changed != nf.Headers {
		t.Error("the answer was not translated")
	}
	if r.Packets[31].Changed != nf.Nothing {
		t.Error("an answer long after the last packet was translated")
	}
}

func TestTakenUntilForgotten(t *testing.T) {
	p, table, flows := build(64, time.Minute)
	r := nftest.Run(p, nftest.Packets(there, nftest.UDP("10.0.0.2:1000", "192.0.2.1:53", "query")), 1)
	if v := r.Verdicts(); v != "pass nat_exhausted" {
		t.Fatalf("verdicts %s: two flows have one key", v)
	}
	k := back.Packet()
	var in packet.Info
	var key packet.Key
	packet.Parse(k.Data, len(k.Data), &in)
	in.Key(k.Data, &key)
	if !table.Taken(&key) {
		t.Error("the answers' key is free")
	}
	flow := flows.Find((*[6]uint64)(&key))
	if rec := table.Of(flow); rec == nil || rec.Field != translate.Dst || rec.Port != 1000 {
		t.Errorf("the answers' record is %+v", rec)
	}
	flows.Delete(flow)
	if table.Taken(&key) || table.Of(nf.NoFlow) != nil {
		t.Error("a forgotten flow has a record")
	}
}

// The two flows are imported in either order, or one without the other, and know each other as far as they are there.
func TestImportInAnyOrder(t *testing.T) {
	p, _, _ := build(64, time.Minute)
	_, all := nftest.Replicate(t, p, nftest.Packets(there), 1)
	var entries [][]byte
	r := state.Read(all)
	var e state.Entry
	for at := 0; r.Next(&e); at = r.Offset() {
		entries = append(entries, all[at:r.Offset()])
	}
	if len(entries) != 2 {
		t.Fatalf("%d entries, want 2", len(entries))
	}
	for _, order := range [][]int{{0, 1}, {1, 0}, {0}, {1}} {
		q, _, _ := build(64, time.Minute)
		for _, i := range order {
			if err := q.ApplyDelta(entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		res := nftest.Run(q, nftest.Packets(there.At(time.Second), back.At(time.Second)), 2)
		if len(order) == 2 && (res.Packets[0].Changed != nf.Headers || res.Packets[1].Changed != nf.Headers) {
			t.Errorf("order %v: not translated", order)
		}
		if res.Panics > 0 {
			t.Error(res.Reports[0].Panic)
		}
	}
}

func TestBrokenRecordsAreRefused(t *testing.T) {
	p, table, flows := build(64, time.Minute)
	nftest.Run(p, nftest.Packets(there), 1)
	flow := state.None
	flows.Each(func(f uint32) { flow = f })
	good := table.Append(nil, flow)
	for name, data := range map[string][]byte{
		"empty": {}, "cut": good[:11], "longer": append(append([]byte(nil), good...), 0), "no field": append([]byte{0}, good[1:]...), "size 5": append([]byte{1, 5}, good[2:]...),
		"the other family": append([]byte{1, 16, 0, 0, 0, 0, 0, 0}, make([]byte, 16)...),
	} {
		if err := table.Apply(flow, data); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := table.Apply(flow, good); err != nil {
		t.Errorf("a good record: %v", err)
	}
}

func TestChecksumsBothWays(t *testing.T) {
	p, _, _ := build(64, time.Minute)
	r := nftest.Run(p, nftest.Packets(there, back, nftest.Unreachable("198.51.100.1", "203.0.113.1", nftest.UDP("203.0.113.1:7", "192.0.2.1:53", "query").Frame()).Outside()), 1)
	for i, o := range r.Packets {
		var in packet.Info
		packet.Parse(o.Data, len(o.Data), &in)
		if o.Changed != nf.Headers || !in.CheckIPv4(o.Data) || in.CheckL4(o.Data) != packet.Right {
			t.Errorf("packet %d: changed %d, %x", i+1, o.Changed, o.Data)
		}
	}
}
