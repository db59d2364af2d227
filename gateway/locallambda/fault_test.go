package locallambda

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func setFault(t *testing.T, s *Service, f Fault) {
	t.Helper()
	if err := s.SetFault("f", f); err != nil {
		t.Fatal(err)
	}
}

// TestRefusalFaults: refused calls start nothing and are gone when their count is spent.
func TestRefusalFaults(t *testing.T) {
	s := startService(t, nil)
	setFault(t, s, Fault{Kind: FaultThrottle, Count: 2})
	setFault(t, s, Fault{Kind: FaultServiceError, Count: 1})
	client := s.Client()
	try := func() error {
		_, err := client.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")})
		return err
	}
	var throttled *types.TooManyRequestsException
	var broken *types.ServiceException
	for i := range 2 {
		if err := try(); !errors.As(err, &throttled) || throttled.Reason == "" || aws.ToString(throttled.RetryAfterSeconds) == "" {
			t.Errorf("call %d: %v, expected 429 with a reason", i, err)
		}
	}
	if active, err := s.Faults("f"); err != nil || len(active) != 1 || active[0].Kind != FaultServiceError {
		t.Errorf("faults left: %v %v", active, err)
	}
	if err := try(); !errors.As(err, &broken) {
		t.Errorf("%v, expected 500", err)
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d environments were started", n)
	}
	if err := try(); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// TestProcessFaults against real processes.
func TestProcessFaults(t *testing.T) {
	for _, c := range []struct {
		name, event string
		fault       Fault
		payload     string
		least       time.Duration
	}{
		{"kill", `{"Do":"wait"}`, Fault{Kind: FaultKill, After: 50 * time.Millisecond}, "signal: killed", 50 * time.Millisecond},
		{"crash", `{"Do":"wait"}`, Fault{Kind: FaultCrash, After: 50 * time.Millisecond}, "exit status 2", 50 * time.Millisecond},
		{"freeze", `{"Do":"sleep","MS":100}`, Fault{Kind: FaultFreeze, After: 20 * time.Millisecond, For: 400 * time.Millisecond}, `"Count":2`, 420 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startService(t, nil)
			call(t, s, `{}`)
			c.fault.Count = 1
			setFault(t, s, c.fault)
			begin := time.Now()
			out := invoke(t, s.Client(), c.event)
			if took := time.Since(begin); took < c.least || !strings.Contains(string(out.Payload), c.payload) {
				t.Errorf("%s after %v, expected %s after %v at least", out.Payload, took, c.payload, c.least)
			}
			call(t, s, `{}`)
		})
	}
}

func TestNoShowAnswersWithATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(f *Function) { f.ReservedConcurrency = 1 }, func(p *fakeProcess) { p.loop(0) })
		setFault(t, f.Service, Fault{Kind: FaultNoShow, Count: 1})
		var waiting sync.WaitGroup
		waiting.Go(func() {
			status, body, took := f.call()
			if status != 200 || errorType(t, body) != "Sandbox.Timedout" || took != 900*time.Second {
				t.Errorf("%d %s after %v", status, body, took)
			}
		})
		synctest.Wait()
		if status, _, _ := f.call(); status != 429 {
			t.Errorf("a no-show holds its concurrency: status %d, expected 429", status)
		}
		waiting.Wait()
		if n := f.started(); n != 0 {
			t.Errorf("%d processes were started", n)
		}
		if status, _, _ := f.call(); status != 200 {
			t.Errorf("afterwards: status %d", status)
		}
		_ = f.Close()
	})
}

func TestDuplicateRunsTwiceAndAnswersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ids []string
		f := startFake(t, nil, func(p *fakeProcess) {
			id, _ := p.next()
			mu.Lock()
			ids = append(ids, id)
			mu.Unlock()
			p.sleep(time.Second)
			p.respond(id, `1`)
			p.next()
		})
		setFault(t, f.Service, Fault{Kind: FaultDuplicate, Count: 1})
		if status, _, _ := f.call(); status != 200 {
			t.Errorf("status %d", status)
		}
		synctest.Wait()
		if len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("request ids %v, expected the same in two processes", ids)
		}
		_ = f.Close()
	})
}

// TestProbabilityRepeats: the same seed gives the same misfortunes, and about as many as asked for.
func TestProbabilityRepeats(t *testing.T) {
	draw := func(seed uint64, function string) (hits []bool) {
		fs := newFaults(seed, function)
		fs.set(Fault{Kind: FaultKill, Probability: 0.25})
		for range 1000 {
			hits = append(hits, fs.plan().kill != nil)
		}
		return hits
	}
	a := draw(1, "f")
	count := 0
	for _, hit := range a {
		if hit {
			count++
		}
	}
	if count < 200 || count > 300 {
		t.Errorf("%d of 1000 at a probability of 0.25", count)
	}
	if !slices.Equal(a, draw(1, "f")) {
		t.Error("the same seed gave other draws")
	}
	if slices.Equal(a, draw(2, "f")) || slices.Equal(a, draw(1, "g")) {
		t.Error("another seed or another function gave the same draws")
	}
}

func TestFaultsAreChecked(t *testing.T) {
	s := startService(t, nil)
	for _, c := range []struct {
		fault Fault
		want  string
	}{
		{Fault{Kind: faultKinds}, "unknown"},
		{Fault{Kind: FaultKill, Count: -1}, "count is -1"},
		{Fault{Kind: FaultKill, Probability: 1.5}, "probability is 1.5"},
		{Fault{Kind: FaultKill, After: -1}, "below 0"},
		{Fault{Kind: FaultFreeze}, "set For"},
		{Fault{Kind: FaultColdStart}, "set For"},
	} {
		if err := s.SetFault("f", c.fault); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("%+v: %v, expected %q", c.fault, err, c.want)
		}
	}
	if err := s.SetFault("g", Fault{Kind: FaultKill}); err == nil || !strings.Contains(err.Error(), `"g"`) {
		t.Errorf("unknown function: %v", err)
	}
	setFault(t, s, Fault{Kind: FaultKill})
	if err := s.ClearFaults("f"); err != nil {
		t.Error(err)
	}
	if active, err := s.Faults("f"); err != nil || len(active) != 0 {
		t.Errorf("%v %v", active, err)
	}
	for k := range FaultKind(faultKinds) {
		if k.String() == "" {
			t.Errorf("fault %d has no name", k)
		}
	}
}
