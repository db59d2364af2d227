package locallambda

import (
	"bytes"
	"strconv"
)

// statusKiB finds a line like "VmRSS:     1234 kB" of /proc/PID/status (proc(5)); 0 where there is none, as for a zombie.
func statusKiB(status []byte, key string) uint64 {
	for line := range bytes.Lines(status) {
		rest, found := bytes.CutPrefix(line, []byte(key))
		if !found {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return 0
		}
		n, err := strconv.ParseUint(string(fields[0]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}
