package pktgen

import "encoding/binary"

// A probe stands behind the UDP header of each frame, in network byte order:
//
//	0      2      4           8             12                    18
//	+------+------+-----------+-------------+----------------------+
//	| magic| run  | flow      | sequence    | time, ns, low 48 bits|
//	+------+------+-----------+-------------+----------------------+
//
// 18 bytes are what a 64-byte IPv4 frame has room for. 48 bits of nanoseconds are 78 hours, far longer than a frame is away.
const (
	probeLen   = 18
	probeMagic = 0x67d7
	timeMask   = 1<<48 - 1
)

type probe struct {
	run      uint16 // of one trial and end: a frame of the trial before is not this one's
	flow     uint32
	sequence uint32
	time     uint64
}

func putProbe(b []byte, p probe) {
	_ = b[probeLen-1]
	binary.BigEndian.PutUint16(b, probeMagic)
	binary.BigEndian.PutUint16(b[2:], p.run)
	binary.BigEndian.PutUint32(b[4:], p.flow)
	binary.BigEndian.PutUint32(b[8:], p.sequence)
	binary.BigEndian.PutUint16(b[12:], uint16(p.time>>32))
	binary.BigEndian.PutUint32(b[14:], uint32(p.time))
}

func readProbe(b []byte) (p probe, ok bool) {
	if len(b) < probeLen || binary.BigEndian.Uint16(b) != probeMagic {
		return p, false
	}
	p.run = binary.BigEndian.Uint16(b[2:])
	p.flow = binary.BigEndian.Uint32(b[4:])
	p.sequence = binary.BigEndian.Uint32(b[8:])
	p.time = uint64(binary.BigEndian.Uint16(b[12:]))<<32 | uint64(binary.BigEndian.Uint32(b[14:]))
	return p, true
}
