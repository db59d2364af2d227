package locallambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeProcess stands in for a child in tests where only time is at stake. It speaks to the real Runtime API, in process.
type fakeProcess struct {
	number     int
	service    *Service
	base       string // of Runtime API paths
	ctx        context.Context
	cancel     context.CancelFunc
	end        chan struct{}
	ignoreTERM bool

	mu      sync.Mutex
	why     string
	ended   bool
	signals []string // "seconds:NAME", since the service began
	began   time.Time
}

func (p *fakeProcess) pid() int                   { return 1_000_000 + p.number }
func (p *fakeProcess) exited() <-chan struct{}    { return p.end }
func (p *fakeProcess) memory() (now, peak uint64) { return 10 << 20, 20 << 20 }
func (p *fakeProcess) drainOutput()               {}
func (p *fakeProcess) reason() string             { return p.why }
func (p *fakeProcess) post(path, body string) int { return p.do("POST", path, body).Code }

func (p *fakeProcess) history() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.signals, " ")
}

func (p *fakeProcess) signal(sig syscall.Signal) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	name := map[syscall.Signal]string{
		syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL", syscall.SIGSTOP: "STOP", syscall.SIGCONT: "CONT", syscall.SIGABRT: "ABRT",
	}[sig]
	p.signals = append(p.signals, fmt.Sprintf("%g:%s", time.Since(p.began).Seconds(), name))
	p.mu.Unlock()
	switch {
	case sig == syscall.SIGKILL:
		p.exit("signal: killed")
	case sig == syscall.SIGTERM && !p.ignoreTERM:
		p.exit("signal: terminated")
	case sig == syscall.SIGABRT:
		p.exit("exit status 2")
	}
}

func (p *fakeProcess) exit(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.ended, p.why = true, why
		p.cancel()
		close(p.end)
	}
}

func (p *fakeProcess) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(p.ctx, method, p.base+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	p.service.back.ServeHTTP(w, r)
	return w
}

// next fetches an invocation; its id is empty if the process has ended meanwhile.
func (p *fakeProcess) next() (id string, header http.Header) {
	w := p.do("GET", "/2018-06-01/runtime/invocation/next", "")
	return w.Header().Get("Lambda-Runtime-Aws-Request-Id"), w.Header()
}

func (p *fakeProcess) respond(id, body string) int {
	return p.post("/2018-06-01/runtime/invocation/"+id+"/response", body)
}

// loop answers every invocation after some time.
func (p *fakeProcess) loop(took time.Duration) {
	for {
		id, _ := p.next()
		if id == "" {
			return
		}
		if !p.sleep(took) {
			return
		}
		p.respond(id, fmt.Sprintf(`"process %d"`, p.number))
	}
}

// sleep is cut short by the end of the process.
func (p *fakeProcess) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-p.ctx.Done():
		return false
	}
}

// fakeService runs function "f" as fake processes that follow a script.
type fakeService struct {
	*Service
	mu        sync.Mutex
	processes []*fakeProcess
	began     time.Time
}

func startFake(t *testing.T, change func(*Function), script func(*fakeProcess)) *fakeService {
	t.Helper()
	fn := Function{Name: "f", Artifact: "/bin/true"}
	if change != nil {
		change(&fn)
	}
	fake := &fakeService{began: time.Now()}
	cfg := Config{Functions: []Function{fn}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	fake.Service = newService(cfg.withDefaults(), func(spec launchSpec) (process, error) {
		fake.mu.Lock()
		defer fake.mu.Unlock()
		p := &fakeProcess{number: len(fake.processes), service: fake.Service, end: make(chan struct{}), began: fake.began}
		p.ctx, p.cancel = context.WithCancel(context.Background())
		for _, v := range spec.variables {
			if address, found := strings.CutPrefix(v, "AWS_LAMBDA_RUNTIME_API="); found {
				p.base = address
			}
		}
		fake.processes = append(fake.processes, p)
		go script(p)
		return p, nil
	})
	t.Cleanup(func() { _ = fake.Close() }) // a second time, if the test failed before its own
	return fake
}

func (f *fakeService) started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.processes)
}

// call invokes and returns status, body and the time it took.
func (f *fakeService) call(headers ...string) (status int, body string, took time.Duration) {
	r := httptest.NewRequest("POST", "/2015-03-31/functions/f/invocations", strings.NewReader("{}"))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	begin := time.Now()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.String(), time.Since(begin)
}

// errorType of a function error's body.
func errorType(t *testing.T, body string) string {
	t.Helper()
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.ErrorMessage == "" {
		t.Errorf("no error report: %s (%v)", body, err)
	}
	return e.ErrorType
}
