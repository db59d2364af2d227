package replica

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

func openFile(t *testing.T, path string, id Identity) (*Replica, Recovered) {
	t.Helper()
	r, found, err := Open(Config{Bytes: MinBytes, Seed: 3, Path: path, Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, found
}

// everything that is known, by key and function, and all shared state in order.
func everything(t *testing.T, r *Replica) (flows map[id]string, shared []string) {
	t.Helper()
	flows = map[id]string{}
	for sub := range uint16(8) {
		known, s := exported(t, r, sub, 0, 99)
		for k, v := range known {
			flows[k] = string(v)
		}
		shared = append(shared, s...)
	}
	return flows, shared
}

// A process is killed in the middle of a write: of what the last delta changes in the file, any part may be there and any part not. The next
// process has every entry that was whole before, and of the last one what it was or what it was to be, never anything else.
func TestTornWritesAreFoundEntryByEntry(t *testing.T) {
	dir := t.TempDir()
	whose := Identity{Stage: "edge/0", Functions: "a, b, c", Seed: 7, Shards: 1}
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		path := filepath.Join(dir, fmt.Sprint(seed))
		r, _ := openFile(t, path, whose)
		model, shared := map[id]string{}, []string(nil)
		torn := 0
		for n := range 400 {
			before := bytes.Clone(r.file.data)
			old := maps.Clone(model)
			was := shared
			e := state.Entry{Kind: state.Flow, NF: uint8(rng.IntN(3)), Key: [6]uint64{rng.Uint64N(60), 7}}
			e.Sub = uint16(e.Key[0] % 8)
			switch rng.IntN(12) {
			case 0:
				e.Kind, e.NF = state.Gone, 0
				for nf := range uint8(3) {
					delete(model, id{e.Key, nf})
				}
			case 1:
				e = state.Entry{Kind: state.Shared, NF: uint8(rng.IntN(3)), Data: fmt.Appendf(nil, "delta %d", n)}
				shared = append(shared[:len(shared):len(shared)], string(e.Data))
			default:
				e.Data = make([]byte, 1+rng.IntN(200))
				for i := range e.Data {
					e.Data[i] = byte(rng.Uint32())
				}
				model[id{e.Key, e.NF}] = string(e.Data)
			}
			r.Apply(1, state.Append(nil, &e), all, nil)
			if r.Stats().Evicted > 0 {
				t.Fatal("the model knows no eviction")
			}
			if n%8 != 0 {
				continue
			}
			// Up to a random place the new bytes, from there the old ones; or the other way round; or any of both.
			cut := filepath.Join(dir, "cut")
			text, at, how := bytes.Clone(before), rng.IntN(len(before)), rng.IntN(3)
			var changed []int
			for i := range text {
				if text[i] != r.file.data[i] {
					changed = append(changed, i)
				}
			}
			if len(changed) > 0 {
				at = changed[rng.IntN(len(changed))]
			}
			for _, i := range changed {
				if how == 0 && i < at || how == 1 && i >= at || how == 2 && rng.IntN(2) == 0 {
					text[i] = r.file.data[i]
				}
			}
			if err := os.WriteFile(cut, text, 0o600); err != nil {
				t.Fatal(err)
			}
			again, found := openFile(t, cut, whose)
			torn += found.Torn
			if !found.Found || found.Refused != "" || found.Torn > 3 {
				t.Fatalf("%+v", found)
			}
			flows, deltas := everything(t, again)
			for k, v := range flows {
				if v != old[k] && v != model[k] {
					t.Fatalf("seed %d, delta %d: %v is %x; it was %x, and was to be %x", seed, n, k, v, old[k], model[k])
				}
			}
			for k, v := range old {
				if _, ok := flows[k]; !ok && k.key != e.Key {
					t.Fatalf("seed %d, delta %d: %v is lost, which the last delta does not speak of: %x", seed, n, k, v)
				}
			}
			if got := strings.Join(deltas, "|"); got != strings.Join(was, "|") && got != strings.Join(shared, "|") {
				t.Fatalf("seed %d, delta %d: shared state %s; it was %s", seed, n, got, strings.Join(was, "|"))
			}
		}
		if torn == 0 {
			t.Error("no entry was torn: the test cuts nothing")
		}
	}
}

// State outlives the process that was told it, and counts as restored until it is told again; another configuration's is refused by name.
func TestStateOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.0.0")
	whose := Identity{Stage: "edge/0", Functions: "counter, firewall", Seed: 7, Shards: 2}
	r, found := openFile(t, path, whose)
	if found.Found {
		t.Fatalf("%+v", found)
	}
	entry := func(n uint64, text string) []byte {
		return state.Append(nil, &state.Entry{Kind: state.Flow, NF: 1, Sub: uint16(n % 8), Key: [6]uint64{n}, Data: []byte(text)})
	}
	for n := range uint64(20) {
		r.Apply(1, entry(n, fmt.Sprint("flow ", n)), all, nil)
	}
	r.Apply(1, state.Append(nil, &state.Entry{Kind: state.Shared, NF: 0, Data: []byte("total")}), all, nil)
	again, found := openFile(t, path, whose) // the first one was killed
	flows, shared := everything(t, again)
	if found.Entries != 20 || found.Shared != 1 || found.Torn != 0 || len(flows) != 20 || flows[id{[6]uint64{4}, 1}] != "flow 4" || len(shared) != 1 {
		t.Fatalf("%+v: %d flows, shared %v", found, len(flows), shared)
	}
	if !again.Restored(4) || !again.Has(&[6]uint64{4}) || again.Has(&[6]uint64{40}) {
		t.Error("what stood in the file is not known as that")
	}
	for _, n := range []uint64{4, 12} {
		again.Apply(2, entry(n, "told again"), all, nil)
	}
	if again.Restored(4) || !again.Restored(5) {
		t.Error("sub-flow 4 was told again, 5 was not")
	}
	again.Keep("counter") // a reload took the firewall away
	for want, other := range map[string]Identity{
		"found the state of edge/0: counter; expected that of edge/0: counter, firewall": whose,
		"shard 0 of 2; expected that of 0 of 3":                                          {Stage: "edge/0", Functions: "counter", Seed: 7, Shards: 3},
		"another seed":                                                                   {Stage: "edge/0", Functions: "counter", Seed: 8, Shards: 2},
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, found := openFile(t, copied, other); !strings.Contains(found.Refused, want) || found.Entries != 0 {
			t.Errorf("%+v; expected it refused: %s", found, want)
		}
	}
	if _, found := openFile(t, path, Identity{Stage: "edge/0", Functions: "counter", Seed: 7, Shards: 2}); found.Entries != 0 || found.Shared != 1 || found.Refused != "" {
		t.Errorf("%+v; expected nothing left of the function that was taken away", found)
	}
	for _, text := range []string{"", "short", strings.Repeat("x", headerSize), fileMagic + strings.Repeat("\x00", headerSize)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, found := openFile(t, path, whose); found.Refused == "" {
			t.Errorf("%.20q: %+v; expected it refused", text, found)
		}
	}
}
