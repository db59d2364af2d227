package flowlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// flow is what is known of a flow until its event is raised. Index 0 of the pairs is towards the server, which is who did not begin.
type flow struct {
	start, end     int64
	packets, bytes [2]uint64
	flags          [2]uint8
	proto          uint8
	from           nf.Side // where the first packet arrived
	reverse        bool    // the first packet went from the higher endpoint of the key to the lower
	alerted        bool
	used           bool
}

// A sweep looks for flows that have ended in silence: at this many records a packet, and a call of Tick, which comes every second, so
// that a table of nf.DefaultFlows has been looked through after eight.
const (
	packetSweep = 2
	tickSweep   = 8192
	maxUnsent   = 1024 // flows whose events were raised between two batches
)

// state names where the flow stands, as Suricata does.
func (f *flow) state() string {
	both := f.flags[0] | f.flags[1]
	switch {
	case f.proto == packet.ProtoTCP && (both&packet.RST != 0 || f.flags[0]&f.flags[1]&packet.FIN != 0):
		return "closed"
	case f.packets[1] == 0 || f.proto == packet.ProtoTCP && f.flags[0]&f.flags[1]&packet.ACK == 0:
		return "new"
	}
	return "established"
}

// timeout is Suricata's default (flow-timeouts in suricata.yaml): after it, the next packet of the key is another flow.
func (f *flow) timeout() int64 {
	const second = int64(1e9)
	tcp := f.proto == packet.ProtoTCP
	switch state := f.state(); {
	case tcp && state == "established":
		return 600 * second
	case tcp:
		return 60 * second
	case state == "established":
		return 300 * second
	}
	return 30 * second
}

// packet adds a packet to its flow, and ends the flow before it if the packet begins another one.
func (r *Recorder) packet(b *nf.Batch, p *nf.Packet) {
	f := &r.flows[p.Flow]
	if f.used {
		switch syn := p.TCPFlags & (packet.SYN | packet.ACK); {
		case p.Time-f.end > f.timeout():
			r.publish(b, p.Flow, f.end+f.timeout(), "timeout")
		case f.proto == packet.ProtoTCP && p.HasL4 && syn == packet.SYN && f.state() == "closed":
			r.publish(b, p.Flow, p.Time, "forced")
		}
	}
	if !f.used {
		_, _, proto := p.Key.Endpoints() // of an ICMP error that of the packet it quotes
		*f = flow{start: p.Time, proto: proto, from: p.From, reverse: p.Reverse, used: true}
		r.stats.flow(p)
	}
	way := 0
	if p.Reverse != f.reverse {
		way = 1
	}
	f.packets[way]++
	f.bytes[way] += uint64(p.Wire)
	f.end = max(f.end, p.Time)
	if p.HasL4 && p.Proto == packet.ProtoTCP {
		f.flags[way] |= p.TCPFlags
	}
	b.Touch(p.Flow)
}

// step looks at the next record, and tells its flow if it is over; it reports whether it was.
func (r *Recorder) step(b *nf.Batch, now int64) bool {
	if r.cursor++; int(r.cursor) >= len(r.flows) {
		r.cursor = 0
	}
	f := &r.flows[r.cursor]
	if !f.used || now-f.end <= f.timeout() {
		return false
	}
	r.publish(b, r.cursor, f.end+f.timeout(), "timeout")
	return true
}

// FlowExpires implements nf.FlowExpirer.
func (r *Recorder) FlowExpires(handle uint32) int64 {
	if len(r.flows) == 0 || !r.flows[handle].used {
		return 0
	}
	return r.flows[handle].end + r.flows[handle].timeout()
}

// Ended implements nf.Recorder.
func (r *Recorder) Ended(b *nf.Batch, handle uint32) {
	if len(r.flows) == 0 || !r.flows[handle].used {
		return
	}
	f := &r.flows[handle]
	if now := b.Now; now > 0 && now-f.end <= f.timeout() { // pushed out of a full table
		r.publish(b, handle, now, "forced")
		return
	}
	r.publish(b, handle, f.end+f.timeout(), "timeout")
}

