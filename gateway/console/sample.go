package console

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// sampleEvery is how often a Status is made at most, however many ask.
const sampleEvery = 100 * time.Millisecond

// sampler makes samples. Who asks gets one that was begun after the question; those who ask while one is due share it.
type sampler struct {
	status  func() *Status
	metrics func(*Status) prometheus.Gatherer
	making  sync.Mutex

	mu   sync.Mutex
	next *sample   // is due; nil: none
	last time.Time // when the last one was begun
}

// sample is one Status and how it looks, each form made once.
type sample struct {
	done   chan struct{}
	status *Status
	json   func() []byte
	text   func() ([]byte, error) // Prometheus' text format
}

// get returns a fresh sample, nil if ctx ends first.
func (s *sampler) get(ctx context.Context) *sample {
	s.mu.Lock()
	p := s.next
	if p == nil {
		p = &sample{done: make(chan struct{})}
		s.next = p
		time.AfterFunc(time.Until(s.last.Add(sampleEvery)), func() { s.make(p) })
	}
	s.mu.Unlock()
	select {
	case <-p.done:
		return p
	case <-ctx.Done():
		return nil
	}
}

func (s *sampler) make(p *sample) {
	s.making.Lock()
	defer s.making.Unlock()
	s.mu.Lock()
	s.next, s.last = nil, time.Now()
	s.mu.Unlock()
	p.status = s.status()
	p.json = sync.OnceValue(func() []byte {
		text, err := json.MarshalIndent(p.status, "", "  ")
		if err != nil { // a report that is no JSON: they are checked where they come in
			text, _ = json.Marshal(err.Error())
		}
		return append(text, '\n')
	})
	p.text = sync.OnceValues(func() ([]byte, error) {
		families, err := s.metrics(p.status).Gather()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
				return nil, err
			}
		}
		return b.Bytes(), nil
	})
	close(p.done)
}
