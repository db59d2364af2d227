// Package ingress takes frames off the wire and puts frames on it.
//
// A port has a Side. An interface has as many queues as its NIC has RX queues; a Port is one such queue, owned by one
// goroutine (a dataplane shard). Nothing outside this package sees descriptors, rings or UMEM.
package ingress

// Side is one side of the wire.
type Side uint8

// The two sides. A frame received on one leaves on the other.
const (
	Inside Side = iota
	Outside
)

// Other returns the side on which a frame received on s leaves.
func (s Side) Other() Side { return s ^ 1 }

// String returns "inside" or "outside".
func (s Side) String() string {
	if s == Inside {
		return "inside"
	}
	return "outside"
}

// Frame is one Ethernet frame, from its destination address to its last captured byte, without FCS.
//
// A received Frame belongs to the receiver until its ID is given to Release: the port does not touch Data before that,
// so a packet is parked where it arrived. The receiver may change Data in place, up to its capacity.
type Frame struct {
	Data []byte // bytes captured; capacity ends where the port's memory for this frame ends
	Wire uint32 // length on the wire in bytes, at least len(Data)
	ID   uint32 // names the frame's memory in its port, for Release; means nothing in Transmit
	Time int64  // capture time in ns since the Unix epoch, or 0 where the port has no clock of its own
}

// Port is one queue of one side: a batch of frames in, a batch of frames out. It is used by one goroutine and no call
// of it blocks, allocates, logs or panics.
type Port interface {
	// Receive fills frames from the front and returns how many it filled. The caller owns each until Release.
	Receive(frames []Frame) int
	// Release gives frames back by ID, in any order, each once.
	Release(ids []uint32)
	// Transmit copies a prefix of frames into the port and returns its length; the rest did not fit, and the caller
	// still owns the Data of all of them. Frames may stay unsent until Flush.
	Transmit(frames []Frame) int
	// Flush sends what Transmit took, as far as the link lets it now, and reaps what was sent. It reports whether
	// frames are still on their way out, so that the caller comes back.
	Flush() (pending bool)
	// FD is readable when Receive has something; -1 for a port that needs no waiting (a capture file).
	FD() int
	// Frames is how many received frames can be held at once before the port starves.
	Frames() int
	// MaxFrame is the longest frame in bytes that the port takes or gives.
	MaxFrame() int
	// MTU is the longest packet in bytes, behind the Ethernet header and VLAN tags, that the port's link carries; 0 where nothing
	// but MaxFrame bounds it.
	MTU() int
	// Done reports that no frame will ever come again (the capture file is at its end).
	Done() bool
	// Stats adds the port's counters to s.
	Stats(s *PortStats)
}

// PortStats are a port's counters since it was opened. Every frame the port could not give or send is in one of them.
type PortStats struct {
	RxPackets, RxBytes uint64
	TxPackets, TxBytes uint64
	RxDropped          uint64 // kernel: no buffer, or frame too long for one
	RxRingFull         uint64 // kernel: we were slow to take frames
	RxFillEmpty        uint64 // kernel: we were slow to give buffers back
	RxOversize         uint64 // frame longer than MaxFrame, discarded by the port
	TxInvalid          uint64 // kernel: descriptor refused (a bug of ours)
	TxErrors           uint64 // link down, device gone and the like; see afxdp's Transmit containment
	TxDropped          uint64 // frames a link that was down swallowed
}
