package locallambda

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"
)

// RoundTrip carries a request to the Invoke API inside this process: an http.Client with the service as its Transport
// needs no port, and nobody else can reach it. It implements http.RoundTripper: if the request's context ends first, its
// error is returned and the function runs on.
func (s *Service) RoundTrip(r *http.Request) (*http.Response, error) {
	request := r.Clone(r.Context())
	request.Body = http.NoBody
	if r.Body != nil {
		// The transport's owner may reuse its body once RoundTrip has returned, so nothing is read later.
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload+1))
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	answer := &recordedAnswer{header: http.Header{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.front.ServeHTTP(answer, request)
	}()
	select {
	case <-done:
		if err := r.Context().Err(); err != nil && answer.status == 0 {
			return nil, err
		}
		return answer.response(r), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// recordedAnswer is an http.ResponseWriter in memory.
type recordedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recordedAnswer) Header() http.Header { return a.header }

func (a *recordedAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recordedAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *recordedAnswer) response(r *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}
