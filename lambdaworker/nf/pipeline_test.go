package nf_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// scripted does with a packet what its payload's first letters say.
type scripted struct {
	name  string
	quiet bool   // it says nothing of what it changes
	count []byte // packets by flow
	seen  int64
	sum   int64 // shared: bytes seen
	sent  int64
	frame []byte
}

func newScripted(name string, flows int) *scripted {
	return &scripted{name: name, count: make([]byte, flows), frame: make([]byte, 60)}
}

func (s *scripted) Needs() nf.Needs { return nf.Needs{Reads: nf.Full, Flows: true, Injects: true} }

func (s *scripted) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		s.seen++
		s.sum += int64(len(p.Data))
		if p.Flow != nf.NoFlow && !s.quiet {
			s.count[p.Flow]++
			b.Touch(p.Flow)
			b.Touch(p.Flow)
		}
		do, by, _ := strings.Cut(string(p.Bytes(p.Data)), "@")
		if by != s.name && by != "" {
			continue
		}
		switch do {
		case "drop":
			b.Drop(i, nf.DropRule)
			b.Drop(i, nf.DropPolicy) // the first reason stays
		case "panic":
			panic("as told")
		case "inject":
			b.Inject(i, nf.Outside, s.frame)
		case "change":
			p.Data[0] = 0xee
			b.Change(i, nf.Headers)
		case "replace":
			b.Replace(i, nftest.TCP("10.9.9.9:7", "10.0.0.2:8", "S", "").Frame())
		case "event":
			b.Events.Commit(append(b.Events.Room(), `{"event_type":"test"}`...))
		}
	}
}

func (s *scripted) Report(r *nf.Report)  { r.Counters["seen"] = s.seen }
func (s *scripted) StateVersion() uint16 { return 7 }

func (s *scripted) AppendFlow(dst []byte, flow uint32) []byte {
	if s.count[flow] > 0 {
		dst = append(dst, s.count[flow])
	}
	return dst
}

func (s *scripted) ApplyFlow(flow uint32, data []byte) error {
	if len(data) != 1 {
		return errors.New("not one byte")
	}
	s.count[flow] = data[0]
	return nil
}

func (s *scripted) ForgetFlow(flow uint32) { s.count[flow] = 0 }

func (s *scripted) AppendShared(dst []byte) []byte {
	if s.sum != s.sent {
		dst = strconv.AppendInt(dst, s.sum-s.sent, 10)
		s.sent = s.sum
	}
	return dst
}

func (s *scripted) ApplyShared(data []byte) error {
	var n int64
	if _, err := fmt.Sscan(string(data), &n); err != nil {
		return err
	}
	s.sum += n
	s.sent += n
	return nil
}

func stage(flows int, names ...string) (*nf.Pipeline, []*scripted) {
	var nfs []nf.NF
	var all []*scripted
	for _, name := range names {
		s := newScripted(name, flows)
		nfs, all = append(nfs, s), append(all, s)
	}
	return nf.NewPipeline(nfs, state.NewTable(flows, int64(time.Minute), 1), 1<<14), all
}

func udp(port int, text string) nftest.P {
	return nftest.UDP(fmt.Sprintf("10.0.0.1:%d", port), "10.0.0.2:53", text)
}

func TestDroppedPacketsAreNotShownOn(t *testing.T) {
	p, s := stage(16, "a", "b")
	var told []uint16
	p.Dropped = func(b *nf.Batch, i uint16) { told = append(told, i) }
	r := nftest.Run(p, nftest.Packets(udp(1, ""), udp(2, "drop@a"), udp(3, "drop@b"), udp(4, "")), 64)
	if v := r.Verdicts(); v != "pass firewall_rule firewall_rule pass" {
		t.Errorf("verdicts: %s", v)
	}
	if s[0].seen != 4 || s[1].seen != 3 {
		t.Errorf("the functions saw %d and %d packets, want 4 and 3", s[0].seen, s[1].seen)
	}
	if fmt.Sprint(told) != "[1 2]" {
		t.Errorf("Dropped was told of %v, want [1 2]", told)
	}
	p, s = stage(16, "a", "b")
	nftest.Run(p, nftest.Packets(udp(1, "drop@a")), 64)
	if s[1].seen != 0 {
		t.Error("a function was called without a packet")
	}
}

