// Package traffic makes real traffic between two hosts of a topology, and says what became of it.
//
//	TCP     bytes over n flows, hashed at either end                      Run -> TCPResult
//	UDP     numbered, stamped datagrams at a rate                         Run -> UDPResult: lost, duplicated, reordered, latency
//	Echo    one datagram there and back at a time                         Run -> EchoResult: round trips
//	Flood   small frames as fast as the sender can, past its own stack    Run -> FloodResult: packets a second that arrive
//
// Both ends are in this process, so one clock stamps both and no result needs a second connection. Every run ends: after
// its count or duration, and whatever the network does at the latest with its timeout. No iperf3, no ping.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Host is where one end of the traffic lives. topo.Namespace is one; Here is another.
type Host interface {
	// Do runs fn where sockets that it opens belong to the host, and returns what fn returns.
	Do(fn func() error) error
}

// Here is the namespace of this process: traffic over loopback.
type Here struct{}

// Do implements Host.
func (Here) Do(fn func() error) error { return fn() }

// start is the zero of all stamps: monotonic, and the same for both ends.
var start = time.Now()

func stamp() int64 { return int64(time.Since(start)) }

// interrupt ends the calls of conn when ctx ends.
func interrupt(ctx context.Context, conn interface{ SetDeadline(time.Time) error }) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// open reports whether until is there and has not been closed.
func open(until <-chan struct{}) bool {
	select {
	case <-until:
		return false
	default:
		return until != nil
	}
}

// why makes of an error that a deadline caused one that says so.
func why(ctx context.Context, err error) error {
	var ne net.Error
	if cause := context.Cause(ctx); cause != nil && errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// errTimeout ends what takes too long.
var errTimeout = errors.New("not done in time")
