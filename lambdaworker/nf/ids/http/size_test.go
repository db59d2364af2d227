package http

import (
	"testing"
	"unsafe"
)

// TestSizes: what a worker pays for each flow and transaction that it follows, whatever they carry.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name      string
		size, max uintptr
	}{{"transaction", unsafe.Sizeof(Tx{}), 320}, {"flow", unsafe.Sizeof(conn{}), 128}, {"inflater", unsafe.Sizeof(inflater{}), 40 << 10}, {"chain of encodings", unsafe.Sizeof(chain{}), 5 << 10}} {
		if c.size > c.max {
			t.Errorf("a %s has %d bytes, more than %d", c.name, c.size, c.max)
		}
		t.Logf("%s: %d bytes", c.name, c.size)
	}
}
