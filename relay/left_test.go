package relay

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/relay/wire"
)

// serving counts the goroutines that run a Listener's code.
func serving() (n int, stacks string) {
	buf := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "granule/relay.(*Listener)") {
			n++
			stacks += stack + "\n\n"
		}
	}
	return n, stacks
}

// Close leaves no goroutine behind: not for strangers in the middle of their handshake, nor for workers that have joined, nor for those
// that were refused.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		if n, stacks := serving(); n > 0 {
			t.Fatalf("%d goroutines of an earlier test:\n%s", n, stacks)
		}
		d := newDoor(t, secure, nil)
		var strangers []net.Conn
		for range 8 {
			strangers = append(strangers, d.dial()) // who say nothing
		}
		token := d.Expect(1, 1, 1, d.cfg.Now().Add(time.Minute))
		if got := d.join(secure, token, 1, 1, 0); got != wire.TypeWelcome {
			t.Fatalf("answered %v, expected a welcome", got)
		}
		if got := d.join(secure, token, 1, 1, 0); got != wire.TypeBye {
			t.Fatalf("answered %v, expected a bye", got)
		}
		if n, _ := serving(); n < len(strangers) {
			t.Fatalf("%d goroutines serve %d strangers: this looks for the wrong ones", n, len(strangers))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		n, stacks := serving()
		for end := time.Now().Add(5 * time.Second); n > 0 && time.Now().Before(end); n, stacks = serving() {
			time.Sleep(time.Millisecond)
		}
		if n > 0 {
			t.Errorf("%d goroutines left behind:\n%s", n, stacks)
		}
		for _, c := range strangers {
			_ = c.Close()
		}
	})
}
