package traffic

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// TestTCPArrivesWhole: counts and hashes agree in both directions, for bytes and for durations.
func TestTCPArrivesWhole(t *testing.T) {
	for name, run := range map[string]TCP{
		"bytes":    {Bytes: 3<<20 + 17, Flows: 3},
		"duration": {Duration: 50 * time.Millisecond},
		"download": {Bytes: 1 << 20, Flows: 2, Download: true, Window: 64 << 10},
		"nothing":  {Bytes: 1, Flows: 1, Unhashed: true},
	} {
		t.Run(name, func(t *testing.T) {
			run.From, run.To, run.Address, run.Timeout = Here{}, Here{}, "127.0.0.1", 20*time.Second
			m := new(Meter)
			run.Meter = m
			r, err := run.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !r.Intact() || r.Sent() == 0 || uint64(r.Received()) != m.Received.Load() || run.Bytes > 0 && r.Sent() != run.Bytes*int64(len(r.Flows)) {
				t.Errorf("sent %d, received %d, metered %d, intact %t", r.Sent(), r.Received(), m.Received.Load(), r.Intact())
			}
			for i := 1; i < len(r.Flows) && !run.Unhashed; i++ {
				if r.Flows[i].SentHash == r.Flows[0].SentHash {
					t.Errorf("flows 0 and %d carry the same bytes", i)
				}
			}
		})
	}
}

// TestUntil: what is to go on until somebody says so does, past its bytes or its count, and what arrives is still whole.
func TestUntil(t *testing.T) {
	until := make(chan struct{})
	tcp, udp := new(Meter), new(Meter)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		for ctx.Err() == nil && (tcp.Received.Load() < 1<<20 || udp.Received.Load() < 20) {
			time.Sleep(time.Millisecond)
		}
		close(until)
	}()
	var wg sync.WaitGroup
	wg.Go(func() {
		r, err := TCP{From: Here{}, To: Here{}, Address: "127.0.0.1", Bytes: 17, Until: until, Meter: tcp}.Run(ctx)
		if err != nil || !r.Intact() || r.Sent() < 1<<20 {
			t.Errorf("TCP: %d sent, %d received, %v", r.Sent(), r.Received(), err)
		}
	})
	wg.Go(func() {
		r, err := UDP{From: Here{}, To: Here{}, Address: "127.0.0.1", Count: 2, Until: until, Meter: udp}.Run(ctx)
		if err != nil || r.Sent < 20 || r.Lost() > 0 {
			t.Errorf("UDP: %d sent, %d lost, %v", r.Sent, r.Lost(), err)
		}
	})
	wg.Wait()
}

// TestTCPEndsInTime: a far end that is not there, and a run that is interrupted, are errors and not a wait.
func TestTCPEndsInTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	r, err := TCP{From: Here{}, To: Here{}, Address: "127.0.0.1", Duration: time.Hour}.Run(ctx)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an interrupted run: %+v, %v", r, err)
	}
	if _, err := (TCP{From: deaf{}, To: Here{}, Address: "127.0.0.1"}).Run(t.Context()); !errors.Is(err, errDeaf) {
		t.Errorf("a host that can't dial: %v", err)
	}
}

type deaf struct{}

var errDeaf = errors.New("no sockets here")

func (deaf) Do(func() error) error { return errDeaf }

// TestIntact tells bytes that changed from bytes that did not.
func TestIntact(t *testing.T) {
	same := TCPFlow{Sent: 1, Received: 1}
	other := same
	other.ReceivedHash[3] = 1
	for _, c := range []struct {
		flows []TCPFlow
		want  bool
	}{{nil, false}, {[]TCPFlow{same}, true}, {[]TCPFlow{same, other}, false}, {[]TCPFlow{{Sent: 2, Received: 1}}, false}} {
		if r := (TCPResult{Flows: c.flows}); r.Intact() != c.want {
			t.Errorf("%+v: intact %t", c.flows, r.Intact())
		}
	}
}

// TestStreamRepeatsNothing: chunks of a flow differ, the same flow is the same.
func TestStreamRepeatsNothing(t *testing.T) {
	a, b := newStream(1), newStream(1)
	first := bytes.Clone(a.next(chunkSize))
	if !bytes.Equal(first, b.next(chunkSize)) {
		t.Error("a flow's content is not always the same")
	}
	if bytes.Equal(first, a.next(chunkSize)) {
		t.Error("two chunks are the same")
	}
}

func TestUDPArrives(t *testing.T) {
	r, err := UDP{From: Here{}, To: Here{}, Address: "127.0.0.1", Flows: 4, Rate: 20_000, Count: 1001}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 1001 || r.Lost() != 0 || r.Duplicates+r.Reordered+r.Corrupt+r.Refused != 0 || r.Latency.Count() != 1001 || r.Latency.Max() <= 0 {
		t.Errorf("%+v", r.Sent)
	}
}

