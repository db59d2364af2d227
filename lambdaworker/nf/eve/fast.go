package eve

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// AppendFast appends the fast.log line of the alert that AppendAlert writes, without a newline:
//
//	10/05/2010-10:08:59.667372  [Drop] [**] [1:2009187:4] message [**] [Classification: category] [Priority: 3] {TCP} 192.0.2.1:80 -> 198.51.100.2:2543
func AppendFast(dst []byte, p *nf.Packet, s *Signature, blocked bool) []byte {
	dst = fastStart(dst, p.Time, s, blocked)
	dst = AppendProto(dst, p.Proto)
	dst = append(dst, '}', ' ')
	dst = fastEnd(dst, p.Src(p.Data), p.SrcPort)
	dst = append(dst, " -> "...)
	return fastEnd(dst, p.Dst(p.Data), p.DstPort)
}

func fastStart(dst []byte, t int64, s *Signature, blocked bool) []byte {
	dst = time.Unix(0, t).UTC().AppendFormat(dst, "01/02/2006-15:04:05.000000  ")
	if blocked {
		dst = append(dst, "[Drop] "...)
	}
	dst = appendUint(dst, "[**] [", uint64(s.GID))
	dst = appendUint(dst, ":", uint64(s.ID))
	dst = appendUint(dst, ":", uint64(s.Rev))
	dst = append(dst, "] "...)
	for i := range len(s.Message) { // one event, one line, whatever a rule's message holds
		if c := s.Message[i]; c >= 0x20 && c != 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, ' ')
		}
	}
	dst = append(dst, " [**] [Classification: "...)
	if s.Category == "" {
		dst = append(dst, "(null)"...)
	} else {
		dst = append(dst, s.Category...)
	}
	dst = appendUint(dst, "] [Priority: ", uint64(s.Severity))
	return append(dst, "] {"...)
}

// fastEnd appends address:port; Suricata writes no brackets around IPv6 addresses and port 0 where there is none.
func fastEnd(dst, addr []byte, port uint16) []byte {
	dst = appendAddr(dst, addr)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, uint64(port), 10)
}

// Fast appends the fast.log line of line, an EVE alert, and reports whether line was one. It serves the process that writes
// the files and has the events as lines alone; it allocates.
func Fast(dst, line []byte) ([]byte, bool) {
	var v struct {
		Timestamp string     `json:"timestamp"`
		Type      string     `json:"event_type"`
		Src       netip.Addr `json:"src_ip"`
		Dst       netip.Addr `json:"dest_ip"`
		SrcPort   uint16     `json:"src_port"`
		DstPort   uint16     `json:"dest_port"`
		Proto     string     `json:"proto"`
		Alert     struct {
			Action   string `json:"action"`
			GID      uint32 `json:"gid"`
			ID       uint32 `json:"signature_id"`
			Rev      uint32 `json:"rev"`
			Message  string `json:"signature"`
			Category string `json:"category"`
			Severity uint8  `json:"severity"`
		} `json:"alert"`
	}
	if json.Unmarshal(line, &v) != nil || v.Type != "alert" {
		return dst, false
	}
	t, err := time.Parse("2006-01-02T15:04:05.000000-0700", v.Timestamp)
	if err != nil {
		return dst, false
	}
	s := Signature{GID: v.Alert.GID, ID: v.Alert.ID, Rev: v.Alert.Rev, Message: v.Alert.Message, Category: v.Alert.Category, Severity: v.Alert.Severity}
	dst = fastStart(dst, t.UnixNano(), &s, v.Alert.Action == "blocked")
	return fmt.Appendf(dst, "%s} %v:%d -> %v:%d", v.Proto, v.Src, v.SrcPort, v.Dst, v.DstPort), true
}