func TestAPanicCostsOneBatch(t *testing.T) {
	for _, policy := range []nf.Verdict{nf.DropPanic, nf.Pass} {
		p, s := stage(16, "a", "b")
		p.OnPanic = policy
		capture := nftest.Packets(udp(1, "drop@a"), udp(2, "panic@a"), udp(3, ""), udp(4, "").At(time.Second), udp(5, "panic@a").At(2*time.Second))
		r := nftest.Run(p, capture, 64)
		want, passed := "firewall_rule nf_panic nf_panic pass nf_panic", int64(1)
		if policy == nf.Pass {
			want, passed = "firewall_rule pass pass pass pass", 4
		}
		if v := r.Verdicts(); v != want {
			t.Errorf("policy %v: verdicts %s, want %s", policy, v, want)
		}
		if s[1].seen != passed {
			t.Errorf("policy %v: the function behind saw %d packets, want %d", policy, s[1].seen, passed)
		}
		if r.Panics != 2 || r.Count(0, "panics") != 2 || r.Count(1, "panics") != 0 {
			t.Errorf("panics %d, of the functions %d and %d; want 2, 2, 0", r.Panics, r.Count(0, "panics"), r.Count(1, "panics"))
		}
		if first := r.Reports[0].Panic; !strings.HasPrefix(first, "as told\n") || !strings.Contains(first, "Process") {
			t.Errorf("the first panic's value and stack are %q", first)
		}
		if len(r.Events) != 2 {
			t.Fatalf("events %q, want one for each panic", r.Events)
		}
		var e struct {
			Timestamp string         `json:"timestamp"`
			Type      string         `json:"event_type"`
			Anomaly   map[string]any `json:"anomaly"`
		}
		if err := json.Unmarshal([]byte(r.Events[0]), &e); err != nil || e.Type != "anomaly" || e.Anomaly["event"] != "nf_panic" || e.Anomaly["panic"] != "as told" || e.Timestamp == "" {
			t.Errorf("event %s: %v", r.Events[0], err)
		}
	}
}

func TestReplacedBytesAreParsed(t *testing.T) {
	p, _ := stage(16, "a")
	b := p.Start()
	k := udp(1, "replace").Packet()
	p.Add(k.Data, k.Wire, k.From, k.Time, 0)
	p.Run()
	if q := &b.Packets[0]; q.Proto != packet.ProtoTCP || q.DstPort != 8 || q.Wire != uint32(len(q.Data)) || b.Changed[0] != nf.Full {
		t.Errorf("after Replace the packet is %+v, changed %d", q.Info, b.Changed[0])
	}
}

func TestInjectionsAreBounded(t *testing.T) {
	p, s := stage(16, "a")
	s[0].frame = make([]byte, 1500)
	b := p.Start()
	for i := range 100 {
		k := udp(i+1, "inject").Packet()
		p.Add(k.Data, k.Wire, k.From, k.Time, 0)
	}
	p.Run()
	if n := len(b.Injected); n != 43 { // 64 KiB of 1500 bytes
		t.Errorf("%d frames injected, want 43", n)
	}
	if b.Inject(0, nf.Inside, make([]byte, 1500)) {
		t.Error("Inject says it had room where it had none")
	}
	for i, x := range b.Injected {
		if x.Cause != uint16(i) || x.To != nf.Outside || len(x.Frame) != 1500 || cap(x.Frame) != 1500 {
			t.Fatalf("injection %d: cause %d, to %d, %d bytes of %d", i, x.Cause, x.To, len(x.Frame), cap(x.Frame))
		}
	}
}

func TestRoom(t *testing.T) {
	p, _ := stage(16, "a")
	p.Start()
	now := nftest.Start
	if !p.Room(now) {
		t.Error("an empty batch has no room")
	}
	k := udp(1, "").Packet()
	p.Add(k.Data, k.Wire, k.From, now, 0)
	if !p.Room(now+5e6) || p.Room(now+20e6) || p.Room(now-20e6) {
		t.Error("a batch spans 10 ms and no more")
	}
	for range nf.MaxBatch - 1 {
		p.Add(k.Data, k.Wire, k.From, now, 0)
	}
	if p.Room(now) {
		t.Error("a full batch has room")
	}
}

func run(p *nf.Pipeline, ps ...nftest.P) (delta []byte) {
	p.Start()
	for _, k := range nftest.Packets(ps...) {
		p.Add(k.Data, k.Wire, k.From, k.Time, 0)
	}
	p.Run()
	return p.AppendDelta(nil)
}

// port is the port of 10.0.0.1, which is the lower endpoint.
func port(key [6]uint64) uint64 { return key[4] >> 48 }

