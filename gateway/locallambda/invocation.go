package locallambda

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// invocation is one call of a function on its way through an environment.
type invocation struct {
	id            string
	fn            *function
	payload       []byte
	clientContext string // JSON, as the caller sent it in base64
	plan          faultPlan
	deadline      time.Time // set when it is handed to the runtime

	taken     chan struct{} // closed when the runtime has fetched it
	responded chan struct{} // closed when the runtime has posted a response or an error
	settled   chan struct{} // closed when the runtime has asked for the next invocation after that
	result    outcome       // written before responded is closed

	answerOnce sync.Once
	answer     chan outcome // what the caller waits for; buffered, written once
}

// outcome is what the caller of Invoke gets.
type outcome struct {
	body          []byte
	functionError bool      // the body is {"errorType","errorMessage"}
	refused       *apiError // the service refused; there is no body
	log           []byte    // the last 4 KB that the function printed
}

func newInvocation(fn *function, payload []byte) *invocation {
	return &invocation{
		id: newRequestID(), fn: fn, payload: payload,
		taken: make(chan struct{}), responded: make(chan struct{}), settled: make(chan struct{}),
		answer: make(chan outcome, 1),
	}
}

// twin is the same event delivered a second time, as an event queue with at-least-once delivery may do.
func (inv *invocation) twin() *invocation {
	t := newInvocation(inv.fn, inv.payload)
	t.id, t.clientContext = inv.id, inv.clientContext
	return t
}

func (inv *invocation) reply(o outcome) {
	inv.answerOnce.Do(func() { inv.answer <- o })
}

// functionFailure is the outcome of a function that gave no answer of its own.
func (inv *invocation) functionFailure(kind, format string, args ...any) outcome {
	// Two strings always encode.
	body, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, fmt.Sprintf("RequestId: %s Error: %s", inv.id, fmt.Sprintf(format, args...))})
	return outcome{body: body, functionError: true}
}

func (inv *invocation) timedOut() outcome {
	return inv.functionFailure("Sandbox.Timedout", "Task timed out after %.2f seconds", inv.fn.Timeout.Seconds())
}

func (inv *invocation) processEnded(reason string) outcome {
	if reason == "" {
		return inv.functionFailure("Runtime.ExitError", "Runtime exited without providing a reason")
	}
	return inv.functionFailure("Runtime.ExitError", "Runtime exited with error: %s", reason)
}

// newRequestID is a random UUID (RFC 9562, version 4).
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand ends the process instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
