package pktgen

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
)

const burst = 64

// end is one interface: what it sends, and what it has received of the other end's. It is run by one locked thread.
type end struct {
	ports []ingress.Port // its RX queues; frames are sent on the first
	run   uint16         // in its own frames
	peer  uint16         // in the frames that it awaits

	// Sending.
	templates []template // a cycle of frames; flow i%flows
	flows     uint32
	at        int
	turn      uint32
	sequence  []uint32 // next of each flow
	pace      pace
	until     int64 // ns; sends nothing from there on

	sent, sentBytes uint64
	firstSent       int64
	lastSent        int64

	// Receiving.
	accounts  []account // by the peer's flow
	got       outcomes
	gotBytes  uint64
	foreign   uint64 // frames that no end of this run sent
	delay     histogram
	firstRecv int64
	lastRecv  int64

	stop     atomic.Bool
	progress [2]atomic.Uint64 // sent and received, for whoever draws the progress line

	rx  [burst]ingress.Frame
	tx  [burst]ingress.Frame
	ids [burst]uint32
	fds []unix.PollFd
}

// loop sends and receives until stop is set; clock is ns and the same for both ends.
func (e *end) loop(clock func() int64) {
	for _, p := range e.ports {
		e.fds = append(e.fds, unix.PollFd{Fd: int32(p.FD()), Events: unix.POLLIN})
	}
	for idle := 0; !e.stop.Load(); {
		now := clock()
		n := e.send(now) + e.receive(clock)
		if n > 0 {
			idle = 0
			continue
		}
		if idle++; idle < 16 {
			continue
		}
		e.rest(now)
	}
}

// rest waits for a frame, or until one is due.
func (e *end) rest(now int64) {
	wait := int64(time.Millisecond)
	if len(e.templates) > 0 && now < e.until {
		wait = min(wait, e.pace.wait(now))
	}
	if wait < int64(50*time.Microsecond) {
		return // poll's own granularity
	}
	ts := unix.NsecToTimespec(wait)
	_, _ = unix.Ppoll(e.fds, &ts, nil) // a signal or a time-out: the loop looks for itself
}

// send offers what is due. A frame whose port has no room waits for the next turn; its time is taken when it is offered again.
func (e *end) send(now int64) int {
	port := e.ports[0]
	if len(e.templates) == 0 || now >= e.until {
		port.Flush()
		return 0
	}
	n := e.pace.due(now, burst)
	taken := 0
	for taken < n {
		// One at a time into the port: templates are shared by the frames of a burst, and Transmit copies.
		t := &e.templates[e.at]
		flow := e.turn
		e.tx[0].Data = t.stamp(probe{run: e.run, flow: flow, sequence: e.sequence[flow], time: uint64(now)})
		if port.Transmit(e.tx[:1]) == 0 {
			break
		}
		e.sequence[flow]++
		e.sentBytes += uint64(len(t.frame) + fcs)
		if e.at++; e.at == len(e.templates) {
			e.at = 0
		}
		if e.turn++; e.turn == e.flows {
			e.turn = 0
		}
		taken++
	}
	e.pace.given -= float64(n - taken) // a port without room: still owed
	port.Flush()
	if taken > 0 {
		if e.firstSent == 0 {
			e.firstSent = now
		}
		e.lastSent = now
		e.sent += uint64(taken)
		e.progress[0].Store(e.sent)
	}
	return taken
}

func (e *end) receive(clock func() int64) int {
	total := 0
	for _, p := range e.ports {
		n := p.Receive(e.rx[:])
		if n == 0 {
			continue
		}
		now := clock() // read after the frames: one that was sent a moment ago may be among them
		for i := range e.rx[:n] {
			e.ingest(&e.rx[i], now)
			e.ids[i] = e.rx[i].ID
		}
		p.Release(e.ids[:n])
		total += n
	}
	if total > 0 {
		e.progress[1].Store(e.got.received)
	}
	return total
}

func (e *end) ingest(f *ingress.Frame, now int64) {
	p, ok := readProbe(payload(f.Data))
	if !ok || p.run != e.peer || p.flow >= uint32(len(e.accounts)) {
		e.foreign++
		return
	}
	before := e.got.received
	e.accounts[p.flow].take(p.sequence, &e.got)
	if e.got.received == before {
		return // a further copy
	}
	e.gotBytes += uint64(len(f.Data) + fcs)
	if e.firstRecv == 0 {
		e.firstRecv = now
	}
	e.lastRecv = now
	e.delay.add(int64((uint64(now) - p.time) & timeMask))
}
