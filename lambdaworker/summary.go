package main

import "time"

// Reason is why a worker ended.
type Reason string

// Reasons.
const (
	ReasonRetired    Reason = "retired"    // the gateway asked it to leave
	ReasonDeadline   Reason = "deadline"   // its time was nearly over
	ReasonTerminated Reason = "terminated" // SIGTERM
	ReasonClosed     Reason = "closed"     // the gateway closed its connections
	ReasonLost       Reason = "lost"       // its connections broke
	ReasonIdle       Reason = "idle"       // the gateway was silent for too long
	ReasonFormat     Reason = "format"     // the gateway broke the format
	ReasonFailed     Reason = "failed"     // it could not answer
)

// Summary is what an invocation answers.
type Summary struct {
	Reason      Reason  `json:"reason"`
	Detail      string  `json:"detail,omitempty"`
	Connections int     `json:"connections"`
	Packets     uint64  `json:"packets"`
	Batches     uint64  `json:"batches"`
	BytesIn     uint64  `json:"bytes_in"`
	BytesOut    uint64  `json:"bytes_out"`
	Seconds     float64 `json:"seconds"`
}

// summarise adds up what the links did. Without a cause of the worker's own, the first link's end is the reason.
func summarise(links []*link, cause Reason, took time.Duration) Summary {
	s := Summary{Reason: cause, Connections: len(links), Seconds: took.Seconds()}
	for _, l := range links {
		s.Packets += l.packets
		s.Batches += l.batches
		s.BytesIn += l.in.Received()
		s.BytesOut += l.sent
		if s.Reason == "" {
			s.Reason = l.reason
		}
		if s.Detail == "" {
			s.Detail = l.detail
		}
	}
	return s
}
