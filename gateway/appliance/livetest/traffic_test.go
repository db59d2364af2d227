package livetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// transfer is a TCP transfer and numbered UDP beside it, the other way.
type transfer struct {
	tcp    traffic.TCPResult
	udp    traffic.UDPResult
	tcpErr error
	udpErr error
}

// transfer sends bytes of TCP outwards and UDP inwards. With a fault, that comes when bytes have arrived, TCP goes on until
// more have arrived after it.
func (l *live) transfer(bytes int64, fault func()) (r transfer) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l.tcp = new(traffic.Meter)
	tcp := traffic.TCP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Window: l.window, Bytes: bytes, Timeout: 50 * time.Second, Meter: l.tcp}
	past := make(chan struct{})
	if fault != nil {
		tcp.Until = past
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		r.tcp, r.tcpErr = tcp.Run(ctx)
	})
	wg.Go(func() {
		udp := traffic.UDP{From: l.topo.Outside, To: l.topo.Inside, Address: topo.InsideIP, Flows: 8, Rate: 1000, Until: done, Linger: 3 * time.Second} // late by more than --max-delay is lost
		r.udp, r.udpErr = udp.Run(ctx)
	})
	if fault != nil {
		l.crosses(1)
		fault()
		l.crosses(1 << 20)
		close(past)
	}
	wg.Wait()
	return r
}

// crosses waits until so many more bytes of the transfer that runs have arrived.
func (l *live) crosses(bytes uint64) {
	l.t.Helper()
	from := l.tcp.Received.Load()
	l.until(fmt.Sprintf("%d more bytes of the transfer have arrived", bytes), func() bool { return l.tcp.Received.Load() >= from+bytes })
}

// whole checks TCP alone: that UDP loses packets may be the point of a test.
func (l *live) whole(r transfer) {
	l.t.Helper()
	if r.tcpErr != nil || !r.tcp.Intact() {
		l.t.Errorf("TCP: %v; %d bytes sent, %d received, hashes equal: %v", r.tcpErr, r.tcp.Sent(), r.tcp.Received(), r.tcp.Intact())
	}
}

func (l *live) intact(r transfer) {
	l.t.Helper()
	l.whole(r)
	if r.udpErr != nil {
		l.t.Error(r.udpErr)
	}
	if r.udp.Sent == 0 || r.udp.Lost() > 0 || r.udp.Reordered > 0 || r.udp.Duplicates > 0 || r.udp.Corrupt > 0 {
		l.t.Errorf("UDP: %d sent, %d lost, %d reordered, %d duplicated, %d corrupt", r.udp.Sent, r.udp.Lost(), r.udp.Reordered, r.udp.Duplicates, r.udp.Corrupt)
	}
}

// background runs TCP to a port outside, and a little UDP beside it the same way, until stop is closed.
func (l *live) background(port int, stop <-chan struct{}) <-chan transfer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	result := make(chan transfer, 1)
	var r transfer
	var wg sync.WaitGroup
	wg.Go(func() {
		tcp := traffic.TCP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Port: port, Window: 256 << 10, Bytes: 1, Until: stop, Timeout: 50 * time.Second}
		r.tcp, r.tcpErr = tcp.Run(ctx)
	})
	wg.Go(func() {
		udp := traffic.UDP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Port: port, Rate: 100, Until: stop, Linger: 3 * time.Second}
		r.udp, r.udpErr = udp.Run(ctx)
	})
	go func() {
		wg.Wait()
		cancel()
		result <- r
	}()
	return result
}
