package nftest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Stage is the stage under test.
type Stage struct {
	NFs   []string          // a name, or a name, a colon and its options as YAML: "firewall: {rules: edge.nft}"
	Files map[string]string // what the options name
	Flows int               // size of the flow table; 0 means 1024
	Idle  time.Duration     // 0 means 5 minutes
	Seed  uint64
}

// Build makes an instance of the stage. The functions' packages have to be imported by the test.
func (s Stage) Build(t testing.TB) *nf.Pipeline {
	t.Helper()
	p, err := s.TryBuild()
	if err != nil {
		t.Fatalf("the stage %v is refused:\n%v", s.NFs, err)
	}
	return p
}

// TryBuild is Build for configurations that should be refused.
func (s Stage) TryBuild() (*nf.Pipeline, error) {
	b := nf.Bundle{Chain: "test", Seed: s.Seed, Flows: s.Flows, Idle: int64(s.Idle), Files: map[string][]byte{}}
	if b.Flows == 0 {
		b.Flows = 1024
	}
	for name, text := range s.Files {
		b.Files[name] = []byte(text)
	}
	for i, text := range s.NFs {
		name, options, _ := strings.Cut(text, ":")
		options = strings.TrimPrefix(options, " ")
		b.NFs = append(b.NFs, nf.BundleNF{Name: name, Options: options, File: "granule.yaml", Line: i + 1, Column: len(name) + 3})
	}
	return nf.Build(b)
}

// Outcome is what became of one packet.
type Outcome struct {
	Verdict  nf.Verdict
	Changed  nf.Extent
	Data     []byte // as it leaves, if it was changed
	Injected []Injected
}

// Injected is a frame that a function made because of a packet.
type Injected struct {
	To   nf.Side
	Data []byte
}

// Result is what a run gave.
type Result struct {
	Packets []Outcome
	Events  []string // EVE lines
	Lost    uint64   // events lost
	Reports []nf.Report
	Panics  uint64
}

// Run shows a capture to p in batches of at most batch packets, and returns what came of it. The capture is not changed.
func Run(p *nf.Pipeline, capture []Packet, batch int) Result {
	var r Result
	r.feed(p, capture, 0, batch, nil)
	r.Reports, r.Panics = p.Reports(), p.Panics()
	return r
}

// feed runs capture, whose first packet has the number first+1, and calls after, if not nil, after each batch with its
// packets as they came.
func (r *Result) feed(p *nf.Pipeline, capture []Packet, first, batch int, after func(came []Packet)) {
	b := p.Start()
	at := 0
	flush := func() {
		if len(b.Packets) == 0 {
			return
		}
		b = p.Run()
		r.take(b)
		if after != nil {
			after(capture[at : at+len(b.Packets)])
			at += len(b.Packets)
		}
		b = p.Start()
	}
	for i, k := range capture {
		if len(b.Packets) == batch || !p.Room(k.Time) {
			flush()
		}
		p.Add(append([]byte(nil), k.Data...), k.Wire, k.From, k.Time, uint64(first+i+1))
	}
	flush()
}

func (r *Result) take(b *nf.Batch) {
	base := len(r.Packets)
	for i := range b.Packets {
		o := Outcome{Verdict: b.Verdicts[i], Changed: b.Changed[i]}
		if o.Verdict != nf.Pass {
			o.Changed = nf.Nothing // nobody will see it
		}
		if o.Changed != nf.Nothing {
			o.Data = append([]byte(nil), b.Packets[i].Data...)
		}
		r.Packets = append(r.Packets, o)
	}
	for _, x := range b.Injected {
		o := &r.Packets[base+int(x.Cause)]
		o.Injected = append(o.Injected, Injected{x.To, append([]byte(nil), x.Frame...)})
	}
	lines, lost := b.Events.Take()
	r.Lost += lost
	for _, line := range strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n") {
		if line != "" {
			r.Events = append(r.Events, line)
		}
	}
}

// Verdicts returns the verdicts in a line, for comparison in tables: the names of drops, "pass" for the rest.
func (r *Result) Verdicts() string {
	var names []string
	for _, o := range r.Packets {
		names = append(names, o.Verdict.String())
	}
	return strings.Join(names, " ")
}

// Count returns a counter of the function at that place in the stage.
func (r *Result) Count(nf int, name string) int64 { return r.Reports[nf].Counters[name] }

// Text returns the outcome as text, a line for each packet, event and counter: what Golden keeps.
func (r *Result) Text() string {
	var s strings.Builder
	for i, o := range r.Packets {
		fmt.Fprintf(&s, "%d %s", i+1, o.Verdict)
		if o.Changed != nf.Nothing {
			fmt.Fprintf(&s, " %x", o.Data)
		}
		for _, x := range o.Injected {
			fmt.Fprintf(&s, "\n  to %d: %x", x.To, x.Data)
		}
		s.WriteByte('\n')
	}
	for _, e := range r.Events {
		s.WriteString(e + "\n")
	}
	for _, rep := range r.Reports {
		for _, name := range sorted(rep.Counters) {
			fmt.Fprintf(&s, "%s.%s %d\n", rep.NF, name, rep.Counters[name])
		}
		for _, rule := range rep.Rules {
			fmt.Fprintf(&s, "%s %s:%d packets %d bytes %d\n", rep.NF, rule.File, rule.Line, rule.Packets, rule.Bytes)
		}
	}
	return s.String()
}
