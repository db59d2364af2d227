package conntrack

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/ingress/packet"
)

// RecordVersion is the version of the record that appendRecord makes.
const RecordVersion = 2

// recordLen is its length: a connection's fields in the order of connection, little endian.
const recordLen = 2*8 + 4 + 2*(4*4+2) + 5 + 2 + 4*4

var errRecord = errors.New("a connection's record is damaged; expected what AppendFlow of this version makes")

// AppendRecord appends the connection of flow, nothing where there is none.
func (t *Tracker) AppendRecord(dst []byte, flow uint32) []byte {
	c := &t.conns[flow]
	if c.proto == packet.ProtoTCP && c.epoch != t.epoch {
		late := *c // whoever takes it over has to take it up where it is found, too
		late.resync(1, segNone)
		c = &late
	}
	if c.proto == 0 {
		return dst
	}
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(c.expires[0]))
	dst = le.AppendUint64(dst, uint64(c.expires[1]))
	dst = append(dst, c.proto, c.origin, c.status, byte(c.tcp))
	for i := range c.half {
		h := &c.half[i]
		dst = le.AppendUint32(dst, h.end)
		dst = le.AppendUint32(dst, h.maxEnd)
		dst = le.AppendUint32(dst, h.maxWin)
		dst = le.AppendUint32(dst, h.maxAck)
		dst = append(dst, h.scale, h.flags)
	}
	dst = append(dst, c.lastDir, byte(c.lastKind), c.flags, c.scale, c.retrans)
	dst = le.AppendUint16(dst, c.lastWin)
	dst = le.AppendUint32(dst, c.lastSeq)
	dst = le.AppendUint32(dst, c.lastAck)
	dst = le.AppendUint32(dst, c.lastEnd)
	return le.AppendUint32(dst, c.mark)
}

// ApplyRecord replaces the connection of flow by a record that appendRecord made. Of a damaged one it makes an error, and the flow
// has no connection.
func (t *Tracker) ApplyRecord(flow uint32, data []byte) error {
	t.Forget(flow)
	if len(data) != recordLen {
		return errRecord
	}
	le := binary.LittleEndian
	c := connection{epoch: t.epoch, expires: [2]int64{int64(le.Uint64(data)), int64(le.Uint64(data[8:]))}}
	d := data[16:]
	c.proto, c.origin, c.status, c.tcp = d[0], d[1], d[2], tcpState(d[3])
	d = d[4:]
	for i := range c.half {
		c.half[i] = tcpHalf{le.Uint32(d), le.Uint32(d[4:]), le.Uint32(d[8:]), le.Uint32(d[12:]), d[16], d[17]}
		d = d[18:]
	}
	c.lastDir, c.lastKind, c.flags, c.scale, c.retrans = d[0], segmentKind(d[1]), d[2], d[3], d[4]
	c.lastWin, c.lastSeq, c.lastAck, c.lastEnd = le.Uint16(d[5:]), le.Uint32(d[7:]), le.Uint32(d[11:]), le.Uint32(d[15:])
	c.mark = le.Uint32(d[19:])
	if c.proto == 0 || c.origin > 1 || c.lastDir > 1 || c.tcp >= numTCPStates || c.lastKind >= numSegmentKinds {
		return errRecord
	}
	t.conns[flow] = c
	return nil
}

// Forget empties what is known of flow.
func (t *Tracker) Forget(flow uint32) { t.conns[flow] = connection{} }
