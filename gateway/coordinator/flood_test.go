package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// However many events come while the coordinator is busy, none is lost: a Lost that was dropped would leave a seat with a
// worker that no shard has.
func TestNoEventIsLostInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			w.c.mu.Lock() // the coordinator gets as far as telling its status
			for range 5000 {
				w.c.Draining(99)
			}
			w.c.Lost(1, false, "eof")
			w.c.mu.Unlock()
			time.Sleep(time.Second)
			if seats := w.seats(); seats[1] != 0 {
				t.Errorf("worker 1 was lost and still has sub-flows: %v", seats)
			}
		})
	})
}

// Invocations return after Run, whatever else was told meanwhile, and Wait waits for them alone.
func TestWaitAfterAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { w.c.Run(ctx); close(done) }()
		<-w.c.Ready()
		time.Sleep(time.Second)
		cancel()
		<-done
		for range 5000 {
			w.c.Draining(99)
		}
		w.Disconnect(1, "")
		w.Disconnect(2, "")
		w.c.Wait()
	})
}

// An invocation that nothing else ends, because it runs elsewhere, is given up by Abandon.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		c, err := New(w.c.cfg, func(ctx context.Context, _ uint32, _ int) error { <-ctx.Done(); return ctx.Err() }, w, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		time.Sleep(time.Second)
		cancel()
		<-done
		c.Abandon()
		c.Wait()
	})
}

// Workers that join and die at once are started further and further apart: each start costs money.
func TestCrashLoopBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.idle = true
		w.run(func() {
			for range 6000 {
				time.Sleep(10 * time.Millisecond)
				for id := range w.seats() {
					if id != 0 {
						w.die(id)
					}
				}
			}
			if _, n, _ := w.c.Status(); n.Invoked > 40 {
				t.Errorf("%d starts in a minute of workers that crash at their first packet; expected a few, further and further apart", n.Invoked)
			}
		})
	})
}

// One throttled round of many starts is one failure, not as many as there are workers.
func TestARoundOfFailuresIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats = 8 })
		w.refuse = errors.Join(ErrThrottled)
		w.run(func() {
			time.Sleep(50 * time.Millisecond)
			w.mu.Lock()
			w.refuse = nil
			w.mu.Unlock()
			time.Sleep(time.Second)
			select {
			case <-w.c.Ready():
			default:
				t.Error("not ready a second after one throttled round")
			}
		})
	})
}

// Before the first worker is there, and before Run, the gateway is not ready and says why.
func TestNotReadyBeforeRun(t *testing.T) {
	w := newCloud(t, nil)
	if _, _, reasons := w.c.Status(); len(reasons) != 1 {
		t.Errorf("reasons before Run: %q; expected that the seat is empty", reasons)
	}
}

// A connection that joins after its worker was given up is ended, or the worker would stay for its lifetime.
func TestJoinedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Conns, c.Standby = 2, 0 })
		w.mute = true
		w.run(func() {
			time.Sleep(time.Second)
			w.c.Joined(1)
			w.c.Lost(1, false, "eof")
			time.Sleep(time.Millisecond)
			w.mu.Lock()
			w.ended[1] = false
			w.mu.Unlock()
			w.c.Joined(1)
			time.Sleep(time.Millisecond)
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.ended[1] {
				t.Error("the second connection of a worker that is gone stays")
			}
		})
	})
}

// A worker that drains is told to leave when another has its seat, also by shards that never adopted its placement.
func TestDrainedWorkerIsDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			var old uint32
			for id := range w.seats() {
				old = id
			}
			w.c.Draining(old)
			time.Sleep(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.ended[old] {
				t.Errorf("worker %d has lost its seat and keeps its connections", old)
			}
		})
	})
}

// A fault that only an operator can mend is no reason to be called not ready while every seat has a worker.
func TestFatalIsDegradedWhileSeatsAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			w.mu.Lock()
			w.refuse = ErrFatal
			w.mu.Unlock()
			w.die(1)
			time.Sleep(20 * time.Second)
			if _, _, reasons := w.c.Status(); len(reasons) != 0 {
				t.Errorf("every seat has a worker, but not ready because %q", reasons)
			}
			if why := w.c.Degraded(); len(why) != 2 {
				t.Errorf("degraded: %q; expected why no more are started, and the standby that is missing", why)
			}
		})
	})
}
