package appliance

import (
	"errors"
	"time"
)

// Close ends everything that New opened. The ports come last: until then their policy for a dead gateway holds. The error joins those of all parts.
func (a *Appliance) Close() error {
	var errs []error
	if a.coord != nil {
		// Workers whose connections have ended leave by themselves; only those that don't are ended with the service.
		gone := make(chan struct{})
		go func() { a.coord.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(time.Second):
		}
	}
	if a.workers != nil {
		errs = append(errs, a.workers.close())
	}
	if a.coord != nil {
		a.coord.Abandon() // what runs elsewhere ends by its own limit, which may be a quarter of an hour away
		a.coord.Wait()
	}
	for _, s := range a.shards {
		errs = append(errs, s.Close())
	}
	for _, r := range a.replicas {
		errs = append(errs, r.Close())
	}
	errs = append(errs, a.state.close())
	if a.wire != nil {
		errs = append(errs, a.wire.close())
	}
	if a.admin != nil {
		a.admin.Close()
	}
	if a.events != nil {
		errs = append(errs, a.events.Close())
	}
	return errors.Join(errs...)
}
