package locallambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// runtimeAPI is what a function's process talks to: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
// Every path begins with the environment's secret, so that another local user can't fetch an invocation (and the
// token inside it).
func (s *Service) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*environment, http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			e := s.bySecret[r.PathValue("secret")]
			s.mu.Unlock()
			if e == nil {
				runtimeError(w, http.StatusNotFound, "UnknownEnvironment", "no environment has this address")
				return
			}
			f(e, w, r)
		})
	}
	handle("GET /{secret}/2018-06-01/runtime/invocation/next", (*environment).next)
	handle("POST /{secret}/2018-06-01/runtime/invocation/{id}/response", (*environment).response)
	handle("POST /{secret}/2018-06-01/runtime/invocation/{id}/error", (*environment).failure)
	handle("POST /{secret}/2018-06-01/runtime/init/error", (*environment).initFailure)
	handle("POST /{secret}/2020-01-01/extension/register", (*environment).registerExtension)
	handle("GET /{secret}/2020-01-01/extension/event/next", (*environment).nextExtensionEvent)
	return mux
}

func runtimeError(w http.ResponseWriter, status int, kind, message string) {
	body, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) // strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

// next ends the invocation before and blocks until there is another one.
func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	if !e.settleCurrent() {
		runtimeError(w, http.StatusForbidden, "InvalidStateTransition", "the current invocation has no response yet")
		return
	}
	select {
	case inv := <-e.work:
		close(inv.taken)
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", e.fn.arn())
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-"+strconv.FormatInt(inv.deadline.Add(-e.fn.Timeout).Unix(), 16)+"-"+traceID(inv.id)+";Sampled=0")
		if inv.clientContext != "" {
			h.Set("Lambda-Runtime-Client-Context", inv.clientContext)
		}
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(inv.payload)
	case <-r.Context().Done(): // the process ended, or the service
	}
}

// settleCurrent marks the answered invocation as over. It reports false if there is one without an answer.
func (e *environment) settleCurrent() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.isReady {
		e.isReady = true
		close(e.ready)
	}
	if e.current == nil {
		return true
	}
	select {
	case <-e.current.taken:
	default:
		return true // not fetched yet: this call is for it
	}
	select {
	case <-e.current.responded:
	default:
		return false
	}
	select {
	case <-e.current.settled:
	default:
		close(e.current.settled)
	}
	return true
}

// response takes the function's answer.
func (e *environment) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		out := outcome{functionError: true}
		out.body, _ = json.Marshal(map[string]string{ // strings always encode
			"errorType":    "Function.ResponseSizeTooLarge",
			"errorMessage": "Response payload size exceeded maximum allowed payload size (" + strconv.Itoa(MaxPayload) + " bytes).",
		})
		if e.conclude(w, r, out) {
			runtimeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the response is larger than 6 MB")
		}
		return
	case err != nil:
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	out := outcome{body: body}
	// A response that was streamed and broke off says so in its trailer.
	if r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "" {
		out.functionError = true
		if report, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body")); err == nil {
			out.body = report
		}
	}
	if e.conclude(w, r, out) {
		accepted(w)
	}
}

// failure takes the function's error.
func (e *environment) failure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	if e.conclude(w, r, outcome{body: body, functionError: true}) {
		accepted(w)
	}
}

// conclude records the outcome of the current invocation; false (and an answer written) if it is not for that.
func (e *environment) conclude(w http.ResponseWriter, r *http.Request, out outcome) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil || r.PathValue("id") != e.current.id {
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "no invocation with this id is running here")
		return false
	}
	select {
	case <-e.current.responded:
		runtimeError(w, http.StatusForbidden, "InvalidStateTransition", "the invocation has a response already")
		return false
	default:
	}
	if e.state == StateEnding {
		runtimeError(w, http.StatusForbidden, "InvalidStateTransition", "the invocation is over its deadline")
		return false
	}
	e.current.result = out
	close(e.current.responded)
	return true
}

// initFailure takes the report of a runtime that could not start.
func (e *environment) initFailure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	if err != nil {
		runtimeError(w, http.StatusBadRequest, "InvalidBody", err.Error())
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.unfit:
		runtimeError(w, http.StatusForbidden, "InvalidStateTransition", "an init error was reported already")
		return
	default:
	}
	if e.isReady {
		runtimeError(w, http.StatusForbidden, "InvalidStateTransition", "the runtime has started already")
		return
	}
	e.initError = outcome{body: body, functionError: true}
	close(e.unfit)
	accepted(w)
}

// traceID takes the last 24 hexadecimal digits of a request id.
func traceID(requestID string) string {
	digits := make([]byte, 0, 32)
	for i := range len(requestID) {
		if requestID[i] != '-' {
			digits = append(digits, requestID[i])
		}
	}
	return string(digits[len(digits)-24:])
}
