package nf

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"
)

// fault is what is known of a function's panics.
type fault struct {
	count uint64
	first string // value and stack of the first one: later ones are often its consequences
	last  any
}

// process shows the batch to f and reports whether f came back. A function that panics must not end the worker: the
// other flows of the worker would pay for one packet.
func (p *Pipeline) process(f NF, b *Batch) (whole bool) {
	defer func() {
		if !whole {
			p.faults[b.nf].note(recover())
		}
	}()
	f.Process(b)
	return true
}

func (f *fault) note(value any) {
	f.count++
	f.last = value
	if f.first == "" {
		f.first = fmt.Sprintf("%v\n%s", value, debug.Stack())
	}
}

func (f *fault) report(r *Report) {
	if f.count > 0 {
		r.Counters["panics"] = int64(f.count)
		r.Panic = f.first
	}
}

// panicked decides what function i left undecided when it panicked, and says so in an event. The function is used again for the next batch.
func (p *Pipeline) panicked(i int, b *Batch) {
	if p.OnPanic != Pass {
		for _, x := range b.Live {
			b.Drop(x, p.OnPanic)
		}
	}
	// This is the one event that package nf raises itself. It happens about never, so it may allocate.
	line, err := json.Marshal(struct {
		Timestamp string         `json:"timestamp"`
		Type      string         `json:"event_type"`
		Anomaly   map[string]any `json:"anomaly"`
	}{
		time.Unix(0, b.Now).UTC().Format("2006-01-02T15:04:05.000000-0700"), "anomaly",
		map[string]any{"type": "nf", "event": "nf_panic", "nf": p.name(i), "packets": len(b.Live), "panic": fmt.Sprint(p.faults[i].last)},
	})
	if err == nil {
		b.Events.Commit(line)
	}
}

// FailsClosed reports whether packets that a function can't judge are dropped: on-function-failure of the chain.
func (b *Batch) FailsClosed() bool { return b.pipeline != nil && b.pipeline.OnPanic != Pass }

// name is the function's name in the configuration, or its type where there is none.
func (p *Pipeline) name(i int) string {
	if i < len(p.labels) {
		return p.labels[i].NF
	}
	return fmt.Sprintf("%T", p.nfs[i])
}

// Panics returns how often functions of the stage panicked.
func (p *Pipeline) Panics() (n uint64) {
	for i := range p.faults {
		n += p.faults[i].count
	}
	return n
}
