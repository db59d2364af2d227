package rig

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/gateway/console"
)

// Report is what the bench and the demo read of a worker's report; the functions' own counters are beside it.
type Report struct {
	PID      int    `json:"pid"`
	Mallocs  uint64 `json:"mallocs"` // heap objects since the process began
	Packets  uint64 `json:"packets"`
	Batches  uint64 `json:"batches"`
	BytesIn  uint64 `json:"bytes_in"` // on the connection, TLS included
	BytesOut uint64 `json:"bytes_out"`
}

func (g *Gateway) client() *http.Client {
	path := filepath.Join(g.dir, admin)
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
}

// Get asks the admin address for a path. With an answer other than 200 the body comes with the error.
func (g *Gateway) Get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://granule"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := drainBody(resp)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s of the gateway: %s", path, resp.Status)
	}
	return body, err
}

// Status asks for everything the gateway tells of itself.
func (g *Gateway) Status(ctx context.Context) (*console.Status, error) {
	body, err := g.Get(ctx, "/status")
	if err != nil {
		return nil, err
	}
	s := new(console.Status)
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("status of the gateway: %w", err)
	}
	return s, nil
}

// Metric asks for one sample of /metrics: its name, with labels if it has any.
func (g *Gateway) Metric(ctx context.Context, name string) (float64, error) {
	body, err := g.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for sc := bufio.NewScanner(bytes.NewReader(body)); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, fmt.Errorf("the gateway has no metric %s", name)
}

// WorkerReport takes a worker's newest report out of a status; false where it has sent none yet.
func WorkerReport(s *console.Status, worker uint32) (r Report, ok bool) {
	text, ok := s.Reports[worker]
	return r, ok && json.Unmarshal(text, &r) == nil
}

// ActiveWorker returns a worker that has a seat, and its report.
func ActiveWorker(s *console.Status) (id uint32, r Report, ok bool) {
	for _, w := range s.Workers {
		if w.State == "active" {
			if r, ok = WorkerReport(s, w.ID); ok {
				return w.ID, r, true
			}
		}
	}
	return 0, Report{}, false
}
