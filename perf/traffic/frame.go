package traffic

import (
	"encoding/binary"
	"net"
)

// udpFrame is an Ethernet frame with an empty UDP datagram over IPv4, padded to size bytes without FCS. The UDP checksum is
// left out, as RFC 768 allows.
func udpFrame(size int, from, to net.HardwareAddr, src, dst net.IP, sport, dport uint16) []byte {
	b := make([]byte, max(size, 14+20+8))
	copy(b, to)
	copy(b[6:], from)
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	ip[6] = 0x40 // don't fragment
	ip[8], ip[9] = 64, 17
	copy(ip[12:16], src.To4())
	copy(ip[16:20], dst.To4())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	udp := ip[20:]
	binary.BigEndian.PutUint16(udp, sport)
	binary.BigEndian.PutUint16(udp[2:], dport)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	return b
}
