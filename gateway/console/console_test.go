package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
)

func exampleStatus() *Status {
	s := &Status{Version: "test", Started: time.Unix(1000, 0), Time: time.Unix(1010, 0), Ready: true, Ports: map[string]ingress.PortStats{"inside": {RxDropped: 3}},
		Workers: []coordinator.Worker{{ID: 1, Stage: "edge/0", State: "active"}}, Refused: map[string]uint64{"proof": 2}}
	var l dataplane.Ledger
	l.Ports[0].Received, l.Ports[0].Forwarded, l.Ports[0].Bypassed, l.Ports[0].InFlight = 10, 5, 2, 1
	l.Ports[0].Dropped[dataplane.Overload] = 2
	l.Ports[1].Received, l.Ports[1].Dropped[dataplane.FirstVerdict+1] = 1, 1
	l.Delay[9], l.Delay[12] = 98, 2
	reasons := dataplane.ReasonNames([]string{"pass", "firewall_rule"})
	s.SetLedger(&l, &reasons, ProblemNames())
	return s
}

var exampleReasons = dataplane.ReasonNames([]string{"pass", "firewall_rule"})

func TestMetricsAreWellFormed(t *testing.T) {
	c := newCollector(exampleStatus, &exampleReasons, []string{"proof", "late"})
	problems, err := testutil.CollectAndLint(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, line := range []string{
		`granule_received_packets_total{port="inside"} 10`,
		`granule_dropped_packets_total{port="inside",reason="overload"} 2`,
		`granule_dropped_packets_total{port="outside",reason="firewall_rule"} 1`,
		`granule_dropped_packets_total{port="outside",reason="no_worker"} 0`, // a reason that did not occur is there, at 0
		`granule_refused_connections_total{reason="late"} 0`,
		`granule_workers{state="draining"} 0`,
		`granule_delay_seconds_count 100`,
	} {
		if !strings.Contains(scrape(t, c), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

func scrape(t *testing.T, c prometheus.Collector) string {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range all {
		text, err := testutil.CollectAndFormat(c, expfmt.TypeTextPlain, f.GetName())
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

func TestDelayQuantiles(t *testing.T) {
	s := exampleStatus()
	if s.Packets.DelayP50 != 512*time.Microsecond || s.Packets.DelayP99 != 4096*time.Microsecond {
		t.Errorf("p50 %v, p99 %v; expected the upper bounds 512us and 4.096ms", s.Packets.DelayP50, s.Packets.DelayP99)
	}
	if p50, p99 := s.DelaySince(s); p50 != 0 || p99 != 0 {
		t.Errorf("between a look and itself: %v, %v", p50, p99)
	}
}

func serve(t *testing.T, cfg Config) *http.Client {
	t.Helper()
	cfg.Reasons = &exampleReasons
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	addr := s.Address()
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, addr.Network(), addr.String())
	}}}
}

func get(t *testing.T, c *http.Client, path string) (int, string) {
	t.Helper()
	r, err := c.Get("http://x" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

func TestEndpoints(t *testing.T) {
	ready := true
	var stuck error
	c := serve(t, Config{Address: "unix:" + filepath.Join(t.TempDir(), "a.sock"), Live: func() error { return stuck }, Status: func() *Status {
		s := exampleStatus()
		if !ready {
			s.Ready, s.NotReady = false, []string{"stage edge/0: 1 of 1 assignments have no worker"}
		}
		return s
	}})
	if code, body := get(t, c, "/readyz"); code != 200 || !strings.Contains(body, `"reasons":[]`) {
		t.Errorf("ready: %d %s", code, body)
	}
	ready = false
	if code, body := get(t, c, "/readyz"); code != 503 || !strings.Contains(body, "no worker") {
		t.Errorf("not ready: %d %s", code, body)
	}
	if code, _ := get(t, c, "/livez"); code != 200 {
		t.Errorf("live: %d", code)
	}
	stuck = errors.New("a shard's loop has not turned for a second")
	if code, body := get(t, c, "/livez"); code != 503 || !strings.Contains(body, "turned") {
		t.Errorf("stuck: %d %s", code, body)
	}
	if code, body := get(t, c, "/"); code != 200 || !strings.Contains(body, "overload 2") {
		t.Errorf("page: %d %s", code, body)
	}
	if code, body := get(t, c, "/metrics"); code != 200 || !strings.Contains(body, "go_goroutines") || !strings.Contains(body, "granule_ready 0") {
		t.Errorf("metrics: %d", code)
	}
	if code, _ := get(t, c, "/debug/pprof/"); code != 200 {
		t.Errorf("pprof: %d", code)
	}
}

// The ledger's keys are a surface that scripts hold on to.
func TestStatusKeys(t *testing.T) {
	text, err := json.Marshal(exampleStatus())
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Ledger map[string]json.RawMessage `json:"ledger"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"received": "11", "injected": "0", "forwarded": "5", "bypassed": "2", "in_flight": "1", "dropped": `{"firewall_rule":1,"overload":2}`} {
		if string(s.Ledger[key]) != want {
			t.Errorf("ledger.%s is %s, expected %s", key, s.Ledger[key], want)
		}
	}
	if !regexp.MustCompile(`"inside":\{"received":10`).Match(s.Ledger["ports"]) {
		t.Errorf("ledger.ports is %s", s.Ledger["ports"])
	}
}

func TestAdminAddressInUse(t *testing.T) {
	path := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	serve(t, Config{Address: path, Status: exampleStatus, Live: func() error { return nil }})
	if _, err := Listen(Config{Address: path, Status: exampleStatus, Reasons: &exampleReasons}); err == nil || !strings.Contains(err.Error(), "--admin") {
		t.Errorf("a second gateway on the same socket: %v", err)
	}
}

func TestEventLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.json")
	e, err := OpenEventLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	lane := e.Lane()
	var want strings.Builder
	for range 1000 {
		line := `{"event_type":"alert"}` + "\n"
		lane.Add([]byte(line), 0)
		want.WriteString(line)
	}
	lane.Add(nil, 7)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(path)
	if string(got) != want.String() {
		t.Errorf("%d bytes were written of %d", len(got), want.Len())
	}
	if n := e.Counters(); n.Written != 1000 || n.WorkerLost != 7 || n.Lost != 0 {
		t.Errorf("written %d, lost %d", n.Written, n.Lost)
	}
	if _, err := OpenEventLog(filepath.Join(t.TempDir(), "no", "such", "dir"), nil); err == nil || !strings.Contains(err.Error(), "--events") {
		t.Errorf("a file that can't be opened: %v", err)
	}
}

// A path that holds something else than a dead gateway's socket is left alone.
func TestListenRemovesNothingButSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Listen(Config{Address: "unix:" + path, Status: exampleStatus, Reasons: &exampleReasons}); err == nil {
		s.Close()
		t.Error("the gateway listens where a file was")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

// Close ends a server that never served, too: its address is free again.
func TestCloseWithoutServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	s, err := Listen(Config{Address: "unix:" + path, Status: exampleStatus, Reasons: &exampleReasons})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.Stat(path); err != nil || f.Mode().Perm() != 0o660 {
		t.Errorf("the socket's mode is %v, %v; expected 0660", f.Mode(), err)
	}
	s.Close()
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		t.Error("the address is still listened on")
	}
}
