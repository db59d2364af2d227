package locallambda

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRuntimeAPIRefusesWhatIsOutOfTurn walks a runtime through every wrong move around one right invocation.
func TestRuntimeAPIRefusesWhatIsOutOfTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const invocation = "/2018-06-01/runtime/invocation/"
		expect := func(what string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: status %d, expected %d", what, got, want)
			}
		}
		f := startFake(t, nil, func(p *fakeProcess) {
			expect("response before any invocation", p.respond("x", `1`), 400)
			id, _ := p.next()
			expect("response to another id", p.respond("x", `1`), 400)
			expect("next without a response", p.do("GET", invocation+"next", "").Code, 403)
			expect("init error after the start", p.post("/2018-06-01/runtime/init/error", `{}`), 403)
			expect("error", p.post(invocation+id+"/error", `{"errorType":"T","errorMessage":"M"}`), 202)
			expect("response after the error", p.respond(id, `1`), 403)
			expect("wrong method", p.do("POST", invocation+"next", "").Code, 405)
			expect("unknown path", p.do("GET", "/2018-06-01/runtime/nothing", "").Code, 404)
			right := p.base
			p.base = "/" + strings.Repeat("A", 26)
			expect("wrong secret", p.do("GET", invocation+"next", "").Code, 404)
			p.base = right
			p.next()
		})
		if status, body, _ := f.call(); status != 200 || body != `{"errorType":"T","errorMessage":"M"}` {
			t.Errorf("%d %s", status, body)
		}
		_ = f.Close()
	})
}

func TestInitErrorIsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := make(chan int, 1)
		f := startFake(t, nil, func(p *fakeProcess) {
			if status := p.post("/2018-06-01/runtime/init/error", `{"errorType":"Runtime.NoConfig","errorMessage":"no rules"}`); status != 202 {
				t.Errorf("status %d, expected 202", status)
			}
			second <- p.post("/2018-06-01/runtime/init/error", `{}`)
			p.sleep(time.Hour)
		})
		status, body, _ := f.call()
		if status != 200 || errorType(t, body) != "Runtime.NoConfig" {
			t.Errorf("%d %s", status, body)
		}
		if status := <-second; status == 202 {
			t.Error("a second report was accepted")
		}
		synctest.Wait()
		if len(f.List()) != 0 {
			t.Errorf("left: %+v", f.List())
		}
		_ = f.Close()
	})
}

func TestExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, nil, func(p *fakeProcess) {
			if w := p.do("POST", "/2020-01-01/extension/register", `{"events":["INVOKE"]}`); w.Code != 403 || !strings.Contains(w.Body.String(), "register for none") {
				t.Errorf("INVOKE: %d %s", w.Code, w.Body)
			}
			if w := p.do("POST", "/2020-01-01/extension/register", `events`); w.Code != 400 {
				t.Errorf("no JSON: %d", w.Code)
			}
			if w := p.do("GET", "/2020-01-01/extension/event/next", ""); w.Code != 403 {
				t.Errorf("next of nobody: %d", w.Code)
			}
			if w := p.do("POST", "/2020-01-01/extension/register", `{"events":[]}`); w.Code != 200 || w.Header().Get("Lambda-Extension-Identifier") == "" {
				t.Errorf("register: %d %v", w.Code, w.Header())
			}
			p.loop(0)
		})
		f.call()
		_ = f.Close()
	})
}

// TestBrokenStreamIsAFunctionError: a streamed response reports its failure in a trailer.
func TestBrokenStreamIsAFunctionError(t *testing.T) {
	report := `{"errorType":"E","errorMessage":"broke off"}`
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t, nil, func(p *fakeProcess) {
			id, _ := p.next()
			r := httptest.NewRequestWithContext(p.ctx, "POST", p.base+"/2018-06-01/runtime/invocation/"+id+"/response", io.NopCloser(strings.NewReader("half")))
			r.Trailer = http.Header{
				"Lambda-Runtime-Function-Error-Type": {"E"},
				"Lambda-Runtime-Function-Error-Body": {base64.StdEncoding.EncodeToString([]byte(report))},
			}
			w := httptest.NewRecorder()
			p.service.back.ServeHTTP(w, r)
			if w.Code != 202 {
				t.Errorf("status %d", w.Code)
			}
			p.next()
		})
		if _, body, _ := f.call(); body != report {
			t.Errorf("%s, expected %s", body, report)
		}
		_ = f.Close()
	})
}

func TestTraceID(t *testing.T) {
	if got := traceID("01234567-89ab-cdef-0123-456789abcdef"); got != "89abcdef0123456789abcdef" {
		t.Error(got)
	}
}
