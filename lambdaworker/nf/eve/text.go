package eve

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/granule-nf/granule/ingress/packet"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a quoted JSON string. Bytes off the wire need not be UTF-8: one that is no part of a character becomes
// the four characters \xNN, as Suricata prints it, so that every line is valid JSON whatever a sender wrote.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20 && c < 0x7f:
			dst = append(dst, c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x80:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			var four [utf8.UTFMax]byte
			n := copy(four[:], s[i:])
			r, size := utf8.DecodeRune(four[:n])
			if r == utf8.RuneError && size <= 1 {
				dst = append(dst, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
				break
			}
			dst = append(dst, four[:size]...)
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}

// AppendTime appends t, in ns since the Unix epoch, as Suricata writes times: microseconds, and the zone without a colon.
func AppendTime(dst []byte, t int64) []byte {
	return time.Unix(0, t).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000-0700")
}

// appendAddr appends 4 or 16 address bytes as text (RFC 5952).
func appendAddr(dst, addr []byte) []byte {
	a, _ := netip.AddrFromSlice(addr)
	return a.AppendTo(dst)
}

// AppendProto appends the protocol's name as Suricata has it; unknown ones are three digits.
func AppendProto(dst []byte, proto uint8) []byte {
	switch proto {
	case packet.ProtoTCP:
		return append(dst, "TCP"...)
	case packet.ProtoUDP:
		return append(dst, "UDP"...)
	case packet.ProtoICMP:
		return append(dst, "ICMP"...)
	case packet.ProtoICMPv6:
		return append(dst, "IPv6-ICMP"...)
	case packet.ProtoSCTP:
		return append(dst, "SCTP"...)
	case packet.ProtoIGMP:
		return append(dst, "IGMP"...)
	case packet.ProtoGRE:
		return append(dst, "GRE"...)
	case packet.ProtoESP:
		return append(dst, "ESP"...)
	case packet.ProtoAH:
		return append(dst, "AH"...)
	case packet.ProtoUDPLite:
		return append(dst, "UDPLite"...)
	}
	return append(dst, '0'+proto/100, '0'+proto/10%10, '0'+proto%10)
}

func appendUint(dst []byte, name string, v uint64) []byte {
	dst = append(dst, name...)
	return strconv.AppendUint(dst, v, 10)
}

func appendBool(dst []byte, name string, v bool) []byte {
	dst = append(dst, name...)
	return strconv.AppendBool(dst, v)
}
