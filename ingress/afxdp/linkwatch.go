package afxdp

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress/nic"
)

// linkWatch keeps how either interface stands; whether it is up, for ports to read without a system call. The kernel announces changes; what
// an announcement says is not believed, the state is asked for, so that one lost in a burst does no harm. Drivers announce no change of queues: those are
// asked for twice a second.
type linkWatch struct {
	news    *nl.NetlinkSocket
	ask     *netlink.Handle
	control int // socket for ioctl
	index   [2]int
	opened  [2]LinkState // as it was at the start
	up      [2]atomic.Bool
	changes [2]atomic.Uint64
	closing atomic.Bool
	done    sync.WaitGroup
	stop    chan struct{}

	mu      sync.Mutex
	states  [2]LinkState
	changed chan struct{} // closed and made anew at each change
}

// lookEvery is how often the interfaces are looked at where nothing is announced.
const lookEvery = 500 * time.Millisecond

// watchLinks watches in the calling thread's network namespace.
func watchLinks(nics [2]nic.Facts) (_ *linkWatch, err error) {
	w := &linkWatch{index: [2]int{nics[0].Index, nics[1].Index}, stop: make(chan struct{}), changed: make(chan struct{})}
	if w.ask, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	if w.news, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); err != nil {
		w.ask.Close()
		return nil, fmt.Errorf("subscribe to the links' state: %w", err)
	}
	if w.control, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		w.news.Close()
		w.ask.Close()
		return nil, fmt.Errorf("open a socket to ask the drivers: %w", err)
	}
	for s := range w.index { // what changes from here on is announced
		w.opened[s] = LinkState{Name: nics[s].Name, MTU: nics[s].MTU, Queues: nics[s].RXQueues}
		w.states[s] = w.opened[s]
		w.states[s] = w.look(s)
		w.up[s].Store(w.states[s].Up)
	}
	w.done.Go(w.listen)
	w.done.Go(w.poll)
	return w, nil
}

// listen looks whenever the kernel announces something.
func (w *linkWatch) listen() {
	for {
		_, _, _ = w.news.Receive() // an error means that announcements were lost: ask all the same
		if w.closing.Load() {
			return
		}
		w.update()
	}
}

// poll looks now and then.
func (w *linkWatch) poll() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.update()
		case <-w.stop:
			return
		}
	}
}

func (w *linkWatch) update() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.index {
		now := w.look(s)
		if now == w.states[s] {
			continue
		}
		w.states[s] = now
		w.up[s].Store(now.Up)
		w.changes[s].Add(1)
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// now returns both states, and a channel that is closed when either changes.
func (w *linkWatch) now() (states [2]LinkState, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.states, w.changed
}

func (w *linkWatch) close() {
	w.closing.Store(true)
	close(w.stop)
	w.news.Close()
	w.done.Wait()
	w.ask.Close()
	unix.Close(w.control)
}
