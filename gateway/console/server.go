package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Config is what the console shows, and where.
type Config struct {
	Address string         // "host:port" or "unix:/path"
	Hosts   []string       // by which it may be asked over TCP, beside addresses and localhost; lower case
	Token   []byte         // demanded over TCP; nil: none
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
	h := &http.Server{ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ConnState: newConnLimit(maxConns(descriptors())).state, ErrorLog: log.New(io.Discard, "", 0)}
	handler := cfg.handler(network == "unix")
	if network == "tcp" {
		h.WriteTimeout = 20 * time.Second // a profile takes as long as it was asked to
		handler = allowHosts(cfg.Hosts, demand(cfg.Token, handler))
	}
	h.Handler = new(pace).handler(handler)
	return &Server{http: h, listener: l}, nil
}

// handler answers what is asked; profiles where trusted.
func (c *Config) handler(trusted bool) http.Handler {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	v := &views{live: c.Live, sampler: sampler{status: c.Status, metrics: func(s *Status) prometheus.Gatherer {
		own := prometheus.NewRegistry()
		own.MustRegister(newCollector(func() *Status { return s }, c.Reasons, c.Refused))
		return prometheus.Gatherers{own, reg}
	}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", v.metrics)
	mux.HandleFunc("GET /livez", v.livez)
	mux.HandleFunc("GET /readyz", v.readyz)
	mux.HandleFunc("GET /status", v.statusJSON)
	mux.HandleFunc("GET /{$}", v.page)
	if !trusted {
		mux.HandleFunc("GET /debug/pprof/", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "profiles show memory: they are on a Unix socket alone, --admin unix:PATH", http.StatusForbidden)
		})
		return mux
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
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
