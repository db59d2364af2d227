package appliance

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutines are those that run now, by what made them: a stack each.
func goroutines() map[string]int {
	buf := make([]byte, 1<<20)
	by := map[string]int{}
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		_, maker, _ := strings.Cut(stack, "created by ")
		maker, _, _ = strings.Cut(maker, " in goroutine")
		by[maker]++
	}
	return by
}

// noGoroutineLeft checks that what runs now ran before, too; those that are ending have a moment for it.
func noGoroutineLeft(t *testing.T, before map[string]int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left := false
		for maker, n := range goroutines() {
			if n > before[maker] {
				left = true
				if time.Now().After(end) {
					t.Errorf("%d goroutines left behind that %s made", n-before[maker], maker)
				}
			}
		}
		if !left || time.Now().After(end) {
			return
		}
	}
}
