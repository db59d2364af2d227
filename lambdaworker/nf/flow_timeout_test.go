package nf_test

import (
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// keeper wants flows for as long as its options say.
type keeper struct {
	nothing
	idle time.Duration
	set  nf.Setup
}

func (k *keeper) FlowTimeout() time.Duration { return k.idle }

var lastKeeper *keeper

func init() {
	nf.Register(nf.Type{Name: "keeper", Doc: "for tests", New: func(s nf.Setup) (nf.NF, error) {
		var o struct {
			Idle string `yaml:"idle"`
		}
		if err := s.Options.Decode(&o); err != nil {
			return nil, err
		}
		d, err := time.ParseDuration(o.Idle)
		lastKeeper = &keeper{idle: d, set: s}
		return lastKeeper, err
	}})
}

// The stage keeps flows for as long as the function with the longest timeout asks, never for less than the default, and for as long as the
// bundle says if it does.
func TestLongestFlowTimeoutIsTheStages(t *testing.T) {
	for _, tt := range []struct {
		functions []string
		bundle    time.Duration
		want      time.Duration
	}{
		{[]string{"1s"}, 0, 5 * time.Minute},
		{[]string{"2h"}, 0, 2 * time.Hour},
		{[]string{"2h", "3h", "1h"}, 0, 3 * time.Hour},
		{[]string{"2h"}, time.Minute, time.Minute},
	} {
		b := nf.Bundle{Chain: "edge", Flows: 16, Idle: int64(tt.bundle)}
		for i, idle := range tt.functions {
			b.NFs = append(b.NFs, nf.BundleNF{Name: "keeper", Options: "{idle: " + idle + "}", File: "g", Line: i + 1, Column: 1})
		}
		if _, err := nf.Build(b); err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(lastKeeper.set.Flows.Idle()); got != tt.want {
			t.Errorf("%v, bundle %v: flows are kept for %v, want %v", tt.functions, tt.bundle, got, tt.want)
		}
	}
}

// What becomes of a batch in which a function fails is the bundle's to say.
func TestBundleSaysWhatFailureMeans(t *testing.T) {
	for fails, want := range map[nf.Failure]nf.Verdict{nf.FailClosed: nf.DropPanic, nf.FailOpen: nf.Pass} {
		p, err := nf.Build(nf.Bundle{Chain: "edge", Flows: 16, Fails: fails, NFs: []nf.BundleNF{{Name: "keeper", Options: "{idle: 1s}", File: "g", Line: 1, Column: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		if p.OnPanic != want {
			t.Errorf("policy %v: OnPanic is %v, want %v", fails, p.OnPanic, want)
		}
	}
}
