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

// Fetch asks the gateway whose admin address is given, host:port or unix:PATH, for its status, and returns the answer as it came, too. The error says
// whether nobody answered there or the answer was no status.
func Fetch(ctx context.Context, admin string) (raw []byte, _ *Status, err error) {
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://granule/status", nil)
	if err != nil {
		return nil, nil, err
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
	var s Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, nil, fmt.Errorf("status of %s: %w; expected a gateway of this program's version there", admin, err)
	}
	return raw, &s, nil
}
