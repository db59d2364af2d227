package locallambda

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestTimeoutKills(t *testing.T) {
	for _, c := range []struct {
		name, sigterm string
		least         time.Duration
		mark          bool // the SIGTERM hook has run
	}{
		{"plain", "", 400 * time.Millisecond, false},
		{"SIGTERM ignored", "ignore", 400*time.Millisecond + shutdownWindow, false},
		{"SIGTERM hook", "hook", 400 * time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			mark := filepath.Join(t.TempDir(), "mark")
			s := startService(t, func(_ *Config, f *Function) {
				f.Timeout = 400 * time.Millisecond
				f.Environment = map[string]string{"SIGTERM": c.sigterm, "MARK": mark}
			})
			pid := call(t, s, `{}`).PID
			begin := time.Now()
			out := invoke(t, s.Client(), `{"Do":"wait"}`)
			took := time.Since(begin)
			if !strings.Contains(string(out.Payload), `"Sandbox.Timedout"`) || !strings.Contains(string(out.Payload), "timed out after 0.40 seconds") {
				t.Errorf("payload %s", out.Payload)
			}
			if took < c.least {
				t.Errorf("answered after %v, expected at least %v", took, c.least)
			}
			if pids := processesOf(bootstrap, os.Getpid()); len(pids) > 0 {
				t.Errorf("process %d is alive (%v) though the call has ended", pid, pids)
			}
			if _, err := os.Stat(mark); (err == nil) != c.mark {
				t.Errorf("SIGTERM hook: %v, expected to have run: %v", err, c.mark)
			}
			if again := call(t, s, `{}`); again.PID == pid || again.Count != 1 {
				t.Errorf("afterwards: %+v, expected a new process", again)
			}
		})
	}
}

func TestInitFailures(t *testing.T) {
	script := filepath.Join(t.TempDir(), "not-a-program")
	if err := os.WriteFile(script, []byte("nothing the kernel can run"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Config, *Function)
		want   string
	}{
		{"exit", func(_ *Config, f *Function) { f.Environment = map[string]string{"START": "exit"} }, "exit status 7"},
		{"panic", func(_ *Config, f *Function) { f.Environment = map[string]string{"START": "panic"} }, "exit status 2"},
		{"not executable", func(_ *Config, f *Function) { f.Artifact = script }, "Runtime.InvalidEntrypoint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startService(t, c.change)
			out := invoke(t, s.Client(), `{}`)
			if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), c.want) {
				t.Errorf("%s, expected %s", out.Payload, c.want)
			}
			eventually(t, "the environment is gone", func() bool { return len(s.List()) == 0 })
		})
	}
}

func TestWarmEnvironmentsAreReusedLastFirst(t *testing.T) {
	s := startService(t, nil)
	results := make(chan int, 2)
	for range 2 {
		go func() { results <- call(t, s, `{"Do":"sleep","MS":300}`).PID }()
	}
	if a, b := <-results, <-results; a == b {
		t.Fatal("two calls at once shared a process")
	}
	// With both free, one call after another stays with the process that the first of them took.
	last := call(t, s, `{}`).PID
	for i := range 3 {
		if c := call(t, s, `{}`); c.PID != last || c.Count != i+3 {
			t.Errorf("call %d went to %d (its call %d), expected the one used last (%d)", i, c.PID, c.Count, last)
		}
	}
	list := s.List()
	if len(list) != 2 {
		t.Fatalf("%d environments, expected 2", len(list))
	}
	for _, e := range list {
		if e.State != StateIdle || e.Memory == 0 || e.MemoryPeak < e.Memory || e.Age <= 0 || e.Invocation != "" || e.Function != "f" {
			t.Errorf("%+v", e)
		}
	}
}

func TestIdleProcessThatDiesIsReplaced(t *testing.T) {
	s := startService(t, nil)
	for range 10 {
		pid := call(t, s, `{}`).PID
		if err := s.Kill(itoa(pid)); err != nil {
			t.Fatal(err)
		}
		// No waiting: whether its end has been noticed yet or not, the next call must not fail.
		if a := call(t, s, `{}`); a.PID == pid || a.Count != 1 {
			t.Errorf("%+v after the death of %d", a, pid)
		}
	}
}

