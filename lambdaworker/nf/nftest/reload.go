package nftest

import (
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Reload runs half of the capture through a function, lets a fresh instance with the same options adopt the old one, as a reload does, and
// runs the rest. Packets and counters named must be those of one instance that saw it all.
func Reload(t *testing.T, name, options string, capture []Packet, counters ...string) {
	t.Helper()
	kind, ok := nf.Lookup(name)
	if !ok {
		t.Fatalf("no function is named %s", name)
	}
	build := func(flows *state.Table) nf.NF {
		n, err := kind.New(nf.Setup{Options: yamlOptions(options), Flows: flows, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run := func(n nf.NF, flows *state.Table, part []Packet) Result {
		return Run(nf.NewPipeline([]nf.NF{n}, flows, 1<<16), part, 16)
	}
	flows := state.NewTable(1024, 300e9, 1)
	want := run(build(flows), flows, capture)
	flows = state.NewTable(1024, 300e9, 1)
	old, half := build(flows), len(capture)/2
	first := run(old, flows, capture[:half])
	fresh := build(flows)
	if err := fresh.(nf.Adopter).Adopt(old); err != nil {
		t.Fatal(err)
	}
	got := run(fresh, flows, capture[half:])
	got.Packets = append(first.Packets, got.Packets...)
	for _, c := range counters {
		if a, b := want.Count(0, c), got.Count(0, c); a != b {
			t.Errorf("after a reload %s is %d, want %d", c, b, a)
		}
	}
	got.Events, want.Events, got.Reports, want.Reports = nil, nil, nil, nil
	if d := diff(want.Text(), got.Text()); d != "" {
		t.Errorf("with a reload (+) it is not what one instance gave (-):\n%s", d)
	}
}

// yamlOptions are options as they stand behind a function's name.
type yamlOptions string

// Decode is strict, as the real one.
func (o yamlOptions) Decode(v any) error {
	return yaml.UnmarshalWithOptions([]byte(o), v, yaml.Strict())
}

// Position knows none.
func (o yamlOptions) Position(string) (string, int, int) { return "granule.yaml", 0, 0 }
