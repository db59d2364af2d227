package afxdp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// TestSequencedUDP sends numbered datagrams both ways at once: none lost, doubled or out of order.
func TestSequencedUDP(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	relayLoop(t, openWire(t, tp, nil))
	const packets = 20000
	hosts := [2]*topo.Namespace{tp.Inside, tp.Outside}
	addrs := [2]string{topo.InsideIP, topo.OutsideIP}
	var conns [2]*net.UDPConn
	for s, host := range hosts {
		if err := host.Do(func() (err error) {
			conns[s], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(addrs[s]), Port: 7000})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer conns[s].Close()
		if err := conns[s].SetReadBuffer(8 << 20); err != nil {
			t.Fatal(err)
		}
	}
	// The hosts resolve each other first: what waits for ARP leaves the host's own queue in no certain order.
	for s := range conns {
		warmUp(t, conns[s], conns[1-s])
	}
	window := make([]chan struct{}, 2) // a receiver's credit to the sender: veth holds 256 frames
	for s := range window {
		window[s] = make(chan struct{}, 64)
	}
	errs := make(chan error, 4)
	for s := range conns {
		go func() {
			payload := bytes.Repeat([]byte{byte(s)}, 200)
			to := &net.UDPAddr{IP: net.ParseIP(addrs[1-s]), Port: 7000}
			for i := range packets {
				window[s] <- struct{}{}
				binary.BigEndian.PutUint32(payload, uint32(i))
				if _, err := conns[s].WriteToUDP(payload, to); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			buf := make([]byte, 2048)
			_ = conns[s].SetReadDeadline(time.Now().Add(20 * time.Second))
			for i := range packets {
				n, err := conns[s].Read(buf)
				if err != nil {
					errs <- fmt.Errorf("side %d: packet %d: %w", s, i, err)
					return
				}
				if got := binary.BigEndian.Uint32(buf); n != 200 || got != uint32(i) || buf[199] != byte(1-s) {
					errs <- fmt.Errorf("side %d: expected packet %d, got %d (%d bytes)", s, i, got, n)
					return
				}
				<-window[1-s]
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// warmUp sends one datagram and waits for it.
func warmUp(t *testing.T, from, to *net.UDPConn) {
	t.Helper()
	if _, err := from.WriteTo([]byte("warm-up"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := to.Read(make([]byte, 64)); err != nil {
		t.Fatalf("the first datagram did not arrive: %v", err)
	}
}