func TestIdleEnvironmentsAreFrozen(t *testing.T) {
	s := startService(t, func(_ *Config, f *Function) { f.FreezeIdle = true })
	pid := call(t, s, `{}`).PID
	for i := range 3 {
		eventually(t, "it is stopped", func() bool { return processState(t, pid) == "T" })
		if e := s.List()[0]; !e.Frozen || e.State != StateIdle {
			t.Errorf("%+v, expected it frozen", e)
		}
		if a := call(t, s, `{}`); a.PID != pid || a.Count != i+2 {
			t.Errorf("thawed call: %+v", a)
		}
	}
}

func TestFreezeOnRequest(t *testing.T) {
	s := startService(t, nil)
	pid := call(t, s, `{}`).PID
	done := make(chan answer, 1)
	go func() { done <- call(t, s, `{"Do":"sleep","MS":100}`) }()
	eventually(t, "it runs", func() bool { return s.List()[0].State == StateBusy })
	if err := s.Freeze(s.List()[0].Invocation, 500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped", func() bool { return processState(t, pid) == "T" })
	if a := <-done; a.PID != pid {
		t.Errorf("%+v", a)
	}
	if err := s.Freeze("0", time.Second); err == nil || !strings.Contains(err.Error(), `"0"`) {
		t.Errorf("freeze of nobody: %v", err)
	}
}

func TestKillByInvocation(t *testing.T) {
	s := startService(t, nil)
	done := make(chan *lambda.InvokeOutput, 1)
	go func() { done <- invoke(t, s.Client(), `{"Do":"wait"}`) }()
	eventually(t, "it runs", func() bool { l := s.List(); return len(l) == 1 && l[0].State == StateBusy })
	if err := s.Kill(s.List()[0].Invocation); err != nil {
		t.Fatal(err)
	}
	if out := <-done; !strings.Contains(string(out.Payload), "signal: killed") {
		t.Errorf("%s", out.Payload)
	}
}

// TestGrandchildrenDie: what a handler starts belongs to its environment.
func TestGrandchildrenDie(t *testing.T) {
	s := startService(t, nil)
	a := call(t, s, `{"Do":"fork"}`)
	if err := s.Kill(itoa(a.PID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the grandchild is gone", func() bool {
		state := processState(t, a.Child)
		return state == "" || state == "Z" // a zombie waits for whoever adopted it
	})
}

func TestEnvironmentVariables(t *testing.T) {
	t.Setenv("GATEWAY_SECRET", "not for functions")
	s := startService(t, func(c *Config, f *Function) {
		f.Environment = map[string]string{"COLOUR": "red"}
		f.MemoryMB, c.Region = 512, "eu-north-1"
	})
	a := call(t, s, `{}`)
	all := "\n" + strings.Join(a.Env, "\n") + "\n"
	for _, want := range []string{"COLOUR=red", "AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_REGION=eu-north-1", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "TZ=:UTC", "LAMBDA_TASK_ROOT=" + filepath.Dir(bootstrap)} {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("%s is missing in %s", want, all)
		}
	}
	if strings.Contains(all, "GATEWAY_SECRET") {
		t.Error("the gateway's environment was passed on")
	}
	if a.WorkDir != filepath.Dir(bootstrap) {
		t.Errorf("works in %s", a.WorkDir)
	}
}

// TestFunctionRunsAsAnotherUser, and is still killed with its service (a change of user clears Pdeathsig if it comes later).
func TestFunctionRunsAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := startService(t, func(_ *Config, f *Function) { f.UID, f.GID = 65534, 65534 })
	a := call(t, s, `{}`)
	if a.UID != 65534 || a.GID != 65534 || a.Pdeathsig != int(syscall.SIGKILL) {
		t.Errorf("runs as %d:%d with Pdeathsig %d", a.UID, a.GID, a.Pdeathsig)
	}
}

func TestServiceNeedsNoReadyFunctionToClose(t *testing.T) {
	s := startService(t, func(_ *Config, f *Function) { f.Environment = map[string]string{"START": "hang"} })
	done := make(chan error, 1)
	go func() {
		_, err := s.Client().Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")})
		done <- err
	}()
	eventually(t, "it starts", func() bool { return len(s.List()) == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the call succeeded")
	}
}

func TestStatesHaveNames(t *testing.T) {
	for s, want := range map[State]string{StateStarting: "starting", StateIdle: "idle", StateBusy: "busy", StateEnding: "ending"} {
		if s.String() != want {
			t.Errorf("%d is %q", s, s.String())
		}
		if text, err := json.Marshal(s); err != nil || string(text) != `"`+want+`"` {
			t.Errorf("as JSON: %s %v", text, err)
		}
	}
}
