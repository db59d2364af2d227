package detect

import (
	"encoding/binary"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Counts are what a flow has carried so far, by direction, the packet in hand included.
type Counts struct {
	Start   int64 // time of the first packet, ns since the Unix epoch
	now     int64 // of the packet in hand
	Packets [2]uint64
	Bytes   [2]uint64 // of whole frames
}

// Add counts a packet of size bytes.
func (c *Counts) Add(d proto.Dir, size uint32, now int64) {
	if c.Packets == [2]uint64{} {
		c.Start = now
	}
	c.now = now
	c.Packets[d]++
	c.Bytes[d] += uint64(size)
}

// Swap exchanges the directions.
func (c *Counts) Swap() {
	c.Packets[0], c.Packets[1] = c.Packets[1], c.Packets[0]
	c.Bytes[0], c.Bytes[1] = c.Bytes[1], c.Bytes[0]
}

// age is in seconds, as Suricata counts them: those that began, not those that are full.
func (c *Counts) age() uint64 {
	return uint64(max(c.now/int64(time.Second)-c.Start/int64(time.Second), 0))
}

// onWay compares a number that each direction has.
func onWay(f *rule.Field, n [2]uint64) bool {
	switch f.Way {
	case rule.WayToServer:
		return f.Range.Holds(n[proto.ToServer])
	case rule.WayToClient:
		return f.Range.Holds(n[proto.ToClient])
	case rule.WayBoth:
		return f.Range.Holds(n[0]) && f.Range.Holds(n[1])
	}
	return f.Range.Holds(n[0]) || f.Range.Holds(n[1])
}

// carried tests what the flow has carried.
func (p *Packet) carried(f *rule.Field) bool {
	if f.Kind == rule.FieldStreamSize {
		return p.Tracked && onWay(f, p.Sent)
	}
	if p.Counts == nil {
		return false
	}
	switch f.Kind {
	case rule.FieldFlowAge:
		return f.Range.Holds(p.Counts.age())
	case rule.FieldFlowPackets:
		return onWay(f, p.Counts.Packets)
	case rule.FieldFlowBytes:
		return onWay(f, p.Counts.Bytes)
	}
	return false
}

// Append appends the counts.
func (c *Counts) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Start))
	for d := range 2 {
		dst = binary.AppendUvarint(dst, c.Packets[d])
		dst = binary.AppendUvarint(dst, c.Bytes[d])
	}
	return dst
}

// Apply replaces the counts by what Append wrote at the beginning of data, and returns what follows.
func (c *Counts) Apply(data []byte) (rest []byte, err error) {
	*c = Counts{}
	if len(data) < 8 {
		return data, errShort
	}
	var got Counts
	got.Start, data = int64(binary.LittleEndian.Uint64(data)), data[8:]
	for _, to := range [...]*uint64{&got.Packets[0], &got.Bytes[0], &got.Packets[1], &got.Bytes[1]} {
		v, k := binary.Uvarint(data)
		if k <= 0 {
			return data, errShort
		}
		*to, data = v, data[k:]
	}
	*c = got
	return data, nil
}
