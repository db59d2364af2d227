// Command middleman is a worker's artifact for tests that misbehaves as it is told: it runs the true artifact, and stands between it and
// whatever it talks to. The Runtime API it passes on, but keeps every invocation in a file; the connections to the gateway lead
// through it, so it can read slowly from them or put garbage on them when the worker has long joined.
//
// Beside it lie orders.json and, later, files that say when: release-N hands a held invocation of worker N over, garbage-N spoils
// the connections of worker N.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// orders is what the file orders.json holds.
type orders struct {
	Artifact string // the true one
	Hold     uint32 // worker whose invocation waits for release-N; 0: none
	Slow     string // chain whose workers read slowly
	Bytes    int    // they read so many
	Every    int    // in so many milliseconds
}

var here = func() string {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	return filepath.Dir(self)
}()

func main() {
	runtime.LockOSThread() // the child dies with the thread that started it
	log.SetFlags(0)
	log.SetPrefix("middleman: ")
	var o orders
	text, err := os.ReadFile(filepath.Join(here, "orders.json"))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		log.Fatalf("orders: %v", err)
	}
	api, err := o.runtimeAPI(os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		log.Fatal(err)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // the worker gets it too, and drains
	cmd := exec.Command(o.Artifact)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_LAMBDA_RUNTIME_API=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "AWS_LAMBDA_RUNTIME_API="+api)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		log.Fatal(err)
	}
}

// await waits until the file name-worker is there.
func await(name string, worker uint32) {
	path := filepath.Join(here, fmt.Sprintf("%s-%d", name, worker))
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
