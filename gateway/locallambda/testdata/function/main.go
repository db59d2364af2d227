// Command function is what the tests of locallambda deploy: aws-lambda-go's real loop around a handler that does what
// its event says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do    string // what to do
	Text  string
	MS    int
	Bytes int
}

type answer struct {
	PID       int
	Count     int    // invocations that this environment has had: global state survives
	Child     int    // pid of a process started by the handler
	Text      string `json:",omitempty"`
	Left      int    // ms to the deadline
	RequestID string
	ARN       string
	Client    string
	Env       []string `json:",omitempty"`
	Procs     int
	WorkDir   string
	UID, GID  int
	Pdeathsig int32
}

var count int

// pdeathsig belongs to a thread, the first one; init runs there.
var pdeathsig int32

func init() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&pdeathsig)), 0)
}

func main() {
	switch os.Getenv("START") {
	case "exit":
		fmt.Println("leaving at once")
		os.Exit(7)
	case "panic":
		// A panic before the loop: the runtime never asks for work.
		panic("no good start")
	case "hang":
		time.Sleep(time.Hour)
	}
	options := []lambda.Option{}
	if os.Getenv("SIGTERM") == "hook" {
		options = append(options, lambda.WithEnableSIGTERM(func() {
			fmt.Println("got SIGTERM")
			_ = os.WriteFile(os.Getenv("MARK"), []byte("SIGTERM"), 0o600)
			os.Exit(0)
		}))
	}
	if os.Getenv("SIGTERM") == "ignore" {
		signal.Ignore(syscall.SIGTERM)
	}
	lambda.StartWithOptions(handle, options...)
}

func handle(ctx context.Context, e event) (any, error) {
	count++
	fmt.Printf("doing %q, call %d\n", e.Do, count)
	switch e.Do {
	case "", "echo":
	case "sleep":
		time.Sleep(time.Duration(e.MS) * time.Millisecond)
	case "wait":
		<-ctx.Done()
		time.Sleep(time.Hour)
	case "error":
		return nil, errors.New(e.Text)
	case "panic":
		panic(e.Text)
	case "exit":
		os.Exit(e.MS)
	case "print":
		fmt.Println(strings.Repeat("x", e.Bytes) + e.Text)
	case "large":
		return strings.Repeat("y", e.Bytes), nil
	case "memory":
		held := make([]byte, e.Bytes)
		for i := 0; i < len(held); i += 4096 {
			held[i] = 1
		}
		time.Sleep(5 * time.Second)
		runtime.KeepAlive(held)
	case "spin":
		cpu := spin(time.Duration(e.MS) * time.Millisecond)
		return map[string]int64{"cpu_ms": cpu.Milliseconds()}, nil
	case "fork":
		child := exec.Command("/bin/sleep", "600")
		if err := child.Start(); err != nil {
			return nil, err
		}
		return answer{PID: os.Getpid(), Child: child.Process.Pid}, nil
	default:
		return nil, fmt.Errorf("unknown deed %q", e.Do)
	}
	a := answer{PID: os.Getpid(), Count: count, Text: e.Text, Env: os.Environ(), Procs: runtime.GOMAXPROCS(0)}
	if deadline, ok := ctx.Deadline(); ok {
		a.Left = int(time.Until(deadline).Milliseconds())
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		a.RequestID, a.ARN = lc.AwsRequestID, lc.InvokedFunctionArn
		if lc.ClientContext.Custom != nil {
			custom, _ := json.Marshal(lc.ClientContext.Custom)
			a.Client = string(custom)
		}
	}
	a.WorkDir, _ = os.Getwd()
	a.UID, a.GID = os.Getuid(), os.Getgid()
	a.Pdeathsig = pdeathsig
	return a, nil
}

// spin burns processor time for d of wall clock and returns what it got.
func spin(d time.Duration) time.Duration {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := func(r syscall.Rusage) time.Duration {
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return cpu(after) - cpu(before)
}
