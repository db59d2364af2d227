package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Fetch is Client.Fetch of a gateway that demands no token.
func Fetch(ctx context.Context, admin string) (raw []byte, _ *Status, err error) {
	return Client{Admin: admin}.Fetch(ctx)
}

// Client asks a gateway.
type Client struct {
	Admin string // its admin address, host:port or unix:PATH
	Token []byte // nil: none
}

// Fetch asks for the gateway's status, and returns the answer as it came, too. The error says whether nobody answered there or the
// answer was no status.
func (c Client) Fetch(ctx context.Context) (raw []byte, _ *Status, err error) {
	admin, host := c.Admin, c.Admin
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			if path, ok := strings.CutPrefix(admin, "unix:"); ok {
				return d.DialContext(ctx, "unix", path)
			}
			return d.DialContext(ctx, "tcp", admin)
		},
	}}
	if strings.HasPrefix(admin, "unix:") {
		host = "granule"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/status", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("admin address %s: expected host:port or unix:PATH: %w", admin, err)
	}
	if len(c.Token) > 0 {
		req.Header.Set("Authorization", "Bearer "+string(c.Token))
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("no gateway answers at %s: %w; is `granule run` running, with that --admin?", admin, err)
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("status of %s: %w", admin, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("status of %s: %s: %s", admin, resp.Status, strings.TrimSpace(string(raw[:min(len(raw), 300)])))
	}
	var s Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, nil, fmt.Errorf("status of %s: %w; expected a gateway of this program's version there", admin, err)
	}
	return raw, &s, nil
}
