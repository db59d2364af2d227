package relay

import (
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// Room reports whether a packet of which carried bytes go along can be added now: the batch, the worker's credit, the
// window and the queue before the socket all have room.
func (c *Conn) Room(carried int) bool {
	if c.status != OK || carried > wire.MaxPacket || !c.owed.room() || len(c.out)-c.sent > maxQueued {
		return false
	}
	owed := c.owed.bytes + c.builder.Size() + carried + wire.DescriptorSize
	if c.builder.Len() == 0 {
		owed += wire.HeaderSize + 8
	}
	return owed <= min(c.window, c.credit)
}

// Add copies a packet into the current batch; Room was asked before. ref is what its verdict will be told by. wireLen is
// its length on the wire, up to wire.MaxPacket; whole says that carried is all of it. timeNs is when it was received,
// ns since the Unix epoch. A batch that is full, or that the packet is too far from in time, is sealed by itself and
// waits for Flush.
func (c *Conn) Add(ref uint64, subflow uint16, fromOutside bool, wireLen int, carried []byte, whole bool, timeNs int64) {
	c.begin(len(carried), timeNs)
	c.builder.Add(subflow, fromOutside, wireLen, carried, whole, timeNs)
	c.added(ref)
}

// AddFragment is Add for a fragment of a datagram whose first one is known. Room was asked about wire.UpperSize bytes more.
func (c *Conn) AddFragment(ref uint64, subflow uint16, fromOutside bool, wireLen int, upper *wire.Upper, carried []byte, whole bool, timeNs int64) {
	c.begin(wire.UpperSize+len(carried), timeNs)
	c.builder.AddFragment(subflow, fromOutside, wireLen, upper, carried, whole, timeNs)
	c.added(ref)
}

// begin makes room in the batch for a packet.
func (c *Conn) begin(carried int, timeNs int64) {
	if !c.builder.Fits(carried, timeNs) {
		c.sealBatch()
	}
	if c.builder.Len() == 0 {
		c.first = timeNs
		if c.now != 0 {
			c.first = c.now
		}
	}
}

func (c *Conn) added(ref uint64) {
	c.owed.add(ref)
	c.counts.Packets++
	if c.builder.Full() {
		c.sealBatch()
	}
}

// Flush seals the current batch and writes as much as the socket takes.
func (c *Conn) Flush() Status {
	if c.builder.Len() > 0 && c.status == OK {
		c.sealBatch()
	}
	return c.Write()
}

// WantWrite reports whether bytes wait for the socket to become writable.
func (c *Conn) WantWrite() bool { return c.status == OK && c.sent < len(c.out) }

// Write goes on writing what Flush left over: OK if all of it is gone.
func (c *Conn) Write() Status {
	for c.status == OK && c.sent < len(c.out) {
		n, err := unix.Write(c.fd, c.out[c.sent:])
		switch err {
		case nil:
			c.counts.Writes++
			c.counts.BytesWritten += uint64(n)
			c.sent += n
		case unix.EINTR:
		case unix.EAGAIN:
			return Again
		default:
			return c.socketError(err)
		}
	}
	if c.status == OK {
		c.out, c.sent = c.out[:0], 0
	}
	return c.status
}

// Ping asks for a Pong with the same number, once everything that was sent before it has been handled. It reports false, as all of the calls below, when the queue before the
// socket is too long; the call may be made again later. Like Add, none of them writes: Flush does.
func (c *Conn) Ping(mark int64) bool {
	c.allow(perPing)
	return c.control(wire.AppendTime(c.scratch[:0], wire.TypePing, mark, 0))
}

// RequestReport asks the worker for its counters.
func (c *Conn) RequestReport() bool {
	c.allow(perReport)
	return c.control(wire.AppendReportRequest(c.scratch[:0], 0))
}

// Retire asks the worker to answer what it has and to leave. No packet is added afterwards.
func (c *Conn) Retire() bool {
	c.sealPending()
	return c.control(wire.AppendRetire(c.scratch[:0]))
}

// Release tells the worker to forget the flows of these sub-flows. Packets added before come before it.
func (c *Conn) Release(subflows []uint16) bool {
	c.sealPending()
	c.release = wire.AppendRelease(c.release[:0], subflows)
	return c.control(c.release)
}

// Resync tells the worker that packets have passed which it has not seen, before those that are added next: it takes up the flows that it knows where they are
// by then.
func (c *Conn) Resync() bool {
	c.sealPending()
	return c.control(wire.AppendUnseen(c.scratch[:0]))
}

// ImportState sends a part, up to 64 KiB, of state that the worker takes over before what comes behind it; more says that its last entry
// goes on in the next part. Packets added before come before it.
func (c *Conn) ImportState(part []byte, more bool) bool {
	if len(part) > maxStatePart || c.status != OK || len(c.out)-c.sent > maxQueued {
		return false
	}
	c.sealPending()
	head := wire.AppendState(c.scratch[:0], nil, more)
	wire.SetLength(head, len(part))
	c.push(head)
	c.push(part[:len(part):len(part)]) // the byte behind it is not ours to borrow
	return c.status == OK
}

func (c *Conn) control(frame []byte) bool {
	if c.status != OK || len(c.out)-c.sent > outSize-controlRoom {
		return false
	}
	c.push(frame)
	return c.status == OK
}

func (c *Conn) sealPending() {
	if c.status == OK && c.builder.Len() > 0 {
		c.sealBatch()
	}
}

func (c *Conn) sealBatch() {
	c.sequence++
	frame := c.builder.Seal(c.sequence)
	c.owed.seal(c.sequence, len(frame), c.first)
	c.counts.Batches++
	c.push(frame)
}

// push seals frame into the queue before the socket.
func (c *Conn) push(frame []byte) {
	if need := len(frame) + tlsrecord.Overhead(len(frame)); len(c.out)+need > cap(c.out) && c.sent > 0 {
		c.out = c.out[:copy(c.out, c.out[c.sent:])]
		c.sent = 0
	}
	c.out = c.seal.Append(c.out, frame)
	if c.seal.Worn() {
		c.fail(Broken, RecordReason(tlsrecord.FaultWorn))
	}
}

func (c *Conn) socketError(err error) Status {
	switch err {
	case unix.EPIPE, unix.ECONNRESET:
		return c.fail(Closed, ReasonReset)
	case unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH:
		return c.fail(Closed, ReasonTimeout)
	}
	return c.fail(Broken, ReasonSocket)
}
