package appliance

import (
	"context"
	"errors"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manager is a service manager's socket.
func manager(t *testing.T) (env map[string]string, next func() map[string]string) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return map[string]string{"NOTIFY_SOCKET": path}, func() map[string]string {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]string{}
		for line := range strings.Lines(string(b[:n])) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			said[k] = v
		}
		return said
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(k string) (string, bool) { v, ok := env[k]; return v, ok }
}

func TestTheManagerHearsOfReadinessAndOfALoopThatStands(t *testing.T) {
	env, next := manager(t)
	env["WATCHDOG_USEC"] = "30000"
	n, err := newNotifier(lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	var turns atomic.Int32
	asked := make(chan struct{}, 1000)
	live := func() error {
		asked <- struct{}{}
		if turns.Add(1) == 2 || turns.Load() > 4 { // not yet, then for a while, then no more
			return errors.New("stands")
		}
		return nil
	}
	turns.Store(1) // the first question is turn 2: not live yet
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.run(ctx, live, func() string { return "fine" }) }()
	if got, want := next(), (map[string]string{"WATCHDOG": "1", "STATUS": "fine", "READY": "1"}); !maps.Equal(got, want) {
		t.Errorf("first: %v, want %v", got, want)
	}
	if got, want := next(), (map[string]string{"WATCHDOG": "1", "STATUS": "fine"}); !maps.Equal(got, want) {
		t.Errorf("then: %v, want %v", got, want)
	}
	for range 6 { // asked again and again, and nothing said
		<-asked
	}
	cancel()
	<-ended
	if got := next(); got["STOPPING"] != "1" || got["WATCHDOG"] != "" {
		t.Errorf("at the end: %v", got)
	}
}

func TestAReloadIsBracketed(t *testing.T) {
	env, next := manager(t)
	n, err := newNotifier(lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	done := n.reloading()
	if got := next(); got["RELOADING"] != "1" || got["MONOTONIC_USEC"] == "" {
		t.Errorf("begun: %v", got)
	}
	done()
	if got := next(); got["READY"] != "1" {
		t.Errorf("done: %v", got)
	}
}

func TestWithoutAManagerNothingIsSaid(t *testing.T) {
	n, err := newNotifier(lookup(nil))
	if err != nil || n.conn != nil {
		t.Fatalf("%v, %v", n, err)
	}
	n.say("READY=1")
	n.reloading()()
	n.run(t.Context(), nil, nil) // asks nobody, and returns
}

func TestAWatchdogForAnotherProcessIsNotFed(t *testing.T) {
	env, _ := manager(t)
	env["WATCHDOG_USEC"], env["WATCHDOG_PID"] = "1000000", "1"
	n, err := newNotifier(lookup(env))
	if err != nil || n.watchdog != 0 {
		t.Errorf("watchdog %s, %v", n.watchdog, err)
	}
}

func TestASocketThatIsNotThereIsSaid(t *testing.T) {
	_, err := newNotifier(lookup(map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "none")}))
	if err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET") {
		t.Errorf("got %v", err)
	}
}
