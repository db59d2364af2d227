package locallambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// bootstrap is the artifact that tests deploy, built once.
var bootstrap string

func TestMain(m *testing.M) {
	if runAsDoomedService() {
		return
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "granule-locallambda-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.Chmod(folder, 0o755); err != nil { // other users' functions run from it too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bootstrap = filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bootstrap, "./testdata/function")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the test function: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// answer is what testdata/function returns.
type answer struct {
	PID, Count, Child, Left, Procs, UID, GID, Pdeathsig int
	Text, RequestID, ARN, Client, WorkDir               string
	Env                                                 []string
}

// startService runs one function "f" of the test artifact and checks at the end that nothing of it is left.
func startService(t testing.TB, change func(*Config, *Function)) *Service {
	t.Helper()
	fn := Function{Name: "f", Artifact: bootstrap, Timeout: 20 * time.Second, CPUs: -1}
	cfg := Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&cfg, &fn)
	}
	cfg.Functions = append(cfg.Functions, fn)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		checkNothingLeft(t, s)
	})
	return s
}

// checkNothingLeft fails if a process or a control group of the service outlived it.
func checkNothingLeft(t testing.TB, s *Service) {
	t.Helper()
	if pids := processesOf(bootstrap, os.Getpid()); len(pids) > 0 {
		t.Errorf("processes left after Close: %v", pids)
	}
	eventually(t, "all goroutines of the service have ended", func() bool { return len(goroutinesLeft()) == 0 })
	for _, parent := range []string{s.enforcer.groups.memory, s.enforcer.groups.cpu} {
		if parent == "" {
			continue
		}
		left, err := filepath.Glob(filepath.Join(parent, fmt.Sprintf("%s%d-*", groupPrefix, os.Getpid())))
		if err != nil || len(left) > 0 {
			t.Errorf("control groups left after Close: %v %v", left, err)
		}
	}
}

// goroutinesLeft are those that run this package's code, tests apart.
func goroutinesLeft() (left []string) {
	buffer := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(stack, "/locallambda.(*") && !strings.Contains(stack, "testing.tRunner") {
			left = append(left, stack)
		}
	}
	return left
}

// processesOf lists the processes that run an executable; with a parent, that parent's children alone, those included
// that have ended and were not reaped.
func processesOf(executable string, parent int) (pids []int) {
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, entry := range entries {
		content, err := os.ReadFile(entry)
		if err != nil {
			continue
		}
		// pid (comm) state ppid ...: comm may hold anything, so what follows its last ')' counts.
		stat := string(content)
		end := strings.LastIndexByte(stat, ')')
		var pid, ppid int
		var state string
		if _, err := fmt.Sscan(stat, &pid); err != nil || end < 0 {
			continue
		}
		if _, err := fmt.Sscan(stat[end+1:], &state, &ppid); err != nil {
			continue
		}
		if parent != 0 && ppid != parent {
			continue
		}
		target, _ := os.Readlink(filepath.Join(filepath.Dir(entry), "exe")) // a zombie has none
		zombie := state == "Z" && parent != 0 && strings.Contains(stat[:end+1], "("+filepath.Base(executable)+")")
		if target == executable || zombie {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processState is the state letter of /proc/PID/stat, empty if there is no such process.
func processState(t *testing.T, pid int) string {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	return fields[0]
}

func itoa(n int) string { return strconv.Itoa(n) }

// call invokes "f" through the SDK and returns its answer; the test fails on any error.
func call(t testing.TB, s *Service, event string) answer {
	t.Helper()
	out := invoke(t, s.Client(), event)
	if out.FunctionError != nil {
		t.Fatalf("invoke %s: function error %s: %s", event, *out.FunctionError, out.Payload)
	}
	var a answer
	if err := json.Unmarshal(out.Payload, &a); err != nil {
		t.Fatalf("invoke %s: %v in %q", event, err, out.Payload)
	}
	return a
}

func invoke(t testing.TB, client *lambda.Client, event string) *lambda.InvokeOutput {
	t.Helper()
	name := "f"
	out, err := client.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(event)})
	if err != nil {
		t.Fatalf("invoke %s: %v", event, err)
	}
	return out
}

// eventually waits for a condition; 10 s are far more than any of them takes.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
