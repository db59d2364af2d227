package console

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// views are what the admin address shows: all of it from samples.
type views struct {
	sampler
	live func() error
}

func (v *views) livez(w http.ResponseWriter, _ *http.Request) {
	if err := v.live(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "the packet path turns")
}

// readyz answers 503 with the reasons while the gateway is not ready. Ready but degraded is 200, and says so.
func (v *views) readyz(w http.ResponseWriter, r *http.Request) {
	p := v.get(r.Context())
	if p == nil {
		return // the client is gone
	}
	s := p.status
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

func (v *views) statusJSON(w http.ResponseWriter, r *http.Request) {
	if p := v.get(r.Context()); p != nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(p.json())
	}
}

func (v *views) metrics(w http.ResponseWriter, r *http.Request) {
	p := v.get(r.Context())
	if p == nil {
		return
	}
	text, err := p.text()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(text)
}
