package afxdp

import (
	"fmt"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress/nic"
)

// linkWatch keeps whether either link is there, for ports to read without a system call. The kernel announces changes; what
// an announcement says is not believed, the state is asked for, so that one lost in a burst does no harm.
type linkWatch struct {
	news    *nl.NetlinkSocket
	ask     *netlink.Handle
	index   [2]int
	up      [2]atomic.Bool
	changes [2]atomic.Uint64
	closing atomic.Bool
	done    chan struct{}
}

// watchLinks watches in the calling thread's network namespace.
func watchLinks(nics [2]nic.Facts) (*linkWatch, error) {
	w := &linkWatch{index: [2]int{nics[0].Index, nics[1].Index}, done: make(chan struct{})}
	var err error
	if w.ask, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	if w.news, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); err != nil {
		w.ask.Close()
		return nil, fmt.Errorf("subscribe to the links' state: %w", err)
	}
	for s := range w.index { // what changes from here on is announced
		w.up[s].Store(w.state(s))
	}
	go w.run()
	return w, nil
}

func (w *linkWatch) run() {
	defer close(w.done)
	for {
		_, _, _ = w.news.Receive() // an error means that announcements were lost: ask all the same
		if w.closing.Load() {
			return
		}
		for s := range w.index {
			if up := w.state(s); up != w.up[s].Load() {
				w.up[s].Store(up)
				w.changes[s].Add(1)
			}
		}
	}
}

// state asks; an interface that is gone is down.
func (w *linkWatch) state(s int) bool {
	l, err := w.ask.LinkByIndex(w.index[s])
	const both = unix.IFF_UP | unix.IFF_LOWER_UP
	return err == nil && l.Attrs().RawFlags&both == both
}

func (w *linkWatch) close() {
	w.closing.Store(true)
	w.news.Close()
	<-w.done
	w.ask.Close()
}
