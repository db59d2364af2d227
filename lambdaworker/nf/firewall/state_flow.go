package firewall

import (
	"encoding/binary"
	"errors"
)

// flowVersion is the version of the record that AppendFlow makes.
const flowVersion = 1

// flowRecord is its length: a connection's fields in the order of connection, little endian.
const flowRecord = 2*8 + 4 + 2*(4*4+2) + 5 + 2 + 3*4

var errRecord = errors.New("a connection's record is damaged; expected what AppendFlow of this version makes")

// StateVersion tells records of this version from others.
func (f *Firewall) StateVersion() uint16 { return flowVersion }

// AppendFlow appends the connection of flow. The verdict cache is not part of it: it is found again.
func (f *Firewall) AppendFlow(dst []byte, flow uint32) []byte {
	if f.track == nil {
		return dst
	}
	c := &f.track.conns[flow]
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
	return le.AppendUint32(dst, c.lastEnd)
}

// ApplyFlow replaces the connection of flow.
func (f *Firewall) ApplyFlow(flow uint32, data []byte) error {
	f.ForgetFlow(flow)
	if f.track == nil {
		return nil // the rules of this generation don't ask for ct state
	}
	if len(data) != flowRecord {
		return errRecord
	}
	le := binary.LittleEndian
	c := connection{expires: [2]int64{int64(le.Uint64(data)), int64(le.Uint64(data[8:]))}}
	d := data[16:]
	c.proto, c.origin, c.status, c.tcp = d[0], d[1], d[2], tcpState(d[3])
	d = d[4:]
	for i := range c.half {
		c.half[i] = tcpHalf{le.Uint32(d), le.Uint32(d[4:]), le.Uint32(d[8:]), le.Uint32(d[12:]), d[16], d[17]}
		d = d[18:]
	}
	c.lastDir, c.lastKind, c.flags, c.scale, c.retrans = d[0], segmentKind(d[1]), d[2], d[3], d[4]
	c.lastWin, c.lastSeq, c.lastAck, c.lastEnd = le.Uint16(d[5:]), le.Uint32(d[7:]), le.Uint32(d[11:]), le.Uint32(d[15:])
	if c.proto == 0 || c.origin > 1 || c.lastDir > 1 || c.tcp >= numTCPStates || c.lastKind >= numSegmentKinds {
		return errRecord
	}
	f.track.conns[flow] = c
	return nil
}

// ForgetFlow empties what is known of flow.
func (f *Firewall) ForgetFlow(flow uint32) {
	if int(flow) < len(f.cache) {
		f.cache[flow] = [2]cached{}
	}
	if f.track != nil {
		f.track.conns[flow] = connection{}
	}
}
