package nftest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// HandOff cuts the capture at every k-th packet, for several k. At each cut a fresh instance takes over, and gets the state
// that a replica was given with the deltas of every batch, as after a planned hand-off, a crash or a reload. Packets,
// injections, events and counters must be those of one instance that saw it all.
//
// Counters are those of the last instance where the function has shared state, which moves along, and the sum over
// instances where it has not. Counters named in except are not compared: gauges, such as table sizes.
func HandOff(t *testing.T, s Stage, capture []Packet, except ...string) {
	t.Helper()
	want := Run(s.Build(t), capture, 16)
	if want.Panics > 0 || want.Lost > 0 {
		t.Fatalf("the run without a hand-off: %d panics, %d events lost", want.Panics, want.Lost)
	}
	for _, k := range cuts(len(capture)) {
		t.Run(fmt.Sprintf("handoff-every-%d", k), func(t *testing.T) {
			t.Helper()
			got := handOff(t, s, capture, k)
			if d := difference(&got, &want, except); d != "" {
				t.Errorf("with hand-offs (+) it is not what one instance gave (-):\n%s", d)
			}
		})
	}
}

// Replicate runs a capture as Run does, and returns what the gateway's replica of the stage holds then: what ApplyDelta of a
// successor, or of the workers of a changed configuration, is given.
func Replicate(t testing.TB, p *nf.Pipeline, capture []Packet, batch int) (r Result, state []byte) {
	t.Helper()
	replica := newReplica()
	r.feed(p, capture, 0, batch, func(came []Packet) { replica.apply(t, p.AppendChanges(nil), came) })
	r.Reports, r.Panics = p.Reports(), p.Panics()
	return r, replica.bytes()
}

// cuts chooses k so that the smallest make about a hundred instances and the largest one cut.
func cuts(n int) []int {
	var ks []int
	for _, k := range []int{max(1, n/100), max(2, n/30), max(3, n/7), max(4, n/2)} {
		if k < n && !slices.Contains(ks, k) {
			ks = append(ks, k)
		}
	}
	return ks
}

func handOff(t testing.TB, s Stage, capture []Packet, k int) (r Result) {
	t.Helper()
	p := s.Build(t)
	replica := newReplica()
	for at := 0; ; at += k {
		end := min(at+k, len(capture))
		r.feed(p, capture[at:end], at, 16, func(came []Packet) { replica.apply(t, p.AppendChanges(nil), came) })
		r.Panics += p.Panics()
		if end == len(capture) {
			break
		}
		r.addReports(p, p.Shares())
		p = s.Build(t)
		if err := p.ApplyDelta(replica.bytes()); err != nil {
			t.Fatalf("import before packet %d: %v", end+1, err)
		}
	}
	r.addReports(p, nil)
	return r
}

// addReports adds the reports of an instance that ends; those of functions with shared state are left out, their successor has them.
func (r *Result) addReports(p *nf.Pipeline, skip []bool) {
	for i, rep := range p.Reports() {
		if i == len(r.Reports) {
			empty := nf.Report{Chain: rep.Chain, Stage: rep.Stage, NF: rep.NF, Counters: map[string]int64{}}
			for _, rule := range rep.Rules {
				rule.Packets, rule.Bytes = 0, 0
				empty.Rules = append(empty.Rules, rule)
			}
			r.Reports = append(r.Reports, empty)
		}
		if skip != nil && skip[i] {
			continue
		}
		for name, v := range rep.Counters {
			r.Reports[i].Counters[name] += v
		}
		for j, rule := range rep.Rules {
			r.Reports[i].Rules[j].Packets += rule.Packets
			r.Reports[i].Rules[j].Bytes += rule.Bytes
		}
	}
}

// difference returns where got differs from want, and nothing if it does not.
func difference(got, want *Result, except []string) string {
	if got.Panics > 0 {
		return fmt.Sprintf("%d panics", got.Panics)
	}
	for _, r := range []*Result{got, want} {
		for i := range r.Reports {
			for name, v := range r.Reports[i].Counters {
				if v == 0 || slices.Contains(except, name) {
					delete(r.Reports[i].Counters, name) // a counter that one instance never needed is 0
				}
			}
		}
	}
	return diff(want.Text(), got.Text())
}

// replica is the gateway's copy of a stage's state, kept from deltas alone.
type replica struct {
	flows  map[[6]uint64]map[uint8][]byte // entry of each function
	order  [][6]uint64
	shared []byte
}

func newReplica() *replica { return &replica{flows: map[[6]uint64]map[uint8][]byte{}} }

func (r *replica) apply(t testing.TB, delta []byte, came []Packet) {
	t.Helper()
	rd := state.Read(delta)
	var e state.Entry
	for at := 0; rd.Next(&e); at = rd.Offset() {
		raw := delta[at:rd.Offset()]
		switch e.Kind {
		case state.Shared:
			r.shared = append(r.shared, raw...)
		case state.Gone:
			delete(r.flows, e.Key)
		case state.Flow:
			if r.flows[e.Key] == nil {
				r.flows[e.Key] = map[uint8][]byte{}
				r.order = append(r.order, e.Key)
			}
			r.flows[e.Key][e.NF] = raw
		case state.Change:
			var last state.Entry
			rd := state.Read(r.flows[e.Key][e.NF])
			rd.Next(&last)
			next, ok := state.Patch(nil, last.Data, e.Data, func(i int) []byte { return came[i].Data })
			if !ok {
				t.Fatalf("a patch of %d bytes does not fit the %d bytes of state that were sent before", len(e.Data), len(last.Data))
			}
			e.Kind, e.Data = state.Flow, next
			r.flows[e.Key][e.NF] = state.Append(nil, &e)
		}
	}
	if rd.Err() != nil {
		t.Fatal(rd.Err())
	}
}

func (r *replica) bytes() (all []byte) {
	seen := map[[6]uint64]bool{}
	for _, key := range r.order {
		if seen[key] {
			continue
		}
		seen[key] = true
		for n := range 256 {
			all = append(all, r.flows[key][uint8(n)]...)
		}
	}
	return append(all, r.shared...)
}

// diff shows the lines that differ, the first few.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var s strings.Builder
	shown := 0
	for i := 0; i < max(len(w), len(g)) && shown < 8; i++ {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			fmt.Fprintf(&s, "line %d\n- %.300s\n+ %.300s\n", i+1, a, b)
			shown++
		}
	}
	return s.String()
}
