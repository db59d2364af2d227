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
	cmd           *exec.Cmd
	exited        chan struct{}
	exit          error // valid once exited is closed
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
	g := &Gateway{exited: make(chan struct{})}
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
		close(g.exited)
		return nil, err
	}
	return g, g.await(ctx, cfg.Ready)
}

// launch starts the process in the gateway's namespace, on a thread that lives as long as the process: its death signal is
// bound to it.
func (g *Gateway) launch(cfg Config) error {
	flags := append([]string{"run", "--config", filepath.Join(g.dir, "granule.yaml"), "--inside", topo.InsideIf, "--outside", topo.OutsideIf,
		"--bootstrap", cfg.Bootstrap, "--admin", "unix:" + filepath.Join(g.dir, admin), "--instance", g.instance}, cfg.Flags...)
	log, err := os.Create(filepath.Join(g.dir, logFile))
	if err != nil {
		return err
	}
	defer log.Close()
	g.cmd = exec.Command(cfg.Granule, flags...)
	g.cmd.Stdout, g.cmd.Stderr = log, log
	// A group of its own: Ctrl-C is for the one who started us, who stops this one in its turn.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		_ = cfg.Topo.Gateway.Do(func() error {
			err := g.cmd.Start()
			started <- err
			if err == nil {
				g.exit = g.cmd.Wait()
				close(g.exited)
			}
			return nil
		})
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", cfg.Granule, err)
	}
	return nil
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
		case <-g.exited:
			return fmt.Errorf("the gateway ended before it was ready: %w", g.exit)
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), strings.TrimSpace(string(body)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// PID is the gateway's process.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Exited is closed when the gateway's process has ended.
func (g *Gateway) Exited() <-chan struct{} { return g.exited }

// Signal sends the gateway's process a signal: a test's way to kill or hang it.
func (g *Gateway) Signal(s syscall.Signal) error { return g.cmd.Process.Signal(s) }

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
	if g.cmd != nil && g.cmd.Process != nil {
		_ = g.cmd.Process.Signal(syscall.SIGTERM) // fails for one that has ended
		select {
		case <-g.exited:
		case <-time.After(patient):
			errs = append(errs, fmt.Errorf("the gateway (process %d) did not stop within %s of SIGTERM and was killed%s", g.PID(), patient, g.logTail()))
			_ = g.cmd.Process.Kill()
			<-g.exited
		}
	}
	if g.http != nil {
		g.http.CloseIdleConnections()
	}
	return errors.Join(append(errs, removePins(g.instance), os.RemoveAll(g.dir))...)
}

// ExitError is how the process ended, once Exited is closed; nil for exit code 0.
func (g *Gateway) ExitError() error { return g.exit }

// drainBody reads an answer.
func drainBody(r *http.Response) ([]byte, error) {
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}
