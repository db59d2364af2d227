package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the console shows, and where.
type Config struct {
	Address string         // "host:port" or "unix:/path"
	Status  func() *Status // a fresh one at each call
	Live    func() error   // why the packet path does not turn, or nil
	Reasons *[dataplane.NumReasons]string
	Refused []string // reasons for which a worker's connection is refused
}

// Server serves the admin address.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen opens the admin address; Serve must be called.
func Listen(cfg Config) (*Server, error) {
	network, address := "tcp", cfg.Address
	if path, ok := strings.CutPrefix(cfg.Address, "unix:"); ok {
		network, address = "unix", path
		if err := removeStale(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("admin address %s: %w; another gateway may have it: choose one with --admin", cfg.Address, err)
	}
	if network == "unix" {
		// Profiles and command lines are for root and the group that the folder lets in, whatever the umask.
		if err := os.Chmod(address, 0o660); err != nil {
			return nil, errors.Join(fmt.Errorf("admin address %s: %w", cfg.Address, err), l.Close())
		}
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(newCollector(cfg.Status, cfg.Reasons, cfg.Refused), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", cfg.livez)
	mux.HandleFunc("GET /readyz", cfg.readyz)
	mux.HandleFunc("GET /status", cfg.statusJSON)
	mux.HandleFunc("GET /{$}", cfg.page)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &Server{http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, listener: l}, nil
}

// removeStale removes the socket of a gateway that is gone; one that answers is left.
func removeStale(path string) error {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("admin address unix:%s: a gateway answers there: choose another with --admin", path)
	}
	if f, err := os.Lstat(path); err == nil && f.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("admin address unix:%s: found a file that is no socket (%s); name another path with --admin, or remove it", path, f.Mode())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("admin address unix:%s: %w", path, err)
	}
	return nil
}

// Address returns where the server listens.
func (s *Server) Address() net.Addr { return s.listener.Addr() }

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends Serve, giving requests that run a second.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	_ = s.listener.Close() // of a server that never served; otherwise it is closed already
}

func (c *Config) livez(w http.ResponseWriter, _ *http.Request) {
	if err := c.Live(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "the packet path turns")
}

// readyz answers 503 with the reasons while the gateway is not ready. Ready but degraded is 200, and says so.
func (c *Config) readyz(w http.ResponseWriter, _ *http.Request) {
	s := c.Status()
	answer := struct {
		Ready    bool     `json:"ready"`
		Reasons  []string `json:"reasons"`
		Degraded []string `json:"degraded,omitempty"`
	}{s.Ready, s.NotReady, s.Degraded}
	if answer.Reasons == nil {
		answer.Reasons = []string{}
	}
	w.Header().Set("Content-Type", "application/json")
	if !s.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the client is gone if this fails
}

func (c *Config) statusJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(c.Status())
}