// A model: what the tracker says of shuffled numbers is what comparing all pairs says.
func TestSequenceAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var arrivals []uint64
		for n := range uint64(40) {
			for range []int{1, 1, 1, 0, 2}[r.IntN(5)] {
				arrivals = append(arrivals, n)
			}
		}
		r.Shuffle(len(arrivals), func(i, j int) {
			if j-i < 6 && i-j < 6 {
				arrivals[i], arrivals[j] = arrivals[j], arrivals[i]
			}
		})
		var s sequence
		var unique, duplicates, reordered uint64
		for i, n := range arrivals {
			s.arrived(n)
			seen, overtaken := false, false
			for _, before := range arrivals[:i] {
				seen = seen || before == n
				overtaken = overtaken || before > n
			}
			switch {
			case seen:
				duplicates++
			case overtaken:
				reordered++
				unique++
			default:
				unique++
			}
		}
		if s.unique != unique || s.duplicates != duplicates || s.reordered != reordered {
			t.Fatalf("%v: got %d unique, %d duplicates, %d reordered; expected %d, %d, %d", arrivals, s.unique, s.duplicates, s.reordered, unique, duplicates, reordered)
		}
	}
}

// TestLatencyWithinTwoPercent compares percentiles with those of the sorted values.
func TestLatencyWithinTwoPercent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var l, half Latency
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(r.ExpFloat64() * 3e5)
		all = append(all, d)
		if i%2 == 0 {
			l.Add(d)
		} else {
			half.Add(d)
		}
	}
	l.Merge(&half)
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	if l.Count() != 10_000 || l.Min() != all[0] || l.Max() != all[9999] {
		t.Errorf("count %d, min %v, max %v", l.Count(), l.Min(), l.Max())
	}
	for _, p := range []float64{1, 25, 50, 90, 99, 99.9, 100} {
		want := all[max(int(p/100*10_000+0.5)-1, 0)]
		if got := l.Percentile(p); float64(got) < float64(want)*0.98 || float64(got) > float64(want)*1.02 {
			t.Errorf("percentile %v: got %v, expected %v", p, got, want)
		}
	}
	var empty Latency
	if empty.Percentile(50) != 0 || empty.Mean() != 0 {
		t.Error("an empty histogram has a median or a mean")
	}
	for i := range latencyBuckets {
		if got := latencyBucket(bucketTop(i)); got != i {
			t.Fatalf("the top of bucket %d is in bucket %d", i, got)
		}
	}
}

func TestEcho(t *testing.T) {
	r, err := Echo{From: Here{}, To: Here{}, Address: "127.0.0.1", Rate: 2000, Count: 50}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 50 || r.Lost != 0 || r.RoundTrip.Count() != 50 || r.RoundTrip.Percentile(50) <= 0 {
		t.Errorf("sent %d, lost %d, median %v", r.Sent, r.Lost, r.RoundTrip.Percentile(50))
	}
}

// TestPace: what is due never runs ahead of the clock, and a sender that slept does not send it all at once.
func TestPace(t *testing.T) {
	p := pace{rate: 1000, began: time.Now().Add(-10 * time.Second)}
	if n := p.due(t.Context(), 1000); n < 20 || n > 25 {
		t.Errorf("after 10 s of sleep %d are due, expected what 20 ms are worth", n)
	}
	if n := (&pace{}).due(t.Context(), 7); n != 7 {
		t.Errorf("without a rate %d of 7 are due", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = pace{rate: 0.001, began: time.Now()}
	if n := p.due(ctx, 1); n != 0 {
		t.Errorf("%d are due although it is over", n)
	}
}

// TestUDPFrameChecksum: the header sums to all ones, as RFC 791 has it.
func TestUDPFrameChecksum(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	b := udpFrame(60, mac, mac, net.IPv4(10, 1, 2, 3), net.IPv4(10, 4, 5, 6), 1, 2)
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if sum>>16+sum&0xffff != 0xffff || len(b) != 60 {
		t.Errorf("sum %x of %d bytes", sum, len(b))
	}
}

// TestOverAWire runs all of it between two hosts that a bridge joins.
func TestOverAWire(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	tp, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := tp.Bridge(); err != nil {
		t.Skipf("%s needs a kernel with bridges: %v", t.Name(), err)
	}
	tr, err := TCP{From: tp.Inside, To: tp.Outside, Address: topo.OutsideIP, Bytes: 1 << 20, Timeout: 20 * time.Second}.Run(t.Context())
	if err != nil || !tr.Intact() {
		t.Errorf("TCP: %v", err)
	}
	ur, err := UDP{From: tp.Outside, To: tp.Inside, Address: topo.InsideIP, Count: 200, Rate: 10_000}.Run(t.Context())
	if err != nil || ur.Lost() != 0 || ur.Sent != 200 {
		t.Errorf("UDP: sent %d, lost %d: %v", ur.Sent, ur.Lost(), err)
	}
	fr, err := Flood{From: tp.Inside, To: tp.Outside, Interface: topo.HostIf, FromMAC: tp.InsideMAC, ToMAC: tp.OutsideMAC,
		Source: topo.InsideIP, Target: topo.OutsideIP, Duration: 100 * time.Millisecond, Rate: 50_000}.Run(t.Context())
	if err != nil || fr.Sent == 0 || fr.Received == 0 {
		t.Errorf("flood: %+v, %v", fr, err)
	}
}
