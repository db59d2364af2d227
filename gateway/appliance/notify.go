package appliance

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifier tells the service manager how the gateway is: the protocol of sd_notify(3), which is datagrams to the socket that
// NOTIFY_SOCKET names. Without one, as outside systemd, it says nothing.
type notifier struct {
	conn     net.Conn
	watchdog time.Duration // how often it wants to hear that the data loop turns; 0: not at all
}

// newNotifier reads NOTIFY_SOCKET and WATCHDOG_USEC by lookup. An error says that the socket can not be reached.
func newNotifier(lookup func(string) (string, bool)) (notifier, error) {
	path, ok := lookup("NOTIFY_SOCKET")
	if !ok || path == "" {
		return notifier{}, nil
	}
	if strings.HasPrefix(path, "@") { // an abstract address
		path = "\x00" + path[1:]
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return notifier{}, fmt.Errorf("service manager's socket NOTIFY_SOCKET=%s: %w", path, err)
	}
	n := notifier{conn: conn}
	if text, ok := lookup("WATCHDOG_USEC"); ok {
		pid, named := lookup("WATCHDOG_PID")
		if us, err := strconv.ParseInt(text, 10, 64); err == nil && us > 0 && (!named || pid == strconv.Itoa(os.Getpid())) {
			n.watchdog = time.Duration(us) * time.Microsecond / 3
		}
	}
	return n, nil
}

// say sends lines. A manager that does not listen is no reason to stop.
func (n notifier) say(lines ...string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(strings.Join(lines, "\n")))
	}
}

// run says READY when the data loop turns for the first time: from then on frames are answered for, by workers or by policy.
// Then it keeps the status line and the watchdog fed until ctx ends. A data loop that stands still does not feed the watchdog, so
// the manager ends a gateway whose packets stopped, whatever else of it lives.
func (n notifier) run(ctx context.Context, live func() error, status func() string) {
	if n.conn == nil {
		return
	}
	every := time.Second
	if n.watchdog > 0 {
		every = min(every, n.watchdog)
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for ready := false; ; {
		if live() == nil {
			lines := []string{"WATCHDOG=1", "STATUS=" + status()}
			if !ready {
				ready, lines = true, append(lines, "READY=1")
			}
			n.say(lines...)
		}
		select {
		case <-ctx.Done():
			n.say("STOPPING=1", "STATUS=stopping: waiting for packets in flight")
			return
		case <-t.C:
		}
	}
}

// reloading brackets a reload: the manager's reload job ends with the second call.
func (n notifier) reloading() (done func()) {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	n.say("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(ts.Nano()/1000, 10))
	return func() { n.say("READY=1") }
}

// notice is the status line: what `systemctl status` shows.
func (a *Appliance) notice() string {
	s := a.Status()
	state := "ready"
	switch {
	case !s.Ready:
		state = "not ready: " + strings.Join(s.NotReady, "; ")
	case len(s.Degraded) > 0:
		state = "degraded: " + strings.Join(s.Degraded, "; ")
	}
	var dropped uint64
	for _, n := range s.Ledger.Dropped {
		dropped += n
	}
	return fmt.Sprintf("%s; %d workers, %d packets received, %d forwarded, %d dropped", strings.ReplaceAll(state, "\n", " "), len(s.Workers), s.Ledger.Received, s.Ledger.Forwarded, dropped)
}
