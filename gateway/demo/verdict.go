package demo

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/granule-nf/granule/perf/traffic"
)

// verdict prints what became of everything, and reports whether it is as promised.
func (r *run) verdict() (good bool) {
	r.view.leave()
	good = true
	say := func(ok bool, name, format string, args ...any) {
		mark := r.view.green("PASS")
		if !ok {
			mark, good = r.view.red("FAIL"), false
		}
		fmt.Fprintf(r.view.w, "   %s   %-10s"+format+"\n", append([]any{mark, name}, args...)...)
	}
	fmt.Fprintln(r.view.w)
	for side, way := range []string{"inside -> outside", "outside -> inside"} {
		t := &r.tcp[side]
		for i, f := range t.Flows {
			say(f.Sent == f.Received && f.SentHash == f.ReceivedHash && f.Sent > 0, "TCP", "%s, connection %d: %s bytes sent, %s received, SHA-256 %s",
				way, i+1, grouped(uint64(f.Sent)), grouped(uint64(f.Received)), hashes(f))
		}
	}
	for side, way := range []string{"inside -> outside", "outside -> inside"} {
		u := &r.udp[side]
		say(u.Sent > 0 && u.Lost() == 0 && u.Reordered == 0 && u.Duplicates == 0 && u.Corrupt == 0, "UDP",
			"%s: %s sent, %d lost, %d reordered, %d duplicated, %d corrupted; one way p50 <= %s, p99 <= %s, max %s", way, grouped(u.Sent),
			u.Lost(), u.Reordered, u.Duplicates, u.Corrupt, brief(u.Latency.Percentile(50)), brief(u.Latency.Percentile(99)), brief(u.Latency.Max()))
	}
	say(r.kill.successor != 0, "worker", "%d (process %d) killed with SIGKILL; worker %d was active after %s; %s packets were redispatched",
		r.kill.worker, r.kill.pid, r.kill.successor, brief(r.kill.took), grouped(r.final.Packets.Redispatched))
	say(r.closed.Sent == closedPackets && r.closed.Received == 0, "firewall", "%d packets to a port that no rule accepts: %d arrived", r.closed.Sent, r.closed.Received)

	l := r.final.Ledger
	in, out := l.Received+l.Injected, l.Forwarded+l.Bypassed+l.DroppedTotal()+l.InFlight
	sign := "="
	if in != out {
		sign = "!="
	}
	dropped := ""
	if len(l.Dropped) > 0 {
		dropped = " (" + byReason(l.Dropped) + ")"
	}
	say(in == out && l.InFlight == 0 && l.DroppedTotal() == r.closed.Sent, "ledger", "received %s + injected %s %s forwarded %s + bypassed %s + dropped %s%s + in flight %s",
		grouped(l.Received), grouped(l.Injected), sign, grouped(l.Forwarded), grouped(l.Bypassed), grouped(l.DroppedTotal()), dropped, grouped(l.InFlight))
	if good {
		fmt.Fprintln(r.view.w, "\n   "+r.view.green("A worker died, and no packet was lost or overtook another."))
	} else {
		fmt.Fprintln(r.view.w, "\n   "+r.view.red("Something is not as it should be."))
	}
	return good
}

// hashes shows both ends' hashes, as far as eyes compare them.
func hashes(f traffic.TCPFlow) string {
	a, b := hex.EncodeToString(f.SentHash[:6]), hex.EncodeToString(f.ReceivedHash[:6])
	if f.SentHash == f.ReceivedHash {
		return a + ".. at both ends"
	}
	return a + ".. sent and " + b + ".. received"
}

// byReason writes counts by name, in alphabetical order.
func byReason(m map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
