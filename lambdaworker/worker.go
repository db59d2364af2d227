package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// worker runs one invocation at a time. It implements lambda.Handler.
type worker struct {
	log  *slog.Logger
	term chan struct{} // closed by SIGTERM
	once sync.Once
	idle sync.WaitGroup // invocations that run
}

func newWorker(log *slog.Logger) *worker { return &worker{log: log, term: make(chan struct{})} }

// terminate lets the running invocation drain for up to grace, and returns when it has ended or that has passed.
func (w *worker) terminate(grace time.Duration) {
	w.once.Do(func() { close(w.term) })
	done := make(chan struct{})
	go func() {
		w.idle.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(grace):
	}
}

// Invoke implements lambda.Handler: payload is a wire.Invocation as JSON, the answer a Summary.
func (w *worker) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	w.idle.Add(1)
	defer w.idle.Done()
	var inv wire.Invocation
	err := json.Unmarshal(payload, &inv)
	clear(payload) // it holds the token, and memory of one invocation is there in the next
	defer inv.Zero()
	if err != nil {
		return nil, errors.New("invocation: not the JSON that a gateway sends") // the error itself may quote it
	}
	if err := inv.Validate(); err != nil {
		return nil, err
	}
	s, err := w.run(ctx, &inv)
	if err != nil {
		w.log.Error("worker failed", "worker", inv.Worker, "epoch", inv.Epoch, "error", err)
		return nil, err
	}
	w.log.Info("worker done", "worker", inv.Worker, "epoch", inv.Epoch, "reason", s.Reason, "packets", s.Packets)
	return json.Marshal(s)
}

// run joins with all connections, serves them until they have ended, and sums up.
func (w *worker) run(ctx context.Context, inv *wire.Invocation) (Summary, error) {
	began := time.Now()
	pipelines, err := build(inv)
	if err != nil {
		return Summary{}, err
	}
	links, err := joinAll(ctx, inv, pipelines)
	inv.Zero() // the token is used
	if err != nil {
		return Summary{}, err
	}
	w.log.Info("worker joined", "worker", inv.Worker, "epoch", inv.Epoch, "connections", len(links), "after", time.Since(began).String())

	// A link holds its P while it waits (see socket); one is for everything else.
	runtime.GOMAXPROCS(len(links) + 1)
	plan := planOf(ctx, began, time.Duration(inv.Margin))
	var served sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(len(links)))
	gone := make(chan struct{})
	for _, l := range links {
		served.Add(1)
		go func() {
			defer served.Done()
			l.serve()
			if left.Add(-1) == 0 {
				close(gone)
			}
		}()
	}
	cause := w.await(plan, gone, links)
	served.Wait()
	return summarise(links, cause, time.Since(began)), nil
}

// await returns when every link has ended, after having made them drain and, at last, leave.
func (w *worker) await(p plan, gone <-chan struct{}, links []*link) (cause Reason) {
	drain, quit := time.NewTimer(time.Until(p.drain)), time.NewTimer(time.Until(p.quit))
	defer drain.Stop()
	defer quit.Stop()
	if p.drain.IsZero() {
		drain.Stop()
		quit.Stop()
	}
	term := w.term
	for {
		select {
		case <-gone:
			return cause
		case <-drain.C:
			cause = ReasonDeadline
			for _, l := range links {
				l.drain(p.quit)
			}
		case <-term:
			term = nil
			cause = ReasonTerminated
			at := time.Now().Add(termGrace)
			quit.Reset(termGrace)
			for _, l := range links {
				l.drain(at)
			}
		case <-quit.C:
			for _, l := range links {
				l.leave()
			}
		}
	}
}

// build makes a pipeline for each connection: shards have no sub-flow in common, so pipelines share nothing.
func build(inv *wire.Invocation) ([]*nf.Pipeline, error) {
	var b nf.Bundle
	if err := json.Unmarshal(inv.Stage, &b); err != nil {
		return nil, fmt.Errorf("invocation: stage: %w", err)
	}
	files, err := wire.UnpackFiles(inv.Files)
	if err != nil {
		return nil, fmt.Errorf("invocation: %w", err)
	}
	if len(files) > 0 {
		b.Files = files
	}
	pipelines := make([]*nf.Pipeline, inv.Connections)
	for i := range pipelines {
		if pipelines[i], err = nf.Build(b); err != nil {
			return nil, fmt.Errorf("building the stage: %w", err)
		}
	}
	return pipelines, nil
}

// dialer dials the gateway. Its keep-alive finds a gateway that vanished without a word.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
