package locallambda

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// doomed names, in the environment, the artifact that a service run by this test binary as a process of its own deploys.
const doomed = "GRANULE_TEST_DOOMED_ARTIFACT"

// runAsDoomedService serves until it is killed, if this process was started for that: one environment idle, one
// frozen, one busy. It prints their process ids on one line.
func runAsDoomedService() bool {
	artifact := os.Getenv(doomed)
	if artifact == "" {
		return false
	}
	s, err := New(Config{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Functions: []Function{
			{Name: "idle", Artifact: artifact}, {Name: "frozen", Artifact: artifact, FreezeIdle: true}, {Name: "busy", Artifact: artifact},
		},
	})
	if err != nil {
		fmt.Println(err)
		return true
	}
	for _, name := range []string{"idle", "frozen"} {
		if _, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name}); err != nil {
			fmt.Println(err)
			return true
		}
	}
	go func() {
		_, _ = s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("busy"), Payload: []byte(`{"Do":"wait"}`)})
	}()
	busy := func() bool {
		for _, e := range s.List() {
			if e.State == StateBusy {
				return true
			}
		}
		return false
	}
	for !busy() {
		runtime.Gosched()
	}
	for _, e := range s.List() {
		fmt.Print(e.PID, " ")
	}
	fmt.Println()
	select {}
}

// TestNoOrphansAfterKillNine: when the gateway is killed, its workers go with it, whatever they are doing, and the next
// service removes the control groups that nobody could.
func TestNoOrphansAfterKillNine(t *testing.T) {
	// A copy of the artifact under its own name tells these processes from those of other tests.
	artifact := filepath.Join(t.TempDir(), "bootstrap")
	content, err := os.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(artifact, content, 0o700); err != nil {
		t.Fatal(err)
	}
	service := exec.Command(os.Args[0])
	service.Env = append(os.Environ(), doomed+"="+artifact)
	var complaints bytes.Buffer
	service.Stderr = &complaints
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pids := strings.Fields(line)
	killed := service.Process.Kill()
	_ = service.Wait() // says that it was killed
	if err != nil || killed != nil || len(pids) != 3 {
		t.Fatalf("the service said %q (%v, %v), expected three process ids\n%s", line, err, killed, complaints.String())
	}
	eventually(t, "all workers are gone", func() bool {
		for _, pid := range pids {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatalf("process id %q: %v", pid, err)
			}
			if state := processState(t, n); state != "" && state != "Z" {
				return false
			}
		}
		return len(processesOf(artifact, 0)) == 0
	})

	s := startService(t, nil)
	for _, parent := range []string{s.enforcer.groups.memory, s.enforcer.groups.cpu} {
		if parent == "" {
			continue
		}
		left, err := filepath.Glob(filepath.Join(parent, fmt.Sprintf("%s%d-*", groupPrefix, service.Process.Pid)))
		if err != nil || len(left) > 0 {
			t.Errorf("control groups of the killed service are left: %v %v", left, err)
		}
	}
}

// TestWorkersOutliveThreads: Pdeathsig follows the thread that forked. Goroutines that end while locked to their threads
// take those threads down; no worker may go with one.
func TestWorkersOutliveThreads(t *testing.T) {
	s := startService(t, nil)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			call(t, s, `{"Do":"sleep","MS":100}`)
		})
	}
	callers.Wait()
	before := s.List()
	for range 50 {
		callers.Go(func() { runtime.LockOSThread() })
	}
	callers.Wait()
	for _, e := range before {
		if err := syscall.Kill(e.PID, 0); errors.Is(err, syscall.ESRCH) || processState(t, e.PID) == "Z" {
			t.Errorf("worker %d is gone", e.PID)
		}
		call(t, s, `{}`)
	}
	if n := len(s.List()); n != len(before) {
		t.Errorf("%d environments, %d before", n, len(before))
	}
}
