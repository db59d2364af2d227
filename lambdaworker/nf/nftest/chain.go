package nftest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Chain is a chain under test: packets from inside go through its stages in order, packets from outside in reverse.
type Chain []Stage

// Step is one packet of a conversation: made when its turn has come, since what answers a translated packet has to be addressed to what it was
// translated to. left are the packets that left the chain so far, nil for those that did not.
type Step func(left [][]byte) Packet

// Steps makes steps of packets that depend on nothing.
func Steps(ps ...P) []Step {
	var steps []Step
	for _, p := range ps {
		steps = append(steps, func([][]byte) Packet { return p.Packet() })
	}
	return steps
}

// Talk leads a conversation through the chain and returns what left it, how each packet fared, and the events. Before every handOff-th packet
// each stage is taken over by a fresh instance that has the replica's state alone; 0 is never.
func (c Chain) Talk(t testing.TB, steps []Step, handOff int) (left [][]byte, r Result) {
	t.Helper()
	stages := make([]*nf.Pipeline, len(c))
	replicas := make([]*replica, len(c))
	for i, s := range c {
		stages[i], replicas[i] = s.Build(t), newReplica()
	}
	for at, step := range steps {
		if handOff > 0 && at%handOff == 0 {
			for i, s := range c {
				stages[i] = s.Build(t)
				if err := stages[i].ApplyDelta(replicas[i].bytes()); err != nil {
					t.Fatalf("import into stage %d before packet %d: %v", i, at+1, err)
				}
			}
		}
		k := step(left)
		o := Outcome{}
		for n := range stages {
			i := n
			if k.From == nf.Outside {
				i = len(stages) - 1 - n
			}
			var one Result
			one.feed(stages[i], []Packet{k}, at, 1, func(came []Packet) { replicas[i].apply(t, stages[i].AppendChanges(nil), came) })
			r.Events, r.Lost = append(r.Events, one.Events...), r.Lost+one.Lost
			o.Verdict, o.Injected = one.Packets[0].Verdict, append(o.Injected, one.Packets[0].Injected...)
			if o.Verdict != nf.Pass {
				break
			}
			if one.Packets[0].Changed != nf.Nothing {
				k.Data, o.Changed = one.Packets[0].Data, one.Packets[0].Changed
			}
		}
		o.Data = k.Data
		if o.Verdict != nf.Pass {
			o.Data, o.Changed = nil, nf.Nothing
		}
		left = append(left, o.Data)
		r.Packets = append(r.Packets, o)
	}
	for _, p := range stages {
		r.Panics += p.Panics()
		if p.Panics() > 0 {
			t.Errorf("a function panicked: %s", panics(p))
		}
	}
	return left, r
}

// HandOff compares the conversation with hand-offs of all stages before every k-th packet, for several k, with the one without.
func (c Chain) HandOff(t *testing.T, steps []Step) (left [][]byte, r Result) {
	t.Helper()
	left, r = c.Talk(t, steps, 0)
	for _, k := range append([]int{1, 2, 3}, cuts(len(steps))...) {
		if _, got := c.Talk(t, steps, k); got.Text() != r.Text() {
			t.Errorf("with a hand-off before every packet that %d divides (+) it is not what one instance of each stage gave (-):\n%s", k, diff(r.Text(), got.Text()))
		}
	}
	return left, r
}

// Splits returns the chains in which functions stand in that order: in one stage, and in one stage each.
func Splits(functions []string, files map[string]string) map[string]Chain {
	together := Stage{NFs: functions, Files: files}
	var apart Chain
	for _, f := range functions {
		apart = append(apart, Stage{NFs: []string{f}, Files: files})
	}
	name := fmt.Sprint(slices.Collect(names(functions)))
	return map[string]Chain{name + " in one stage": {together}, name + " in stages": apart}
}

func names(functions []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, f := range functions {
			for i, c := range f {
				if c == ':' {
					f = f[:i]
					break
				}
			}
			if !yield(f) {
				return
			}
		}
	}
}
