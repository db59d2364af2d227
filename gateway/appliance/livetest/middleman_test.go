package livetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/gatewaytest"
	"github.com/granule-nf/granule/relay/wire"
)

// middleman is testdata/middleman, an artifact that misbehaves as it is told, in a folder of its own.
type middleman struct {
	t   *testing.T
	dir string
}

// orders are the middleman's; see there.
type orders struct {
	Artifact string
	Hold     uint32
	Slow     string
	Bytes    int
	Every    int
}

func newMiddleman(t *testing.T, o orders) *middleman {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	binary := gatewaytest.Build(t, "middleman", "gateway/appliance/livetest/testdata/middleman")
	o.Artifact = gatewaytest.Bootstrap(t)
	m := &middleman{t: t, dir: t.TempDir()}
	text, err := json.Marshal(o)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(m.dir, "orders.json"), text, 0o600), os.Link(binary, m.artifact()))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *middleman) artifact() string { return filepath.Join(m.dir, "bootstrap") }

// tell gives the middleman of worker the word it waits for.
func (m *middleman) tell(what string, worker uint32) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, fmt.Sprintf("%s-%d", what, worker)), nil, 0o600); err != nil {
		m.t.Error(err)
	}
}

// invocation is what worker was started with, as soon as it has been.
func (m *middleman) invocation(l *live, worker uint32) (inv wire.Invocation) {
	m.t.Helper()
	l.until(fmt.Sprintf("worker %d is invoked", worker), func() bool {
		text, err := os.ReadFile(filepath.Join(m.dir, fmt.Sprintf("invocation-%d.json", worker)))
		return err == nil && json.Unmarshal(text, &inv) == nil
	})
	return inv
}

// A worker that has joined and served, and then puts garbage on its connection, loses it; its successor gets what it left
// unanswered, and nothing is lost.
func TestLiveGarbageFromAWorker(t *testing.T) {
	for _, tt := range []struct{ tls, why string }{
		{"on", "reason=record_"},
		{"off", "reason=wire_"},
	} {
		t.Run("tls "+tt.tls, func(t *testing.T) {
			m := newMiddleman(t, orders{})
			l := newLive(t, "--worker-confine=false", "--bootstrap", m.artifact(), "--relay-tls", tt.tls)
			l.standby()
			var spoilt uint32
			l.intact(l.transfer(1<<20, func() {
				spoilt = l.seated("edge/0")
				m.tell("garbage", spoilt)
				l.until("another worker has the seat", func() bool { return l.seated("edge/0") != spoilt })
			}))
			s := l.closed(false)
			if s.Fleet.HandOffs != 1 {
				t.Errorf("hand-offs %d; expected one", s.Fleet.HandOffs)
			}
			// Cut off, the worker ends in peace; where that is heard first it does not count as lost.
			if s.Fleet.Lost > 1 || s.Fleet.Lost == 1 && !strings.Contains(l.said(), tt.why) {
				t.Errorf("lost %d; expected one at most, and the log to say %s...", s.Fleet.Lost, tt.why)
			}
		})
	}
}

// seated is the worker that has the one seat of a stage; 0 for nobody.
func (l *live) seated(stage string) uint32 {
	l.t.Helper()
	s, err := l.status()
	if err != nil {
		l.t.Error(err)
		return 0
	}
	for _, w := range s.Workers {
		if w.Stage == stage && w.State == "active" {
			return w.ID
		}
	}
	return 0
}

const slowBesideQuick = `chains:
  - name: slow
    match: port 7001
    stages:
      - - firewall: {rules: edge.nft}
  - name: quick
    stages:
      - - firewall: {rules: edge.nft}
`

// A worker that reads slowly keeps its own packets waiting, and nobody else's, though the same shard serves them.
func TestLiveSlowReader(t *testing.T) {
	m := newMiddleman(t, orders{Slow: "slow", Bytes: 1 << 10, Every: 100})
	l := newLiveWith(t, liveConfig{
		files: map[string]string{"granule.yaml": slowBesideQuick},
		flags: []string{"--worker-confine=false", "--bootstrap", m.artifact(), "--standby", "0"},
	})
	stop := make(chan struct{})
	slow := l.background(7001, stop)
	r := l.transfer(16<<20, func() { time.Sleep(time.Second) }) // in which the slow worker's backlog grows
	close(stop)
	s := <-slow
	l.intact(r)
	if s.tcpErr != nil || !s.tcp.Intact() {
		t.Errorf("TCP by way of the slow worker: %v, %d bytes sent, %d received", s.tcpErr, s.tcp.Sent(), s.tcp.Received())
	}
	quickRate, slowRate := r.tcp.BitsPerSecond()/1e6, s.tcp.BitsPerSecond()/1e6
	quickDelay, slowDelay := r.udp.Latency.Percentile(50), s.udp.Latency.Percentile(50)
	t.Logf("quick: %.0f Mbit/s, half of all datagrams within %v; slow: %.1f Mbit/s, %v", quickRate, quickDelay, slowRate, slowDelay)
	if slowDelay < 100*time.Millisecond {
		t.Error("the slow worker is not slow: this tests nothing")
	}
	if quickDelay > slowDelay/4 || quickRate < 2*slowRate {
		t.Error("the slow worker slows the quick one")
	}
	if st := l.closed(true); st.Fleet.Lost > 0 {
		t.Errorf("%d workers lost: slow is not dead", st.Fleet.Lost)
	}
}
