package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"golang.org/x/sys/unix"
)

// view shows a demo: on a terminal a block that is painted over, elsewhere a line a second.
type view struct {
	w        io.Writer
	terminal bool
	mu       sync.Mutex
	painted  int // lines of the block that stand on the terminal
}

// sample is one look at a running demo.
type sample struct {
	after    time.Duration
	tcp, udp [2]uint64 // bytes and packets that arrived, by the side that sends
	status   *rig.Status
}

func newView(w io.Writer) *view {
	v := &view{w: w}
	if f, ok := w.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		v.terminal = err == nil
	}
	return v
}

func (v *view) head() {
	fmt.Fprint(v.w, `
   inside host                   gateway                   outside host
    10.77.0.1                                                10.77.0.2
   +---------+         +-------------------------+         +----------+
   |  eth0  -+--veth---+- AF_XDP         AF_XDP -+--veth---+-  eth0   |
   +---------+         +------------+------------+         +----------+
                              TLS 1.3 over TCP
                       +------------+------------+
                       |   local Lambda workers  |
                       |   counter -> firewall   |
                       +-------------------------+

`)
}

// note says what has been done.
func (v *view) note(format string, args ...any) {
	fmt.Fprintf(v.w, "   "+v.green("*")+" "+format+"\n", args...)
}

// event puts a line above the block.
func (v *view) event(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	fmt.Fprintln(v.w, "   "+v.yellow(fmt.Sprintf(format, args...)))
}

func (v *view) every() time.Duration {
	if v.terminal {
		return 200 * time.Millisecond
	}
	return time.Second
}

// show paints what happened between two looks.
func (v *view) show(whole time.Duration, last, now sample) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last.status == nil {
		last.status = &rig.Status{}
	}
	dt := (now.after - last.after).Seconds()
	rate := func(a, b uint64) float64 { return float64(b-a) / dt }
	p50, p99 := now.status.DelaySince(last.status)
	l := now.status.Ledger
	if !v.terminal {
		fmt.Fprintf(v.w, "   %5.1f s   TCP %.2f out %.2f in Gbit/s   UDP %.0f out %.0f in /s   delay p50 <= %s p99 <= %s   in flight %d   dropped %d   %s\n",
			now.after.Seconds(), rate(last.tcp[0], now.tcp[0])*8/1e9, rate(last.tcp[1], now.tcp[1])*8/1e9, rate(last.udp[0], now.udp[0]),
			rate(last.udp[1], now.udp[1]), brief(p50), brief(p99), l.InFlight, l.DroppedTotal(), workersLine(now.status))
		return
	}
	const width = 40
	full := int(min(now.after.Seconds()/whole.Seconds(), 1) * width)
	b := new(strings.Builder)
	fmt.Fprintf(b, "\n   %5.1f s   %s%s\n\n", now.after.Seconds(), strings.Repeat("#", full), strings.Repeat("-", width-full))
	fmt.Fprintf(b, "   %-8s%20s%20s\n", "", "inside -> outside", "outside -> inside")
	fmt.Fprintf(b, "   %-8s%13.2f Gbit/s%13.2f Gbit/s\n", "TCP", rate(last.tcp[0], now.tcp[0])*8/1e9, rate(last.tcp[1], now.tcp[1])*8/1e9)
	fmt.Fprintf(b, "   %-8s%11.0f packet/s%11.0f packet/s\n\n", "UDP", rate(last.udp[0], now.udp[0]), rate(last.udp[1], now.udp[1]))
	fmt.Fprintf(b, "   %-8sin the gateway, p50 <= %s, p99 <= %s\n", "delay", brief(p50), brief(p99))
	fmt.Fprintf(b, "   %-8sreceived %s = forwarded %s + bypassed %s + dropped %s + in flight %s\n", "ledger", grouped(l.Received+l.Injected),
		grouped(l.Forwarded), grouped(l.Bypassed), grouped(l.DroppedTotal()), grouped(l.InFlight))
	name := "workers"
	for _, w := range now.status.Workers {
		text := fmt.Sprintf("%d %-8s", w.ID, w.State)
		if r, ok := rig.WorkerReport(now.status, w.ID); ok {
			text += fmt.Sprintf("  process %-7d %12s packets", r.PID, grouped(r.Packets))
		}
		fmt.Fprintf(b, "   %-8s%s\n", name, text)
		name = ""
	}
	v.erase()
	fmt.Fprint(v.w, b.String())
	v.painted = strings.Count(b.String(), "\n")
}

// erase takes the block off the terminal.
func (v *view) erase() {
	if v.painted > 0 {
		fmt.Fprintf(v.w, "\x1b[%dA\x1b[J", v.painted)
		v.painted = 0
	}
}

// leave lets the block stand.
func (v *view) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.painted = 0
}

func workersLine(s *rig.Status) string {
	var parts []string
	for _, w := range s.Workers {
		parts = append(parts, fmt.Sprintf("worker %d %s", w.ID, w.State))
	}
	return strings.Join(parts, ", ")
}

func (v *view) green(s string) string  { return v.paint("32", s) }
func (v *view) yellow(s string) string { return v.paint("33", s) }
func (v *view) red(s string) string    { return v.paint("1;31", s) }

func (v *view) paint(code, s string) string {
	if !v.terminal || os.Getenv("NO_COLOR") != "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// brief is a duration with three digits.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return d.String()
	case d < 10*time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// grouped is a number with its thousands apart.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
