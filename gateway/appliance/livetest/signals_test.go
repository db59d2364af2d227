package livetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/gatewaytest"
)

// manyRules are signatures that take a while to compile.
func manyRules(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "alert http any any -> any any (msg:\"r%d\"; http.uri; content:\"/path%d/x%d\"; pcre:\"/a%d[0-9]+b/\"; sid:%d;)\n", i, i, i*7919%10007, i, i+1)
	}
	return b.String()
}

const idsChain = "chains:\n  - name: edge\n    stages:\n      - - ids: {rules: [big.rules]}\n"

// While rules compile, SIGHUP ends no gateway, and SIGTERM ends all: run, check and replay, at once.
func TestSignalsWhileRulesCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles many rules, which -short leaves out")
	}
	granule, artifact := gatewaytest.Granule(t), gatewaytest.Bootstrap(t)
	dir := t.TempDir()
	config, capture := filepath.Join(dir, "granule.yaml"), filepath.Join(dir, "in.pcap")
	for path, text := range map[string]string{config: idsChain, filepath.Join(dir, "big.rules"): manyRules(12000), capture: "\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + strings.Repeat("\x00", 8) + "\xff\xff\x00\x00\x01\x00\x00\x00"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, argv := range map[string][]string{
		"run":    {"run", "--config", config, "--inside", "pcap:" + capture, "--outside", "pcap:" + filepath.Join(dir, "out.pcap"), "--bootstrap", artifact},
		"check":  {"check", "--config", config},
		"replay": {"replay", "--config", config, "--in", capture},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			cmd := exec.Command(granule, argv...)
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			time.Sleep(150 * time.Millisecond) // into the compilation, which takes seconds; on a machine where not, the test still holds
			if name == "run" {
				for range 5 {
					_ = cmd.Process.Signal(syscall.SIGHUP)
					time.Sleep(20 * time.Millisecond)
				}
				select {
				case err := <-ended:
					t.Fatalf("SIGHUP ended it: %v\n%s", err, said.String())
				default:
				}
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(time.Second):
				_ = cmd.Process.Kill()
				t.Errorf("SIGTERM did not end it within a second")
				<-ended
			}
		})
	}
}

// A reload that hangs or eats memory is refused, by name, or given up for the next one; the running configuration goes on.
func TestReloadOfFilesThatNeverEnd(t *testing.T) {
	l := newLive(t, "--compile-memory", "300", "--compile-timeout", "20s")
	l.standby()
	refused := func(what string, want string) {
		t.Helper()
		l.until(what+" is refused", func() bool {
			s, err := l.status()
			return err == nil && strings.Contains(strings.Join(s.Configuration.Refused, " "), want)
		})
	}
	fifo := filepath.Join(l.dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(l.dir, "granule.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.hup()
	}
	write(strings.Replace(gatewaytest.AcceptAll, "edge.nft", fifo, 1))
	refused("a FIFO as rules", "FIFO")
	write(strings.Repeat("[", 200_000))
	refused("a nest of brackets", "nesting")
	if err := os.WriteFile(filepath.Join(l.dir, "big.rules"), []byte(manyRules(120_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	write(idsChain)
	l.hup() // the first of the two is given up
	refused("a rule set that takes too much memory", "compile-memory")
	write(gatewaytest.AcceptAll)
	l.until("the configuration is right again", func() bool {
		s, err := l.status()
		return err == nil && len(s.Configuration.Refused) == 0 && s.Configuration.Generation == 1
	})
	l.closed(false)
}
