package confine

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test's own program is the launcher, as the gateway's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		fmt.Fprintln(os.Stderr, Main(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

type probed struct {
	Got    map[string]string
	Status map[string]string
	report Report
}

// probe runs testdata/probe through the launcher. With caps of nil the launcher has all capabilities, or else those alone.
func probe(t *testing.T, spec Spec, flags uintptr, caps []uintptr) probed {
	t.Helper()
	dir := t.TempDir()
	spec.Artifact = filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-o", spec.Artifact, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	text, _ := json.Marshal(&spec)
	self, _ := os.Executable()
	cmd := exec.Command(self, Command, string(text))
	if caps != nil {
		// As a packaged unit has it: user 0, three capabilities, no new privileges.
		drop := []string{"--no-new-privs"}
		keep := "-all"
		for _, c := range caps {
			keep += ",+" + map[uintptr]string{unix.CAP_NET_ADMIN: "net_admin", unix.CAP_NET_RAW: "net_raw", unix.CAP_BPF: "bpf"}[c]
		}
		drop = append(drop, "--bounding-set", keep, "--inh-caps", "-all", self, Command, string(text))
		cmd = exec.Command("setpriv", drop...)
	}
	cmd.Dir = dir
	cmd.Env = []string{"DIAL=" + l.Addr().String(), "GATEWAY=" + strconv.Itoa(os.Getpid())}
	cmd.ExtraFiles = []*os.File{write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	write.Close()
	var p probed
	said, _ := io.ReadAll(read)
	if err != nil || json.Unmarshal([]byte(out.String()), &p) != nil || json.Unmarshal(said, &p.report) != nil {
		t.Fatalf("%v; it printed %q and %q, the launcher said %q", err, out.String(), errs.String(), said)
	}
	t.Logf("%v", &p.report)
	return p
}

func root(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it starts processes with other users and namespaces", t.Name())
	}
}

func check(t *testing.T, p probed) {
	t.Helper()
	for what, how := range p.Got {
		t.Errorf("the worker may: %s (%s)", what, how)
	}
	if p.Status["capabilities"] != "" || p.Status["dial"] != "" {
		t.Errorf("capabilities %q; dial %q", p.Status["capabilities"], p.Status["dial"])
	}
}

// A gateway that may do everything gives its workers nothing.
func TestConfinedByRoot(t *testing.T) {
	root(t)
	p := probe(t, Spec{UID: 0x74000001, GID: 0x74000001, Namespaces: true}, unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWIPC, nil)
	check(t, p)
	if p.Status["uid"] != strconv.Itoa(0x74000001) || p.Status["pid"] != "1" || p.Status["outer"] == "1" || p.Status["outer"] == "" {
		t.Errorf("%v: want a user of its own, process 1 of its namespace, and the number outside", p.Status)
	}
	if !strings.Contains(p.report.Files, "a root of its own") || !strings.Contains(p.report.User, "its own") || p.report.Processes != "a namespace of its own" {
		t.Errorf("%v", &p.report)
	}
}

// One that has three capabilities, and may make neither users nor namespaces, gives them nothing either: what holds is said.
func TestConfinedByThePackagedUnit(t *testing.T) {
	root(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv (util-linux) is not installed")
	}
	p := probe(t, Spec{Why: "it may not take others"}, 0, []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF})
	check(t, p)
	if p.Status["uid"] != "0" || !strings.Contains(p.report.Capabilities, "bounding set stays") || !strings.Contains(p.report.User, "the gateway's") {
		t.Errorf("%v: %v", p.Status, &p.report)
	}
}

// What is no worker is not started, and whoever calls the launcher by hand is told what it is for.
func TestLauncherRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"x"}, {"{}", "{}"}} {
		if err := Main(args); err == nil || !strings.Contains(err.Error(), "for the gateway") {
			t.Errorf("%q: %v", args, err)
		}
	}
	self, _ := os.Executable()
	text, _ := json.Marshal(&Spec{Artifact: "/no/such/file"})
	if out, err := exec.Command(self, Command, string(text)).CombinedOutput(); err == nil || !strings.Contains(string(out), "/no/such/file") {
		t.Errorf("%v: %s", err, out)
	}
}
