package pktgen

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/granule-nf/granule/ingress/packet"
)

// template is a frame of one flow and size, whole but for its probe and what depends on it.
type template struct {
	frame []byte
	at    int    // where the probe begins; the UDP checksum is two bytes in front of it
	sum   uint64 // of pseudo-header, UDP header and the bytes behind the probe
}

// heading is what an end's frames have in common.
type heading struct {
	srcMAC, dstMAC net.HardwareAddr
	src, dst       netip.Addr
	vlan           uint16
}

// newTemplate makes a frame of size bytes with its FCS, which is not in it: the NIC adds that.
func newTemplate(d heading, srcPort, dstPort uint16, size int) template {
	f := make([]byte, 0, size-fcs)
	f = append(f, d.dstMAC...)
	f = append(f, d.srcMAC...)
	if d.vlan != 0 {
		f = binary.BigEndian.AppendUint16(f, 0x8100)
		f = binary.BigEndian.AppendUint16(f, d.vlan)
	}
	var pseudo uint64
	if d.src.Is4() {
		f = binary.BigEndian.AppendUint16(f, 0x0800)
		length := size - fcs - len(f)
		header := len(f)
		f = append(f, 0x45, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(length))
		f = append(f, 0, 0, 0x40, 0, 64, 17, 0, 0) // not to be fragmented, TTL 64, UDP, checksum to come
		f = append(f, d.src.AsSlice()...)
		f = append(f, d.dst.AsSlice()...)
		binary.BigEndian.PutUint16(f[header+10:], packet.Fold(packet.Sum(0, f[header:])))
	} else {
		f = binary.BigEndian.AppendUint16(f, 0x86dd)
		f = append(f, 0x60, 0, 0, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(size-fcs-len(f)-4-32))
		f = append(f, 17, 64)
		f = append(f, d.src.AsSlice()...)
		f = append(f, d.dst.AsSlice()...)
	}
	pseudo = packet.Sum(pseudo, d.src.AsSlice())
	pseudo = packet.Sum(pseudo, d.dst.AsSlice())
	udp := len(f)
	length := size - fcs - udp
	f = binary.BigEndian.AppendUint16(f, srcPort)
	f = binary.BigEndian.AppendUint16(f, dstPort)
	f = binary.BigEndian.AppendUint16(f, uint16(length))
	f = append(f, 0, 0)
	f = append(f, make([]byte, size-fcs-len(f))...)
	pseudo += 17 + uint64(length)
	return template{frame: f, at: udp + 8, sum: packet.Sum(pseudo, f[udp:])}
}

// stamp puts p into the frame and mends its UDP checksum.
func (t *template) stamp(p probe) []byte {
	b := t.frame[t.at : t.at+probeLen]
	putProbe(b, p)
	c := packet.Fold(packet.Sum(t.sum, b))
	if c == 0 {
		c = 0xffff // 0 says that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(t.frame[t.at-2:], c)
	return t.frame
}

// payload is what stands behind the UDP header of a frame that one of our ends sent, or nil.
func payload(f []byte) []byte {
	at := 12
	for len(f) >= at+4 {
		switch binary.BigEndian.Uint16(f[at:]) {
		case 0x8100, 0x88a8:
			at += 4
		case 0x0800:
			return behind(f, at+2, 9, 20)
		case 0x86dd:
			return behind(f, at+2, 6, 40)
		default:
			return nil
		}
	}
	return nil
}

// behind is what follows the UDP header behind an IP header of length bytes whose protocol is at proto.
func behind(f []byte, ip, proto, length int) []byte {
	if len(f) < ip+length+8 || f[ip+proto] != 17 {
		return nil
	}
	return f[ip+length+8:]
}

// templates are the frames of one end, in the order in which they are sent: flows in turn, sizes in turn, each by its weight. Where the
// two cycles would not meet every combination, the cycle is as long as it takes.
func templates(d heading, c *Config, reversed bool) []template {
	var sizes []int
	for left := true; left; { // 64 594 64 1518 64 ...: a size's frames are spread over the cycle, not sent in a row
		left = false
		for _, s := range c.Sizes {
			used := 0
			for _, z := range sizes {
				if z == s.Size {
					used++
				}
			}
			if used < s.Weight {
				sizes, left = append(sizes, s.Size), true
			}
		}
	}
	n := len(sizes) * c.Flows / gcd(len(sizes), c.Flows)
	out := make([]template, n)
	for i := range out {
		flow := uint16(i % c.Flows)
		src, dst := c.SrcPort+flow, c.DstPort
		if reversed {
			src, dst = dst, src
		}
		out[i] = newTemplate(d, src, dst, sizes[i%len(sizes)])
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
