// Package rig runs one `granule run` in the gateway of a topology, as demo, bench and end-to-end tests do: its own
// configuration in a folder of its own, the admin address on a socket there, and nothing left when it is over.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// Config is what a gateway is started with.
type Config struct {
	Topo      *topo.Topo
	Granule   string            // the gateway's program
	Bootstrap string            // the worker's artifact
	Files     map[string]string // by name; granule.yaml among them
	Flags     []string          // further flags of `granule run`
	Ready     time.Duration     // how long it may take to be ready (30 s)
}

// Gateway is a running one.
type Gateway struct {
	dir, instance string
	process       *Process // nil until it is started
	http          *http.Client
}

const (
	prefix  = "granule-rig-"
	admin   = "admin.sock"
	logFile = "log"
	patient = 10 * time.Second // for a gateway that was asked to stop
)

// Start starts a gateway and returns when it is ready. Stop it whatever happens.
func Start(ctx context.Context, cfg Config) (_ *Gateway, err error) {
	if cfg.Ready == 0 {
		cfg.Ready = 30 * time.Second
	}
	g := &Gateway{}
	if g.dir, err = os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid())); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w%s", err, g.logTail()), g.Stop())
		}
	}()
	g.instance = filepath.Base(g.dir)
	for name, text := range cfg.Files {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	g.http = g.client()
	if err := g.launch(cfg); err != nil {
		return nil, err
	}
	return g, g.await(ctx, cfg.Ready)
}

// launch starts the process in the gateway's namespace.
func (g *Gateway) launch(cfg Config) error {
	flags := append([]string{"run", "--config", filepath.Join(g.dir, "granule.yaml"), "--inside", topo.InsideIf, "--outside", topo.OutsideIf,
		"--bootstrap", cfg.Bootstrap, "--admin", "unix:" + filepath.Join(g.dir, admin), "--instance", g.instance, "--state-dir", filepath.Join(g.dir, "state")}, cfg.Flags...)
	log, err := os.Create(filepath.Join(g.dir, logFile))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(cfg.Granule, flags...)
	cmd.Stdout, cmd.Stderr = log, log
	g.process, err = Spawn(cfg.Topo.Gateway, cmd)
	return err
}

// await returns when the gateway says it is ready.
func (g *Gateway) await(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the gateway was not ready within %s", limit))
	defer cancel()
	for {
		body, err := g.Get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-g.process.Exited():
			return fmt.Errorf("the gateway ended before it was ready: %w", g.process.ExitError())
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), strings.TrimSpace(string(body)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// PID is the gateway's process.
func (g *Gateway) PID() int { return g.process.PID() }

// Exited is closed when the gateway's process has ended.
func (g *Gateway) Exited() <-chan struct{} { return g.process.Exited() }

// Signal sends the gateway's process a signal: a test's way to kill or hang it.
func (g *Gateway) Signal(s syscall.Signal) error { return g.process.Signal(s) }

// Log returns what the gateway has logged.
func (g *Gateway) Log() string {
	b, err := os.ReadFile(filepath.Join(g.dir, logFile))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// logTail is the log's last lines, for an error to end with.
func (g *Gateway) logTail() string {
	lines := strings.Split(strings.TrimSpace(g.Log()), "\n")
	return "\nthe gateway's last words:\n  " + strings.Join(lines[max(0, len(lines)-12):], "\n  ")
}

// Stop ends the gateway, in good order if it can, and removes all there is of it. More than once is fine.
func (g *Gateway) Stop() error {
	var errs []error
	if g.process != nil {
		if err := g.process.Stop(patient); err != nil {
			errs = append(errs, fmt.Errorf("the gateway: %w%s", err, g.logTail()))
		}
	}
	if g.http != nil {
		g.http.CloseIdleConnections()
	}
	return errors.Join(append(errs, removePins(g.instance), os.RemoveAll(g.dir))...)
}

// ExitError is how the process ended, once Exited is closed; nil for exit code 0.
func (g *Gateway) ExitError() error { return g.process.ExitError() }

// drainBody reads an answer.
func drainBody(r *http.Response) ([]byte, error) {
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}
