package console

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func listen(t *testing.T, cfg Config) net.Addr {
	t.Helper()
	cfg.Reasons, cfg.Live = &exampleReasons, func() error { return nil }
	if cfg.Status == nil {
		cfg.Status = exampleStatus
	}
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
	return s.Address()
}

// ask sends one request over a connection of its own and returns the answer's code.
func ask(t *testing.T, at net.Addr, path, host string, headers ...string) int {
	t.Helper()
	c, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", path, host, strings.Join(headers, ""))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	r.Body.Close()
	return r.StatusCode
}

// Who asks over TCP under a name that is not the gateway's, as a page does whose name was rebound to us, is answered nothing; nor does
// anybody get a profile there.
func TestStrangersOverTCP(t *testing.T) {
	at := listen(t, Config{Address: "127.0.0.1:0", Hosts: []string{"gw.example"}})
	for _, tt := range []struct {
		path, host string
		code       int
	}{
		{"/status", at.String(), 200}, {"/status", "localhost", 200}, {"/status", "[::1]:9478", 200}, {"/status", "192.0.2.1", 200},
		{"/metrics", "GW.example.:9478", 200}, {"/", "localhost:1", 200},
		{"/status", "evil.example", 421}, {"/metrics", "evil.example:9478", 421}, {"/livez", "127.0.0.1.evil.example", 421}, {"/", "localhost.evil.example", 421},
		{"/status", "", 421},
		{"/debug/pprof/heap", at.String(), 403}, {"/debug/pprof/", "localhost", 403}, {"/debug/pprof/goroutine?debug=2", "localhost", 403}, {"/debug/pprof/cmdline", "localhost", 403},
	} {
		if code := ask(t, at, tt.path, tt.host); code != tt.code {
			t.Errorf("%s of host %q: %d, want %d", tt.path, tt.host, code, tt.code)
		}
	}
	path := filepath.Join(t.TempDir(), "a.sock")
	if code := ask(t, listen(t, Config{Address: "unix:" + path}), "/debug/pprof/goroutine", "evil.example"); code != 200 {
		t.Errorf("a profile over the Unix socket: %d", code)
	}
}

func TestToken(t *testing.T) {
	const token = "0123456789abcdef0123"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	read, err := ReadToken(file)
	if err != nil || string(read) != token {
		t.Fatalf("%q, %v", read, err)
	}
	at := listen(t, Config{Address: "127.0.0.1:0", Token: read})
	for _, tt := range []struct {
		path, auth string
		code       int
	}{
		{"/status", "", 401}, {"/status", "Bearer " + token[1:], 401}, {"/metrics", "Basic " + token, 401}, {"/", "Bearer ", 401},
		{"/status", "Bearer " + token, 200}, {"/metrics", "Bearer " + token, 200}, {"/livez", "", 200}, {"/readyz", "", 200},
	} {
		header := ""
		if tt.auth != "" {
			header = "Authorization: " + tt.auth + "\r\n"
		}
		if code := ask(t, at, tt.path, "localhost", header); code != tt.code {
			t.Errorf("%s with %q: %d, want %d", tt.path, tt.auth, code, tt.code)
		}
	}
	if _, s, err := (Client{Admin: at.String(), Token: read}).Fetch(context.Background()); err != nil || !s.Ready {
		t.Errorf("with the token: %v", err)
	}
	if _, _, err := Fetch(context.Background(), at.String()); err == nil || !strings.Contains(err.Error(), "--admin-token-file") {
		t.Errorf("without the token: %v", err)
	}
	for name, bad := range map[string]struct {
		text string
		mode os.FileMode
	}{"short": {"0123456789", 0o600}, "two lines": {token + "\n" + token, 0o600}, "empty": {"", 0o600}, "long": {strings.Repeat("x", maxToken+1), 0o600}, "open": {token, 0o644}} {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(bad.text), bad.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadToken(path); err == nil || !strings.Contains(err.Error(), path) || len(bad.text) > 0 && strings.Contains(err.Error(), bad.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Many who open connections and say nothing, or half of something, neither lock out who asks nor hold more descriptors than their bound.
func TestIdleClients(t *testing.T) {
	at := listen(t, Config{Address: "127.0.0.1:0"})
	most := maxConns(descriptors())
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for i := range 3 * most {
		c, err := net.Dial(at.Network(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		if i%2 == 0 {
			fmt.Fprint(c, "GET /status HTTP/1.1\r\nHost: loc")
		}
	}
	for range 10 {
		if code := ask(t, at, "/livez", "localhost"); code != 200 {
			t.Fatalf("beside %d idle clients: %d", len(all), code)
		}
	}
	open := 0
	for _, c := range all { // those that were closed say so at once
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err != nil && os.IsTimeout(err) {
			open++
		}
	}
	if open > most {
		t.Errorf("%d idle clients are connected; the bound is %d", open, most)
	}
	for descriptors, want := range map[uint64]int{20: 4, 256: 16, 1024: 64, 1 << 20: 64} {
		if got := maxConns(descriptors); got != want {
			t.Errorf("%d connections of %d descriptors, want %d", got, descriptors, want)
		}
	}
}

// However many ask, a status is made ten times a second, and each answer was begun after its question.
func TestStatusIsMadeTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := atomic.Int64{}
		s := sampler{status: func() *Status { return &Status{Shards: int(made.Add(1)), Time: time.Now()} }}
		answers := atomic.Int64{}
		var all sync.WaitGroup
		end := time.Now().Add(2 * time.Second)
		for range 50 {
			all.Go(func() {
				for time.Now().Before(end) {
					asked := time.Now()
					if p := s.get(t.Context()); p.status.Time.Before(asked) {
						t.Error("an answer is older than its question")
					}
					answers.Add(1)
				}
			})
		}
		all.Wait()
		if n := made.Load(); n > 22 || n < 18 || answers.Load() < 50*18 {
			t.Errorf("made %d times in 2 s for %d questions, want 20", n, answers.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s.get(ctx) != nil {
			t.Error("somebody who is gone was answered")
		}
		time.Sleep(time.Second)
	})
}

// Requests in a loop are answered 500 times a second at most.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := new(pace).handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
		start := time.Now()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/livez", nil)
		for range 1000 {
			h.ServeHTTP(nil, r)
		}
		if took := time.Since(start); n != 1000 || took < 1990*time.Millisecond {
			t.Errorf("%d requests were answered in %v, want 1000 in 2 s", n, took)
		}
	})
}
