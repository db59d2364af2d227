package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// artifact builds the bootstrap as it is uploaded.
func artifact(t *testing.T, arch string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestArtifactIsStatic(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		f, err := elf.Open(artifact(t, arch))
		if err != nil {
			t.Fatal(err)
		}
		libs, err := f.ImportedLibraries()
		if err != nil || len(libs) > 0 || f.Machine != machine {
			t.Errorf("%s: machine %v, libraries %v, error %v", arch, f.Machine, libs, err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s: wants a dynamic loader", arch)
			}
		}
		_ = f.Close()
	}
}

// runtimeAPI is as much of the platform as one invocation needs.
type runtimeAPI struct {
	payload  []byte
	deadline time.Time
	answers  chan string // what was posted, behind its path
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/extension/register"):
		w.Header().Set("Lambda-Extension-Identifier", "e")
	case strings.HasSuffix(path, "/invocation/next") && a.payload != nil:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(a.deadline.UnixMilli()))
		_, _ = w.Write(a.payload)
		a.payload = nil
	case strings.HasSuffix(path, "/response"), strings.HasSuffix(path, "/error"):
		w.WriteHeader(http.StatusAccepted)
		a.answers <- path[strings.LastIndexByte(path, '/')+1:] + " " + string(body)
	default: // the next invocation, or an extension event: neither comes
		<-r.Context().Done()
	}
}

// start runs the artifact against a platform that has one invocation for it.
func start(t *testing.T, g *fakeGateway, stage []byte, env ...string) (*runtimeAPI, *exec.Cmd, *bytes.Buffer) {
	t.Helper()
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("no artifact is built for %s", runtime.GOARCH)
	}
	inv := g.invocation(1)
	inv.Stage = stage
	payload, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	api := &runtimeAPI{payload: payload, deadline: time.Now().Add(time.Minute), answers: make(chan string, 4)}
	server := httptest.NewServer(api)
	t.Cleanup(server.CloseClientConnections)
	var log bytes.Buffer
	cmd := exec.Command(artifact(t, runtime.GOARCH))
	cmd.Env = append(append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://")), env...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return api, cmd, &log
}

func emptyStage(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(nf.Bundle{Chain: "empty", Flows: 16})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestArtifactServesAnInvocation runs the real binary with the real loop of aws-lambda-go.
func TestArtifactServesAnInvocation(t *testing.T) {
	g := newFakeGateway(t, true)
	api, cmd, log := start(t, g, emptyStage(t))
	c, h := g.joined(), newHeard()
	c.Add(5, 1, false, 60, make([]byte, 60), true, 1e9)
	until(t, c, h, func() bool { return len(h.order) == 1 })
	c.Retire()
	until(t, c, h, func() bool { return false })
	answer := <-api.answers
	var s Summary
	if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "response ")), &s); err != nil || s.Reason != ReasonRetired || s.Packets != 1 {
		t.Errorf("answered %q: %v", answer, err)
	}
	// Idle, between two invocations, it ends at once.
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log)
	}
	if strings.Contains(log.String(), "token") || !strings.Contains(log.String(), `"msg":"worker joined","worker":7,"epoch":3`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestArtifactDrainsOnSIGTERM(t *testing.T) {
	g := newFakeGateway(t, true)
	_, cmd, log := start(t, g, emptyStage(t))
	c, h := g.joined(), newHeard()
	c.Add(5, 1, false, 60, make([]byte, 60), true, 1e9)
	until(t, c, h, func() bool { return len(h.order) == 1 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, c, h, func() bool { return h.draining != 0 })
	c.Add(6, 1, false, 60, make([]byte, 60), true, 1e9)
	until(t, c, h, func() bool { return len(h.order) == 2 })
	c.Retire()
	until(t, c, h, func() bool { return false })
	if c.Bye() != wire.ByeDone {
		t.Errorf("said %v", c.Bye())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestArtifactReportsWhatIsWrong(t *testing.T) {
	g := newFakeGateway(t, true)
	api, _, _ := start(t, g, []byte(`{"nfs":[{"name":"nat64","file":"g.yaml","line":3,"column":4}]}`))
	if answer := <-api.answers; !strings.HasPrefix(answer, "error ") || !strings.Contains(answer, `g.yaml:3:4: no function is named`) {
		t.Errorf("answered %q", answer)
	}
}

func TestArtifactRefusesCompany(t *testing.T) {
	g := newFakeGateway(t, true)
	_, cmd, log := start(t, g, emptyStage(t), "AWS_LAMBDA_MAX_CONCURRENCY=4")
	if err := cmd.Wait(); err == nil || !strings.Contains(log.String(), "AWS_LAMBDA_MAX_CONCURRENCY is 4") {
		t.Errorf("%v\n%s", err, log)
	}
}
