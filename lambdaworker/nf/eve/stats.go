package eve

import "strings"

// Stat is one counter of a stats event. Dots in Name make nested objects; names with a common beginning stand together.
type Stat struct {
	Name  string
	Value uint64
}

// AppendStats appends an event of type stats, dated now (ns since the Unix epoch), of something that is up for uptime seconds. host
// names it, as Suricata's sensor-name does; it may be empty.
func AppendStats(dst []byte, now int64, host string, uptime uint64, stats []Stat) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = AppendTime(dst, now)
	dst = append(dst, `","event_type":"stats"`...)
	if host != "" {
		dst = append(dst, `,"host":`...)
		dst = AppendString(dst, host)
	}
	dst = appendUint(dst, `,"stats":{"uptime":`, uptime)
	open := "" // the objects that are open, as a path that ends in a dot
	for _, s := range stats {
		comma := true
		for !strings.HasPrefix(s.Name, open) {
			dst = append(dst, '}')
			open = open[:strings.LastIndexByte(open[:len(open)-1], '.')+1]
		}
		for {
			rest := s.Name[len(open):]
			if comma {
				dst = append(dst, ',')
			}
			dot := strings.IndexByte(rest, '.')
			if dot < 0 {
				dst = AppendString(dst, rest)
				dst = appendUint(dst, ":", s.Value)
				break
			}
			dst = AppendString(dst, rest[:dot])
			dst = append(dst, ':', '{')
			open = s.Name[:len(open)+dot+1]
			comma = false
		}
	}
	for range strings.Count(open, ".") {
		dst = append(dst, '}')
	}
	return append(dst, "}}"...)
}
