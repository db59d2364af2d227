package nf

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// MaxBatch is how many packets a batch holds, as on the wire.
const MaxBatch = 256

// NoFlow is Packet.Flow of packets that belong to no flow: not IP, or the flow table is full of flows in use.
const NoFlow = state.None

// Side is the port a packet arrived on.
type Side uint8

// The two sides, as ingress has them.
const (
	Inside Side = iota
	Outside
)

// Packet is one packet as a function sees it.
type Packet struct {
	packet.Info
	Data    []byte     // the bytes carried, from the Ethernet header; Headers stages see no payload
	Wire    uint32     // the frame's length on the wire
	From    Side       // the port it arrived on
	Reverse bool       // it travels from the higher to the lower endpoint of its canonical key
	NewFlow bool       // its flow was not in the table before
	Flow    uint32     // handle of its flow as it is at the function's place, below Batch.Flows.Cap(), or NoFlow
	Key     packet.Key // of the same; set where a function of that plane wants it
	Sub     uint16     // sub-flow that it belongs to at the gateway; 0 on a capture
	Time    int64      // when the gateway received it, ns since the Unix epoch
	Number  uint64     // its number in the capture, from 1; 0 on live traffic
}

// Batch is what a Pipeline works on: some packets in the order of their arrival, and what is to become of each.
// Functions read Packets through Live, and change them through the methods.
type Batch struct {
	Packets  []Packet
	Live     []uint16  // indices into Packets that no function has dropped
	Verdicts []Verdict // one a packet
	Changed  []Extent  // one a packet: what was changed in Data
	Now      int64     // time of the newest packet, ns since the Unix epoch
	Flows    *state.Table
	Events   *Events
	Injected []Injection

	arena    []byte // bytes of Injected
	dropped  bool
	nf       int // index of the NF that is running
	pipeline *Pipeline
}

// Injection is a frame that a function made: a RST, an ICMP error.
type Injection struct {
	To    Side   // the port it leaves on
	Cause uint16 // the packet that caused it: it leaves when that packet's fate is carried out
	Frame []byte // valid until the batch is reset
}

// Drop gives packet i the verdict v, unless it has been dropped before.
func (b *Batch) Drop(i uint16, v Verdict) {
	if b.Verdicts[i] == Pass {
		b.Verdicts[i] = v
		b.dropped = true
	}
}

// Change notes that what was changed in the Data of packet i, in place. Whoever changes headers keeps checksums right, and what Packet
// says of them (ports, TTL). Packet.Key and Packet.Flow stay those of the packet as it came to the function; behind a Translator they are found again.
func (b *Batch) Change(i uint16, what Extent) {
	b.Changed[i] = max(b.Changed[i], what)
}

// Replace gives packet i other bytes, of another length perhaps. Its headers are parsed again; its flow stays. data is
// not copied and must stay valid until the batch's verdicts are sent.
func (b *Batch) Replace(i uint16, data []byte) {
	p := &b.Packets[i]
	p.Data = data
	p.Wire = uint32(len(data))
	packet.Parse(data, len(data), &p.Info)
	b.Changed[i] = Full
}

// Inject sends a copy of frame out of port to, when the fate of packet cause is carried out. What stands between the function and that
// port and translates addresses translates it. It reports false, and does nothing, when the batch has no room left for more.
func (b *Batch) Inject(cause uint16, to Side, frame []byte) bool {
	if len(b.Injected) == cap(b.Injected) || len(b.arena)+len(frame) > cap(b.arena) {
		return false
	}
	at := len(b.arena)
	b.arena = append(b.arena, frame...)
	made := b.arena[at:len(b.arena):len(b.arena)]
	if b.pipeline != nil && !b.pipeline.carry(made, b.nf, to, b.Packets[cause].Time) {
		b.arena = b.arena[:at]
		return true
	}
	b.Injected = append(b.Injected, Injection{To: to, Cause: cause, Frame: made})
	return true
}

// Keep says that the flow of packet i stays known though the running function drops the packet: what is to be remembered of it is that.
func (b *Batch) Keep(i uint16) {
	if flow := b.Packets[i].Flow; b.pipeline != nil && flow != NoFlow {
		b.pipeline.began[flow] = 0
	}
}

// Touch notes that the running function changed its state of flow, so that it rides with the batch's verdicts.
func (b *Batch) Touch(flow uint32) {
	if b.pipeline != nil && flow != NoFlow {
		b.pipeline.touch(b.nf, flow)
	}
}
