// Package confine starts a local worker as a process that can do little but talk to the gateway.
//
// The gateway's own program is run in between, as launcher: it gives up what the worker is not to have, then becomes the artifact
// (execve). It is the launcher that does it, not the worker's own code: an artifact that was exchanged or that misbehaves from its first
// instruction on is confined as well, and the gateway's threads never hold a half-dropped identity.
//
//	users         a user of its own, which owns nothing and may not signal or trace anybody else
//	capabilities  none, and no way to gain any (no_new_privs, empty bounding set)
//	processes     a process namespace, in which it sees itself alone
//	files         a root of its own that holds the artifact alone, and Landlock, which lets it read and run that
//	system calls  those that a network program needs (seccomp.go)
//
// What the gateway is not allowed to give up, or a kernel does not have, is left out step by step, and Report says so.
package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Command is the first argument that makes the gateway's program a launcher; see Main.
const Command = "launch-confined-worker"

// Program is this program, where its main calls Main: whoever starts workers has them launched by it. "": there is no launcher.
var Program string

// PIDVariable is the worker's environment variable that holds its process number as the gateway sees it.
const PIDVariable = "GRANULE_WORKER_PID"

// Spec is what the launcher is told.
type Spec struct {
	Artifact   string
	UID, GID   uint32 // to run as; 0: as the gateway does
	Why        string // why as the gateway does
	Namespaces bool   // it was started in process, mount and IPC namespaces of its own
}

// String is the report on one line.
func (r *Report) String() string {
	return fmt.Sprintf("user: %s; capabilities: %s; processes: %s; files: %s; system calls: %s", r.User, r.Capabilities, r.Processes, r.Files, r.SystemCalls)
}

// Report says what confines a worker: "yes" or why not, for a person.
type Report struct {
	User         string `json:"user"`
	Capabilities string `json:"capabilities"`
	Processes    string `json:"processes"`
	Files        string `json:"files"`
	SystemCalls  string `json:"system_calls"`
}

// reportFD is where the launcher writes its Report: the pipe's reader is the gateway, and gone if that is.
const reportFD = 3

// Main is the launcher, for a program that was started with Command as first and a Spec as second argument. It returns only what went wrong
// so badly that the worker must not run.
func Main(args []string) error {
	var s Spec
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &s) != nil {
		return errors.New("this command is for the gateway, which starts its local workers by it")
	}
	runtime.LockOSThread() // what is given up is the thread's, and the thread becomes the worker
	return s.launch()
}

func (s *Spec) launch() error {
	env := append(os.Environ(), PIDVariable+"="+outerPID())
	artifact, err := unix.Open(s.Artifact, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Artifact, err)
	}
	var r Report
	r.Processes = "the gateway's namespace: it may not make others"
	roots := errors.New("the gateway may make no mount namespace")
	if s.Namespaces {
		r.Processes = "a namespace of its own"
		roots = ownRoot(s.Artifact)
	}
	for _, l := range []struct {
		what int
		most uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 512}} {
		_ = unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.most, Max: l.most}) // lower than before, or it is lower already
	}
	bounding := dropBounding()
	r.User = s.becomeUser()
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	r.Capabilities = "none, for good"
	if bounding != nil {
		r.Capabilities = "none, for good (the bounding set stays: " + bounding.Error() + ")"
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	r.Files = filesWords(roots, restrictFiles(s.Artifact))
	// A change of user takes the signal back that the parent's death brings; without a reader of the report there is no parent.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("parent death signal: %w", err)
	}
	_ = unix.CloseRange(reportFD+1, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) // older kernels: Go's descriptors are closed at execve anyway
	unix.CloseOnExec(reportFD)
	r.SystemCalls = "what a network program needs"
	filter, known := program(artifact)
	if !known {
		r.SystemCalls = "all: no filter for " + runtime.GOARCH
	}
	text, err := json.Marshal(&r)
	if err == nil {
		_, err = unix.Write(reportFD, text)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if known {
		if err := install(filter); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	return execute(artifact, []string{s.Artifact}, env)
}

// outerPID is this process' number where the gateway is: /proc is still the gateway's.
func outerPID() string {
	if pid, err := os.Readlink("/proc/self"); err == nil {
		return pid
	}
	return strconv.Itoa(os.Getpid())
}

// becomeUser changes to the spec's user, with no further groups.
func (s *Spec) becomeUser() string {
	if s.UID == 0 {
		return fmt.Sprintf("%d, the gateway's: %s", os.Getuid(), s.Why)
	}
	gid, uid := uintptr(s.GID), uintptr(s.UID)
	for _, step := range []func() unix.Errno{
		func() unix.Errno { _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); return e },
		func() unix.Errno { _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); return e },
		func() unix.Errno { _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); return e },
	} {
		if e := step(); e != 0 {
			return fmt.Sprintf("%d, the gateway's: %v", os.Getuid(), e)
		}
	}
	return fmt.Sprintf("%d, its own", s.UID)
}

// dropBounding empties the bounding set of this thread; it takes CAP_SETPCAP.
func dropBounding() error {
	for c := uintptr(0); ; c++ {
		if has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil {
			return nil // no such capability: all have been met
		} else if has == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return err
		}
	}
}

// dropCapabilities empties all other sets. With no_new_privs an execve by user 0 gains none either.
func dropCapabilities() error {
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // before Linux 4.3 there are none
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}

func filesWords(root, landlock error) string {
	switch {
	case root == nil && landlock == nil:
		return "the artifact alone: a root of its own, and Landlock"
	case root == nil:
		return "the artifact alone: a root of its own (Landlock: " + landlock.Error() + ")"
	case landlock == nil:
		return "the artifact alone: Landlock (" + root.Error() + ")"
	}
	return "those of its user: " + root.Error() + "; Landlock: " + landlock.Error()
}

// artifactDir is where the artifact lies: the worker's folder.
func artifactDir(artifact string) string { return filepath.Dir(artifact) }
