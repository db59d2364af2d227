package relay

import (
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// Sizes of a Conn.
const (
	maxRefs     = 1 << 14   // packets without a verdict
	maxBatches  = 1 << 10   // batches without a result
	readGulp    = 128 << 10 // bytes of one read
	readsABurst = 4         // reads of one Read
	// maxQueued is how many sealed bytes may wait for the socket before Room is false. The socket itself takes megabytes;
	// what queues here is a worker that does not keep up.
	maxQueued    = 128 << 10
	controlRoom  = 128 << 10 // kept for frames that carry no packets
	maxStatePart = 64 << 10
	outSize      = 640 << 10 // maxQueued, two batches, controlRoom, and room to move less often

	// DefaultWindow is how many bytes of batches a worker may owe. 5 Gbit/s over a round trip of 2 ms.
	DefaultWindow = 1 << 20
)

// Conn is one connection to a worker. It is used by one thread; nothing blocks or allocates.
type Conn struct {
	fd      int
	id      ID
	seal    *tlsrecord.Sealer
	in      *tlsrecord.Inbox
	builder *wire.BatchBuilder
	owed    outstanding

	out  []byte // records for the socket; what stands before sent has been written
	sent int

	sequence uint32 // of the last batch sealed
	window   int    // bytes of batches that this side lets the worker owe
	credit   int    // bytes of batches that the worker agreed to hold
	now      int64
	first    int64 // time of the first packet in the builder
	heard    int64
	pong     int64

	frameRate  allowance // of frames that answer no batch
	recordRate allowance
	records    uint64 // opened so far

	status Status
	reason Reason
	bye    wire.ByeReason
	counts Counters
	// What a frame is taken apart with and put together in; as locals they would escape.
	result  wire.Result
	entry   wire.Entry
	scratch [wire.HeaderSize + 16]byte
	release []byte
	refOf   func(i int) (ref uint64, ok bool) // asked
}

// ID is who is at the other end.
type ID struct {
	Worker uint32
	Epoch  uint32
	Shard  int
}

// Counters of a Conn since it joined. Socket bytes are with TLS.
type Counters struct {
	Packets, Batches, Answered             uint64
	Reads, Writes, BytesRead, BytesWritten uint64
}

// NewConn makes a Conn of fd, a connected stream socket in non-blocking mode which it owns from now on. window is in bytes of
// Batch frames; 0 is DefaultWindow. credit is what the worker's Hello said.
func NewConn(fd int, s *tlsrecord.Session, id ID, window int, credit uint32) *Conn {
	if window <= 0 {
		window = DefaultWindow
	}
	c := &Conn{
		fd: fd, id: id, seal: s.Seal, window: window, credit: int(credit),
		in:      tlsrecord.NewInbox(s.Open, wire.MaxBatch, readGulp),
		builder: wire.NewBatchBuilder(),
		owed:    newOutstanding(maxRefs, maxBatches),

		frameRate: newAllowance(), recordRate: newAllowance(),
		out: make([]byte, 0, outSize),
	}
	c.refOf = c.asked
	return c
}

// FD returns the socket, for epoll; -1 once closed.
func (c *Conn) FD() int { return c.fd }

// ID returns who is at the other end.
func (c *Conn) ID() ID { return c.id }

// Worker returns the worker's number.
func (c *Conn) Worker() uint32 { return c.id.Worker }

// Epoch returns the worker's epoch.
func (c *Conn) Epoch() uint32 { return c.id.Epoch }

// Shard returns the shard that the connection is for.
func (c *Conn) Shard() int { return c.id.Shard }

// Status returns OK, or Closed or Broken once the connection is.
func (c *Conn) Status() Status { return c.status }

// Reason returns why the connection is Closed or Broken.
func (c *Conn) Reason() Reason { return c.reason }

// Bye returns what the worker said when the reason is ReasonBye.
func (c *Conn) Bye() wire.ByeReason { return c.bye }

// Counters returns the counters.
func (c *Conn) Counters() Counters { return c.counts }

// Tick tells the time, ns since the Unix epoch: once a burst is enough. Ages that a Conn reports are then those of the
// caller's clock; without it they are those of the packets, which on a capture file is another clock.
func (c *Conn) Tick(now int64) { c.now = now }

// LastHeard returns the Tick at which bytes last came from the worker.
func (c *Conn) LastHeard() int64 { return c.heard }

// OldestUnanswered returns the Tick at which the oldest batch without an answer was begun; 0 if there is none.
func (c *Conn) OldestUnanswered() int64 {
	if b := c.owed.oldest(); b != nil {
		return b.oldest
	}
	return 0
}

// LastPong returns the number in the newest Ping that the worker has answered; 0 if it has answered none.
func (c *Conn) LastPong() int64 { return c.pong }

// Outstanding calls f for every reference that was added and has no verdict, in the order of Add.
func (c *Conn) Outstanding(f func(ref uint64)) { c.owed.each(f) }

// Close closes the socket, after telling the worker why if the socket takes it at once. Outstanding still answers.
func (c *Conn) Close() {
	if c.fd < 0 {
		return
	}
	if c.sent == len(c.out) && !c.seal.Worn() {
		reason, fault := wire.ByeDone, wire.FaultNone
		if c.reason >= reasonWire && c.reason < reasonRecord {
			reason, fault = wire.ByeFormat, wire.Fault(c.reason-reasonWire)
		}
		c.push(wire.AppendBye(c.scratch[:0], reason, fault))
		c.out = c.seal.Close(c.out)
		_, _ = unix.Write(c.fd, c.out[c.sent:]) // once: what a socket does not take now, nobody waits for
	}
	c.fail(Closed, ReasonLocal)
	_ = unix.Close(c.fd)
	c.fd = -1
}

// fail notes the first reason only: what follows from it would hide it.
func (c *Conn) fail(s Status, r Reason) Status {
	if c.status == OK {
		c.status, c.reason = s, r
	}
	return c.status
}
