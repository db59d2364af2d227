package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"

	"github.com/granule-nf/granule/gateway/settings"
)

// Serve is `granule run` from the first port opened to the last one closed: it puts a gateway together, runs it until ctx ends, reloads whenever something
// comes from hup (SIGHUP), and takes it apart. Errors are those of New, Run and Close, and one on a machine without AF_XDP rings.
func Serve(ctx context.Context, cfg settings.Gateway, hup <-chan os.Signal, log *slog.Logger) error {
	if _, file := settings.CapturePath(cfg.Ports.Inside); !file && runtime.GOARCH != "amd64" {
		return fmt.Errorf("the AF_XDP port needs amd64, and this is %s: the ring library has no memory barriers; capture files work", runtime.GOARCH)
	}
	notify, err := newNotifier(os.LookupEnv)
	if err != nil {
		log.Warn("the service manager hears nothing", "error", err)
	}
	a, err := New(cfg, log)
	if err != nil {
		return err
	}
	notifying, cancel := context.WithCancel(ctx)
	defer cancel()
	var notified sync.WaitGroup
	notified.Go(func() { notify.run(notifying, a.live, a.notice) })
	err = a.runReloading(ctx, hup, notify)
	cancel()
	notified.Wait()
	s := a.Status()
	log.Info("stopped", "received", s.Ledger.Received, "injected", s.Ledger.Injected, "forwarded", s.Ledger.Forwarded,
		"bypassed", s.Ledger.Bypassed, "dropped", s.Ledger.Dropped, "in_flight", s.Ledger.InFlight)
	return errors.Join(err, a.Close())
}

// runReloading runs the appliance, and reloads whenever something comes from hup. A reload that is not over when the next one is asked for is given up for it.
func (a *Appliance) runReloading(ctx context.Context, hup <-chan os.Signal, notify notifier) error {
	ctx, cancel := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		var current sync.WaitGroup
		giveUp := func() {}
		for {
			select {
			case <-hup:
				giveUp()
				current.Wait()
				var c context.Context
				c, giveUp = context.WithCancel(ctx)
				current.Go(func() {
					defer notify.reloading()()
					a.Reload(c)
				})
			case <-ctx.Done():
				giveUp()
				current.Wait()
				return
			}
		}
	})
	err := a.Run(ctx)
	cancel()
	reloading.Wait() // nothing is reopened while things are closed
	return err
}

// Run moves packets until ctx ends or, on capture files, until every packet has come and gone. The error is that of a capture file that ended early.
func (a *Appliance) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if a.admin != nil {
		go func() {
			if err := a.admin.Serve(); err != nil {
				a.log.Error("admin address", "error", err)
			}
		}()
	}
	coordDone := make(chan struct{})
	go func() { defer close(coordDone); a.coord.Run(ctx) }()
	done := make(chan struct{})
	for _, s := range a.shards {
		a.running.Go(s.Run)
	}
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-a.coord.Ready():
		a.log.Info("ready", "stages", len(a.cfg.Plan.Stages), "shards", len(a.shards))
	case <-done:
	case <-ctx.Done():
	}
	var reopen bool
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if reopen = a.watchLinks(ctx); reopen {
			cancel()
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		a.log.Info("stopping")
		for _, s := range a.shards {
			s.Stop(a.cfg.Dataplane.MaxDelay)
		}
		<-done
	}
	cancel()
	<-coordDone
	if <-watched; reopen {
		a.wire.afxdp.LeaveRelay() // what follows is not a stop: until it is there, the policy for a dead process holds
		return ErrReopen
	}
	return a.wire.err()
}
