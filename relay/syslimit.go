package relay

import (
	"os"
	"strconv"
	"strings"
)

// systemLimit reads a limit of /proc/sys/net/core; 0 where it can't be read.
func systemLimit(name string) int {
	b, err := os.ReadFile("/proc/sys/net/core/" + name)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return n
}