// publish raises the event of a flow that is over, and empties its record.
func (r *Recorder) publish(b *nf.Batch, handle uint32, now int64, reason string) {
	f := &r.flows[handle]
	key := (*packet.Key)(r.table.Key(handle))
	lower, higher, _ := key.Endpoints()
	if f.reverse {
		lower, higher = higher, lower
	}
	b.Events.Commit(eve.AppendFlow(b.Events.Room(), now, &eve.FlowRecord{
		Key: key, From: f.from, Client: lower, Server: higher, Proto: f.proto, Packets: f.packets, Bytes: f.bytes,
		Start: f.start, End: f.end, State: f.state(), Reason: reason, Alerted: f.alerted, TCPFlags: f.flags,
	}))
	*f = flow{}
}

var flowMember = []byte(`"flow_id":`)

// alerted marks the flows of which the batch's alerts speak.
func (r *Recorder) alerted(b *nf.Batch) {
	if len(r.flows) == 0 {
		return
	}
	for line := range bytes.Lines(b.Events.Since(r.mark)) {
		at := bytes.Index(line[:min(len(line), 128)], flowMember)
		if at < 0 || !bytes.Contains(line[:min(len(line), 192)], []byte(`"event_type":"alert"`)) {
			continue
		}
		digits := line[at+len(flowMember):]
		id, err := strconv.ParseUint(string(digits[:max(bytes.IndexAny(digits, ",}"), 0)]), 10, 64)
		if err != nil {
			continue
		}
		for _, handle := range r.handles[:len(b.Packets)] {
			if handle != nf.NoFlow && r.flows[handle].used && eve.KeyID((*packet.Key)(r.table.Key(handle))) == id {
				r.flows[handle].alerted = true
				break
			}
		}
	}
}

// StateVersion implements nf.FlowState.
func (r *Recorder) StateVersion() uint16 { return 1 }

const flowBytes = 6*8 + 5

// AppendFlow implements nf.FlowState.
func (r *Recorder) AppendFlow(dst []byte, handle uint32) []byte {
	if len(r.flows) == 0 || !r.flows[handle].used {
		return dst
	}
	f := &r.flows[handle]
	le := binary.LittleEndian
	for _, v := range [...]uint64{uint64(f.start), uint64(f.end), f.packets[0], f.packets[1], f.bytes[0], f.bytes[1]} {
		dst = le.AppendUint64(dst, v)
	}
	bits := byte(f.from)
	if f.reverse {
		bits |= 2
	}
	if f.alerted {
		bits |= 4
	}
	return append(dst, f.flags[0], f.flags[1], f.proto, bits, 0)
}

var errFlow = errors.New("the record of a flow is damaged; expected what AppendFlow of this version makes")

// ApplyFlow implements nf.FlowState.
func (r *Recorder) ApplyFlow(handle uint32, data []byte) error {
	r.ForgetFlow(handle)
	if len(r.flows) == 0 {
		return nil // this generation tells no flows
	}
	if len(data) != flowBytes || data[51] > 7 || data[52] != 0 {
		return errFlow
	}
	v := func(i int) uint64 { return binary.LittleEndian.Uint64(data[8*i:]) }
	f := flow{start: int64(v(0)), end: int64(v(1)), packets: [2]uint64{v(2), v(3)}, bytes: [2]uint64{v(4), v(5)},
		flags: [2]uint8{data[48], data[49]}, proto: data[50], from: nf.Side(data[51] & 1), reverse: data[51]&2 != 0, alerted: data[51]&4 != 0, used: true}
	if f.start < 0 || f.end < f.start {
		return errFlow
	}
	r.flows[handle] = f
	return nil
}

// ForgetFlow implements nf.FlowState.
func (r *Recorder) ForgetFlow(handle uint32) {
	if len(r.flows) > 0 {
		r.flows[handle] = flow{}
	}
}
