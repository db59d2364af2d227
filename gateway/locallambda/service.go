package locallambda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// Service is an embedded Lambda: it answers the Invoke API and runs functions as child processes over the Runtime API.
// All methods may be called from any goroutine.
type Service struct {
	cfg      Config
	enforcer *enforcer
	launch   func(launchSpec) (process, error)
	front    http.Handler // Invoke API
	back     http.Handler // Runtime API

	runtimeAddress string // host:port of the Runtime API
	listenAddress  string // host:port of the Invoke API, empty without one
	servers        []*http.Server
	spawner        *spawner

	closing context.Context // done once Close has begun
	close   context.CancelFunc
	jobs    sync.WaitGroup // invocations being carried, queued events, watchers of processes

	mu           sync.Mutex
	closed       bool
	running      int // invocations over all functions
	functions    map[string]*function
	bySecret     map[string]*environment
	environments map[*environment]struct{} // those with a process
}

// function is a Function with what runs of it.
type function struct {
	Function
	region, account string
	faults          *faults

	// Under Service.mu:
	running int
	idle    []*environment // the most recently used last
}

// New starts a service. Nothing of a function runs before it is invoked. The caller must Close it.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("local lambda: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("local lambda: %w", err)
	}
	cfg = cfg.withDefaults()
	e := &enforcer{groups: findCgroups(string(mounts), ownGroupV2(string(own))), log: cfg.Logger}
	spawner := newSpawner(e, newConfiner(cfg.Launcher))
	s := newService(cfg, spawner.start)
	s.enforcer, s.spawner = e, spawner

	if s.runtimeAddress, err = s.listen("127.0.0.1:0", s.back); err == nil && cfg.Listen != "" {
		s.listenAddress, err = s.listen(cfg.Listen, s.front)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local lambda: %w", err), s.Close())
	}
	return s, nil
}

// newService makes a service that listens nowhere.
func newService(cfg Config, launch func(launchSpec) (process, error)) *Service {
	s := &Service{
		cfg: cfg, launch: launch, enforcer: &enforcer{log: cfg.Logger},
		functions:    make(map[string]*function, len(cfg.Functions)),
		bySecret:     map[string]*environment{},
		environments: map[*environment]struct{}{},
	}
	s.closing, s.close = context.WithCancel(context.Background())
	for _, f := range cfg.Functions {
		s.functions[f.Name] = &function{
			Function: f, region: cfg.Region, account: cfg.Account, faults: newFaults(cfg.Seed, f.Name),
		}
	}
	s.front, s.back = s.invokeAPI(), s.runtimeAPI()
	return s
}

func (s *Service) listen(address string, handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	// No write timeout: an answer may take 15 minutes.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(listener) }() // ends at Close
	return listener.Addr().String(), nil
}

// ServeHTTP answers the Invoke API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.front.ServeHTTP(w, r) }

// Address is where the Invoke API listens, as host:port; empty unless Config.Listen was given.
func (s *Service) Address() string { return s.listenAddress }

// Enforcement says how limits are kept on this machine.
func (s *Service) Enforcement() Enforcement { return s.enforcer.describe() }

// Close ends every environment (SIGTERM, then SIGKILL after the platform's window), reaps it and removes its control
// groups. Running invocations are answered with a ServiceException. Closing twice does nothing.
func (s *Service) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	live := slices.Collect(maps.Keys(s.environments))
	s.mu.Unlock()
	s.close()

	var ending sync.WaitGroup
	for _, e := range live {
		ending.Go(e.shutDown)
	}
	ending.Wait()
	s.jobs.Wait()
	var errs []error
	// Every answer is ready by now; give those that are on a connection a moment to be written.
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, server := range s.servers {
		if server.Shutdown(grace) != nil {
			errs = append(errs, server.Close())
		}
	}
	if s.spawner != nil {
		s.spawner.stop()
	}
	return errors.Join(errs...)
}

// spawnJob runs f unless the service is closing; Close waits for it.
func (s *Service) spawnJob(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.jobs.Go(f)
	return true
}

func errClosing() *apiError { return errService("the local Lambda service is shutting down") }
