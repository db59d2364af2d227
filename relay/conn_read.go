package relay

import (
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// Handler is told what a worker says. Slices are valid until the call returns. For each answered batch come State, then
// Rewritten and Inject in the order of packets, then Verdicts: so what a packet needs is there when its verdict comes.
type Handler interface {
	// State is the state that the packets of the coming verdicts changed, to be applied before any of them is released.
	// ref names packet i of the batch that they answer.
	State(delta []byte, ref func(i int) (uint64, bool))
	// Verdicts answers refs, in the order of Add.
	Verdicts(refs []uint64, verdict uint8)
	// Rewritten says what the packet looks like now; what is wire.RewroteHeaders or wire.RewroteWhole.
	Rewritten(ref uint64, what uint8, data []byte)
	// Inject asks to send frame out of side (wire.Inside, wire.Outside), because of ref.
	Inject(ref uint64, side uint8, frame []byte)
	// Events are EVE JSON lines, and how many were lost before them.
	Events(lines []byte, lost uint32)
	// Report is the worker's counters, as asked for by RequestReport.
	Report(json []byte)
	// Load is how busy the worker has been.
	Load(l wire.Load)
	// Draining says when the worker will be gone, ns since the Unix epoch.
	Draining(deadline int64)
}

// Read reads what the socket has, up to a bound, and tells h every whole frame. Again says that nothing is left to read.
func (c *Conn) Read(h Handler) Status {
	for range readsABurst {
		if c.status != OK {
			return c.status
		}
		space := c.in.Space()
		n, err := unix.Read(c.fd, space)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return Again
		case err != nil:
			return c.socketError(err)
		case n == 0:
			return c.fail(Closed, ReasonEOF)
		}
		c.counts.Reads++
		c.counts.BytesRead += uint64(n)
		c.heard = c.now
		fault := c.in.Filled(n)
		if !c.countRecords(n) {
			return c.fail(Broken, ReasonRate)
		}
		c.frames(h) // those that came before the fault, too
		switch {
		case fault == tlsrecord.FaultClosed:
			return c.fail(Closed, RecordReason(fault))
		case fault != tlsrecord.FaultNone:
			return c.fail(Broken, RecordReason(fault))
		case c.status != OK:
			return c.status
		case n < len(space):
			return Again
		}
	}
	return OK
}

func (c *Conn) frames(h Handler) {
	for c.status == OK {
		b := c.in.Bytes()
		if len(b) < wire.HeaderSize {
			return
		}
		head, fault := wire.ParseHeader(b)
		if fault == wire.FaultNone && head.Type.Known() && !head.Type.FromWorker() {
			fault = wire.FaultDirection
		}
		if fault != wire.FaultNone {
			c.fail(Broken, WireReason(fault))
			return
		}
		size := wire.HeaderSize + int(head.Length)
		if len(b) < size {
			c.in.Need(size)
			return
		}
		if fault = c.frame(h, head, b[wire.HeaderSize:size]); fault != wire.FaultNone {
			c.fail(Broken, WireReason(fault))
			return
		}
		c.in.Consume(size)
	}
}

func (c *Conn) frame(h Handler, head wire.Header, body []byte) wire.Fault {
	if head.Type != wire.TypeResult && !c.frameRate.take(1) {
		c.fail(Broken, ReasonRate)
		return wire.FaultNone
	}
	if !head.Type.Known() {
		return wire.FaultNone // of a later version, and marked as one that may be skipped
	}
	c.credit = int(head.Credit)
	switch head.Type {
	case wire.TypeResult:
		return c.answer(h, head, body)
	case wire.TypeEvents:
		lines, lost, fault := wire.ParseEvents(body)
		if fault == wire.FaultNone {
			h.Events(lines, lost)
		}
		return fault
	case wire.TypeReport:
		h.Report(body)
	case wire.TypeLoad:
		l, fault := wire.ParseLoad(body)
		if fault == wire.FaultNone {
			h.Load(l)
		}
		return fault
	case wire.TypePing:
		t, fault := wire.ParseTime(body)
		if fault == wire.FaultNone {
			c.control(wire.AppendTime(c.scratch[:0], wire.TypePong, t, 0))
		}
		return fault
	case wire.TypePong:
		t, fault := wire.ParseTime(body)
		if fault == wire.FaultNone {
			c.pong = t
		}
		return fault
	case wire.TypeDrain:
		t, fault := wire.ParseTime(body)
		if fault == wire.FaultNone {
			h.Draining(t)
		}
		return fault
	case wire.TypeBye:
		reason, _, fault := wire.ParseBye(body)
		if fault == wire.FaultNone {
			c.bye = reason
			c.fail(Closed, ReasonBye)
		}
		return fault
	}
	return wire.FaultNone
}

// asked returns the reference of packet i of the batch that is being answered, none of whose packets has had its verdict.
func (c *Conn) asked(i int) (ref uint64, ok bool) {
	batch := c.owed.oldest()
	if batch == nil || i < 0 || i >= int(batch.packets) {
		return 0, false
	}
	return c.owed.refs[(c.owed.head+uint32(i))&c.owed.refMask()], true
}

// answer checks a whole result before any of it is told, so a worker that lies in its last byte has told nothing.
func (c *Conn) answer(h Handler, head wire.Header, body []byte) wire.Fault {
	batch := c.owed.oldest()
	if batch == nil || batch.sequence != head.Sequence {
		return wire.FaultSequence
	}
	r := &c.result
	if fault := r.Parse(head, body, int(batch.packets)); fault != wire.FaultNone {
		return fault
	}
	if len(r.State) > 0 {
		h.State(r.State, c.refOf)
	}
	refs, mask, first := c.owed.refs, c.owed.refMask(), c.owed.head
	for c.status == OK && r.NextRewritten(&c.entry) {
		h.Rewritten(refs[(first+uint32(c.entry.Index))&mask], c.entry.What, c.entry.Data)
	}
	for c.status == OK && r.NextInjected(&c.entry) {
		h.Inject(refs[(first+uint32(c.entry.Index))&mask], c.entry.What, c.entry.Data)
	}
	for c.status == OK {
		verdict, n, ok := r.NextRun()
		if !ok {
			c.owed.completed()
			c.counts.Answered += uint64(batch.packets)
			c.allow(perBatch)
			break
		}
		for n > 0 && c.status == OK {
			run := c.owed.run(n)
			h.Verdicts(run, verdict)
			c.owed.answered(len(run))
			n -= len(run)
		}
	}
	c.entry.Data, *r = nil, wire.Result{}
	return wire.FaultNone
}
