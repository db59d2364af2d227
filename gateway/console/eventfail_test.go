package console

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A disk that is full loses events: they are counted, and it is said once, with the reason.
func TestDiskFullIsSaidOnce(t *testing.T) {
	var said atomic.Int32
	var why atomic.Value
	e, err := OpenEventLog("/dev/full", func(err error) {
		said.Add(1)
		why.Store(err.Error())
	})
	if err != nil {
		t.Skip(err)
	}
	lane := e.Lane()
	for n := uint64(1); n <= 3; n++ {
		lane.Add([]byte("{}\n"), 0)
		for end := time.Now().Add(20 * time.Second); e.Counters().Lost != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%+v; expected %d lost", e.Counters(), n)
			}
		}
	}
	if s, _ := why.Load().(string); said.Load() != 1 || !strings.Contains(s, "no space left on device") || e.Failing() == nil {
		t.Errorf("said %d times: %s; failing: %v", said.Load(), s, e.Failing())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