func entries(t *testing.T, data []byte) (list []string) {
	t.Helper()
	r := state.Read(data)
	var e state.Entry
	for r.Next(&e) {
		switch e.Kind {
		case state.Flow:
			list = append(list, fmt.Sprintf("flow %d nf%d %v", port(e.Key), e.NF, e.Data))
		case state.Shared:
			list = append(list, fmt.Sprintf("shared nf%d %s", e.NF, e.Data))
		case state.Gone:
			list = append(list, fmt.Sprintf("gone %d", port(e.Key)))
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return list
}

func TestADeltaIsWhatTheBatchChanged(t *testing.T) {
	p, s := stage(2, "a", "b")
	got := entries(t, run(p, udp(1, ""), udp(1, ""), udp(2, ""), udp(3, "drop@a")))
	want := []string{"flow 1 nf0 [2]", "flow 2 nf0 [1]", "shared nf0 174", "flow 1 nf1 [2]", "flow 2 nf1 [1]", "shared nf1 126"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// The table has room for two: the one idle longest goes, and the replica has to hear of it.
	got = entries(t, run(p, udp(3, "").At(time.Second)))
	want = []string{"gone 1", "flow 3 nf0 [1]", "shared nf0 42", "flow 3 nf1 [1]", "shared nf1 42"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	p.Start()
	p.Run()
	if d := p.AppendDelta(nil); len(d) != 0 {
		t.Errorf("an empty batch changed %v", entries(t, d))
	}
	if s[0].count[0]+s[0].count[1] != 2 {
		t.Errorf("counts %v: the flow that was evicted left its count to another", s[0].count)
	}
}

// A flow whose state does not change is told again while it has packets: at the latest after five minutes, however long its
// function would keep it without any.
func TestALivingFlowIsToldAgain(t *testing.T) {
	for _, tt := range []struct{ idle, want time.Duration }{{time.Minute, 15 * time.Second}, {5 * 24 * time.Hour, 5 * time.Minute}} {
		s := newScripted("a", 8)
		p := nf.NewPipeline([]nf.NF{s}, state.NewTable(8, int64(tt.idle), 1), 1<<14)
		run(p, udp(1, ""))
		s.quiet = true
		told := time.Duration(0)
		for at := time.Second; at <= 20*time.Minute; at += time.Second {
			for _, e := range entries(t, run(p, udp(1, "").At(at))) {
				if e == "flow 1 nf0 [1]" {
					if took := at - told; took > tt.want+time.Second || took < tt.want {
						t.Fatalf("kept for %v: told again after %v, expected %v", tt.idle, took, tt.want)
					}
					told = at
				}
			}
		}
		if told == 0 {
			t.Errorf("kept for %v: never told again", tt.idle)
		}
	}
}

func TestApplyAndForget(t *testing.T) {
	p, s := stage(8, "a", "b")
	all := run(p, udp(1, ""), udp(1, ""), udp(2, ""))
	q, u := stage(8, "a", "b")
	if err := q.ApplyDelta(all); err != nil {
		t.Fatal(err)
	}
	if u[0].sum != s[0].sum || len(entries(t, run(q))) != 0 {
		t.Errorf("shared state %d, want %d, and no delta of it", u[0].sum, s[0].sum)
	}
	if got, want := entries(t, run(q, udp(1, ""))), []string{"flow 1 nf0 [3]", "shared nf0 42", "flow 1 nf1 [3]", "shared nf1 42"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the flow goes on as %v, want %v", got, want)
	}
	q.Forget(func(k *packet.Key) bool { return port(*k) == 1 })
	if d := q.AppendDelta(nil); len(d) != 0 {
		t.Errorf("flows that moved away are in a delta: %v", entries(t, d))
	}
	if got, want := entries(t, run(q, udp(1, ""), udp(2, ""))), "flow 1 nf0 [1] flow 2 nf0 [2]"; !strings.Contains(strings.Join(got, " "), want) {
		t.Errorf("flow 1 moved away and flow 2 stayed: %v, want %s", got, want)
	}
}

func TestWhatCannotBeApplied(t *testing.T) {
	key := [6]uint64{0, 1, 0, 2, 3, 0}
	entry := func(e state.Entry) []byte { return state.Append(nil, &e) }
	good := entry(state.Entry{Kind: state.Flow, NF: 0, Version: 7, Key: key, Data: []byte{5}})
	for _, tt := range []struct {
		name, want string
		data       []byte
	}{
		{"of no function", "function 9 of a stage of 1", entry(state.Entry{Kind: state.Flow, NF: 9, Version: 7, Key: key, Data: []byte{1}})},
		{"of another version", "version 6, expected 7", entry(state.Entry{Kind: state.Flow, Version: 6, Key: key, Data: []byte{1}})},
		{"refused", "not one byte", entry(state.Entry{Kind: state.Flow, Version: 7, Key: key, Data: []byte{1, 2}})},
		{"shared, refused", "shared state", entry(state.Entry{Kind: state.Shared, Data: []byte("x")})},
		{"no entry", "not a delta", []byte{0xff}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s := stage(8, "a")
			err := p.ApplyDelta(append(tt.data, good...))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if tt.name != "no entry" && s[0].count[0] != 5 {
				t.Error("the entry behind was not applied")
			}
		})
	}
	p, _ := stage(8, "a")
	twice := entry(state.Entry{Kind: state.Flow, NF: 9, Key: key})
	if err := p.ApplyDelta(append(twice, twice...)); err == nil || !strings.Contains(err.Error(), "1 more") {
		t.Errorf("error %v, want one that counts", err)
	}
}

func FuzzApplyDelta(f *testing.F) {
	p, _ := stage(8, "a", "b")
	f.Add(run(p, udp(1, ""), udp(2, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, s := stage(4, "a", "b")
		err := p.ApplyDelta(data)
		// What was taken without a complaint was taken whole.
		if err == nil {
			var want [2]int64
			r := state.Read(data)
			for e := (state.Entry{}); r.Next(&e); {
				var n int64
				if e.Kind == state.Shared {
					_, _ = fmt.Sscan(string(e.Data), &n)
					want[e.NF] += n
				}
			}
			if got := [2]int64{s[0].sum, s[1].sum}; got != want || r.Err() != nil {
				t.Fatalf("shared state is %v, want %v (%v)", got, want, r.Err())
			}
		}
		// Whatever came: packets are judged, and what the stage exports a successor takes.
		res, exported := nftest.Replicate(t, p, nftest.Packets(udp(1, ""), udp(9, "")), 64)
		if res.Verdicts() != "pass pass" || res.Panics > 0 {
			t.Fatalf("verdicts %s, %d panics", res.Verdicts(), res.Panics)
		}
		q, _ := stage(4, "a", "b")
		if err := q.ApplyDelta(exported); err != nil {
			t.Fatalf("a successor refuses what was exported: %v", err)
		}
	})
}

func TestEveryBranchOfTheBatchAllocatesNothing(t *testing.T) {
	p, _ := stage(32, "a", "b")
	var capture []nftest.Packet
	for i := range 200 {
		text := []string{"", "drop@a", "drop@b", "inject@a", "change@b", "event"}[i%6]
		capture = append(capture, udp(1+i%50, text).At(time.Duration(i)*time.Millisecond).Packet())
	}
	capture = append(capture, nftest.Packet{Data: make([]byte, 20), Wire: 20})
	buf := make([]byte, 0, 1<<20)
	one := func() {
		p.Start()
		for i, k := range capture {
			if !p.Room(k.Time) {
				p.Run().Events.Take()
				buf = p.AppendDelta(buf[:0])
				p.Start()
			}
			p.Add(k.Data, k.Wire, k.From, k.Time, uint64(i))
		}
		p.Run().Events.Take()
		buf = p.AppendDelta(buf[:0])
	}
	one()
	n := testing.AllocsPerRun(20, one)
	// scripted itself turns a payload into a string; of short ones the compiler keeps that on the stack.
	if n != 0 {
		t.Errorf("%v allocations for %d packets, want 0", n, len(capture))
	}
	if p.Panics() != 0 {
		t.Error("a panic")
	}
}

func TestEventsAreBounded(t *testing.T) {
	e := nf.NewEvents(20)
	e.Commit(append(e.Room(), "0123456789"...))
	e.Commit(append(e.Room(), "0123456789"...)) // 11 and 11 are more than 20
	e.Commit(append(e.Room(), "abc"...))
	lines, lost := e.Take()
	if string(lines) != "0123456789\nabc\n" || lost != 1 {
		t.Errorf("lines %q, lost %d", lines, lost)
	}
	if lines, lost := e.Take(); len(lines) != 0 || lost != 0 {
		t.Errorf("a second Take gives %q, %d", lines, lost)
	}
}

func BenchmarkPipeline(b *testing.B) {
	p := nf.NewPipeline([]nf.NF{nothing{}}, state.NewTable(1<<16, int64(time.Minute), 1), 1<<14)
	var frames [64][]byte
	for i := range frames {
		frames[i] = nftest.TCP(fmt.Sprintf("10.0.0.1:%d", 1000+i), "192.0.2.1:443", ".", "payload").Frame()
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(frames) {
		p.Start()
		for _, f := range frames {
			p.Add(f, uint32(len(f)), nf.Inside, 1, 0)
		}
		p.Run()
	}
}

type nothing struct{}

func (nothing) Needs() nf.Needs   { return nf.Needs{Flows: true} }
func (nothing) Process(*nf.Batch) {}
func (nothing) Report(*nf.Report) {}
