package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Who may ask what: a Unix socket is for root and the group that its folder lets in, and has everything. TCP is for whoever reaches the
// address: no profiles, which show memory; only under names that are ours, or a page that some browser behind the gateway has open could
// have its own name point here (DNS rebinding); and with a token, where one is configured.

// requestEvery is the time from one request to the next at least, over all connections: asking in a loop takes no processor from packets.
const requestEvery = 2 * time.Millisecond

// pace delays requests that come too fast.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

func (p *pace) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		now := time.Now()
		at := p.next
		if at.Before(now) {
			at = now
		}
		p.next = at.Add(requestEvery)
		p.mu.Unlock()
		select {
		case <-time.After(at.Sub(now)):
			h.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// allowHosts refuses requests for other hosts than addresses, localhost and the names given.
func allowHosts(names []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && !slices.Contains(names, host) {
			http.Error(w, fmt.Sprintf("host %q is none of this gateway's: use its address, or name it with --admin-hosts", r.Host), http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// demand lets requests with the token pass, and of the others those that only ask whether the gateway lives or is ready.
func demand(token []byte, h http.Handler) http.Handler {
	if len(token) == 0 {
		return h
	}
	want := sha256.Sum256(token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		switch {
		case ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1, r.URL.Path == "/livez":
			h.ServeHTTP(w, r)
		case r.URL.Path == "/readyz":
			h.ServeHTTP(&statusOnly{ResponseWriter: w}, r)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "expected the header Authorization: Bearer TOKEN, with the token of --admin-token-file", http.StatusUnauthorized)
		}
	})
}

// statusOnly passes the status code on, and no body.
type statusOnly struct{ http.ResponseWriter }

func (statusOnly) Write(b []byte) (int, error) { return len(b), nil }

// ReadToken reads the file that holds the admin server's token, on one line; path "" is no token. An error says what is wrong with it.
func ReadToken(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("admin-token-file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("admin-token-file: %w", err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("admin-token-file: %s is no regular file", path)
	case st.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("admin-token-file: everybody may use %s (mode %04o): chmod o= it", path, st.Mode().Perm())
	}
	text := make([]byte, maxToken+1)
	n, err := f.Read(text)
	if err != nil && n > 0 || errors.Is(err, fs.ErrClosed) {
		return nil, fmt.Errorf("admin-token-file: %w", err)
	}
	token := strings.TrimSpace(string(text[:n]))
	if len(token) < minToken || n > maxToken || strings.ContainsAny(token, " \t\r\n") {
		return nil, fmt.Errorf("admin-token-file: %s: expected one line of %d to %d characters without blanks", path, minToken, maxToken)
	}
	return []byte(token), nil
}

const (
	minToken = 16
	maxToken = 4096
)
