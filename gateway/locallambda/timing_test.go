package locallambda

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLifetime: 15 minutes pass in no time.
func TestLifetime(t *testing.T) {
	for _, c := range []struct {
		name      string
		ignore    bool
		extension bool
		want      time.Duration
		history   string
	}{
		{"ends on SIGTERM", false, false, 900 * time.Second, "900:TERM"},
		{"ignores SIGTERM", true, false, 900*time.Second + 300*time.Millisecond, "900:TERM 900:CONT 900.3:KILL"},
		{"ignores SIGTERM with an extension", true, true, 900*time.Second + 500*time.Millisecond, "900:TERM 900:CONT 900.5:KILL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startFake(t, nil, func(p *fakeProcess) {
					p.ignoreTERM = c.ignore
					if c.extension && p.post("/2020-01-01/extension/register", `{"events":[]}`) != 200 {
						t.Error("extension refused")
					}
					_, header := p.next()
					ms, err := strconv.ParseInt(header.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
					if want := time.Now().Add(900 * time.Second).UnixMilli(); err != nil || ms != want {
						t.Errorf("deadline %d (%v), expected %d", ms, err, want)
					}
				})
				status, body, took := f.call()
				if status != 200 || errorType(t, body) != "Sandbox.Timedout" || took != c.want {
					t.Errorf("%d %s after %v, expected a timeout after %v", status, body, took, c.want)
				}
				if got := f.processes[0].history(); got != c.history {
					t.Errorf("signals %q, expected %q", got, c.history)
				}
				_ = f.Close()
			})
		})
	}
}

func TestResponseAfterTheDeadlineIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan int, 1)
		f := startFake(t, func(f *Function) { f.Timeout = time.Second }, func(p *fakeProcess) {
			p.ignoreTERM = true
			id, _ := p.next()
			p.sleep(1100 * time.Millisecond)
			late <- p.respond(id, `"too late"`)
		})
		_, body, _ := f.call()
		if errorType(t, body) != "Sandbox.Timedout" {
			t.Errorf("%s", body)
		}
		if status := <-late; status != 403 {
			t.Errorf("the late response got %d, expected 403", status)
		}
		_ = f.Close()
	})
}

func TestIdleEnvironmentsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(f *Function) { f.IdleTimeout = time.Minute }, func(p *fakeProcess) { p.loop(time.Second) })
		for range 3 { // use keeps it alive
			f.call()
			time.Sleep(59 * time.Second)
		}
		if n := f.started(); n != 1 || len(f.List()) != 1 {
			t.Errorf("%d processes were started, %d live; expected one", n, len(f.List()))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(f.List()) != 0 {
			t.Errorf("still there after a minute: %+v", f.List())
		}
		if got := f.processes[0].history(); !strings.HasPrefix(got, "181:TERM") {
			t.Errorf("signals %q, expected SIGTERM a minute after the last use ended (at 121 s)", got)
		}
		_ = f.Close()
	})
}

func TestColdStartDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(f *Function) { f.ColdStart = 250 * time.Millisecond }, func(p *fakeProcess) { p.loop(time.Second) })
		setFault(t, f.Service, Fault{Kind: FaultColdStart, Count: 1, For: 4 * time.Second})
		for i, want := range []time.Duration{5250 * time.Millisecond, time.Second} { // the second is warm
			if _, _, took := f.call(); took != want {
				t.Errorf("call %d took %v, expected %v", i, took, want)
			}
		}
		if err := f.Kill("1000000"); err != nil {
			t.Fatal(err)
		}
		if _, _, took := f.call(); took != 1250*time.Millisecond {
			t.Errorf("the fault's count is spent, yet a cold start took %v", took)
		}
		_ = f.Close()
	})
}

func TestInitTakesTenSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, nil, func(*fakeProcess) {})
		_, body, took := f.call()
		if errorType(t, body) != "Sandbox.Timedout" || took != InitTimeout {
			t.Errorf("%s after %v", body, took)
		}
		synctest.Wait()
		if len(f.List()) != 0 {
			t.Errorf("left: %+v", f.List())
		}
		_ = f.Close()
	})
}

// TestLingeringRuntime: the caller isn't kept waiting for a runtime that dawdles after its response, but the environment
// and its concurrency stay taken until it asks for more.
func TestLingeringRuntime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, func(f *Function) { f.ReservedConcurrency = 1 }, func(p *fakeProcess) {
			for {
				id, _ := p.next()
				if id == "" {
					return
				}
				p.respond(id, `"done"`)
				p.sleep(10 * time.Second)
			}
		})
		if status, body, took := f.call(); status != 200 || body != `"done"` || took != settleGrace {
			t.Errorf("%d %s after %v", status, body, took)
		}
		if status, _, _ := f.call(); status != 429 {
			t.Errorf("status %d while the runtime lingers, expected 429", status)
		}
		time.Sleep(10 * time.Second)
		if status, _, _ := f.call(); status != 200 || f.started() != 1 {
			t.Errorf("status %d, %d processes; expected the same environment to serve again", status, f.started())
		}
		_ = f.Close()
	})
}

// TestEventsWaitWhileThrottled: 1, 2, 4 s between attempts, until the event is too old.
func TestEventsWaitWhileThrottled(t *testing.T) {
	for _, c := range []struct {
		name      string
		throttles int
		maxAge    time.Duration
		carriedAt time.Duration // 0: never
	}{
		{"at once", 0, 0, 0},
		{"after three refusals", 3, 0, 7 * time.Second},
		{"too old", 3, 5 * time.Second, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carried := make(chan time.Duration, 1)
				begin := time.Now()
				f := startFake(t, func(f *Function) { f.EventMaxAge = c.maxAge }, func(p *fakeProcess) {
					id, _ := p.next()
					carried <- time.Since(begin)
					p.respond(id, `1`)
					p.next()
				})
				if c.throttles > 0 {
					setFault(t, f.Service, Fault{Kind: FaultThrottle, Count: c.throttles})
				}
				if status, body, took := f.call("X-Amz-Invocation-Type", "Event"); status != 202 || body != "" || took != 0 {
					t.Errorf("%d %q after %v, expected 202 at once even if throttled", status, body, took)
				}
				time.Sleep(time.Minute)
				got := time.Duration(-1)
				select {
				case got = <-carried:
				default:
				}
				if got != c.carriedAt {
					t.Errorf("carried after %v, expected %v", got, c.carriedAt)
				}
				_ = f.Close()
			})
		})
	}
}
