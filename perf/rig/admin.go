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
)

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

// Status asks for the gateway's status. The error is that of Get, or of an answer that is no status.
func (g *Gateway) Status(ctx context.Context) (*Status, error) {
	body, err := g.Get(ctx, "/status")
	if err != nil {
		return nil, err
	}
	s := new(Status)
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
