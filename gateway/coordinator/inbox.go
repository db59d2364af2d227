package coordinator

import "sync"

// inbox is what the coordinator has been told and has not looked at. Posting never waits for the coordinator and nothing is
// lost: it holds a few events for each worker, and an invocation may return after Run has.
type inbox struct {
	wake chan struct{}
	mu   sync.Mutex
	mail []func()
}

func newInbox() inbox { return inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) post(f func()) {
	b.mu.Lock()
	b.mail = append(b.mail, f)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns all that was posted, in order.
func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	mail := b.mail
	b.mail = nil
	return mail
}
