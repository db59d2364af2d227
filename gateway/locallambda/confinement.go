package locallambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/granule-nf/granule/gateway/locallambda/confine"
	"golang.org/x/sys/unix"
)

// Launcher says how functions are confined. The zero value confines nothing, beyond Function.UID.
type Launcher struct {
	// Program becomes the function's process after giving up what that is not to have: a program whose main calls confine.Main where
	// its first argument is confine.Command. "" for none.
	Program string
	// OwnUsers runs each environment as a user that nobody else has, where the service may and the artifact lets everybody run it.
	OwnUsers bool
}

// Users that nobody has: above those that are given to people and to containers by default (subuid, systemd's dynamic users and nspawn).
const (
	firstUser = 0x74000000
	numUsers  = 1 << 24
)

// confiner starts functions through a Launcher.
type confiner struct {
	Launcher
	next atomic.Uint32 // user; begins where no other service on this machine is likely to be
	bare atomic.Bool   // namespaces were refused

	mu     sync.Mutex
	report *confine.Report // of the last function that was started; nil before
}

func newConfiner(l Launcher) *confiner {
	c := &confiner{Launcher: l}
	c.next.Store(rand.Uint32N(numUsers))
	return c
}

// capable reports whether this thread has a capability in effect.
func capable(capability int) bool {
	var data [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

// user is the user that an environment runs as, 0 for the service's and why.
func (c *confiner) user(spec *launchSpec) (uid, gid uint32, why string) {
	st, err := os.Stat(spec.artifact)
	switch {
	case spec.uid != 0:
		return spec.uid, spec.gid, ""
	case !c.OwnUsers:
		return 0, 0, "as configured"
	case !capable(unix.CAP_SETUID) || !capable(unix.CAP_SETGID):
		return 0, 0, "it may not take others (CAP_SETUID, CAP_SETGID)"
	case err != nil || st.Mode().Perm()&0o005 != 0o005:
		return 0, 0, fmt.Sprintf("others may not run %s: chmod o+rx it", spec.artifact)
	}
	uid = firstUser + c.next.Add(1)%numUsers
	return uid, uid, ""
}

// confined has cmd go through the launcher. It returns what to call when cmd has been started, or could not be.
func (c *confiner) confined(cmd *exec.Cmd, spec *launchSpec) (started func(error), err error) {
	if c.Program == "" {
		if spec.uid != 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: spec.uid, Gid: spec.gid} // and no further groups
		}
		return func(error) {}, nil
	}
	s := confine.Spec{Artifact: spec.artifact, Namespaces: !c.bare.Load() && capable(unix.CAP_SYS_ADMIN)}
	s.UID, s.GID, s.Why = c.user(spec)
	text, err := json.Marshal(&s)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("launcher: %w", err)
	}
	cmd.Path, cmd.Args = c.Program, []string{c.Program, confine.Command, string(text)}
	cmd.ExtraFiles = []*os.File{write}
	if s.Namespaces {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC
	}
	return func(err error) {
		write.Close()
		if err != nil {
			read.Close()
			if s.Namespaces && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC)) {
				c.bare.Store(true)
			}
			return
		}
		go c.hear(read)
	}, nil
}

// hear takes the launcher's report.
func (c *confiner) hear(from *os.File) {
	defer from.Close()
	text, err := io.ReadAll(io.LimitReader(from, 4096))
	var r confine.Report
	if err != nil || json.Unmarshal(text, &r) != nil {
		return // it ended before; why is in the function's output
	}
	c.mu.Lock()
	c.report = &r
	c.mu.Unlock()
}

// Confinement says what confines the functions' processes: as of the last one that was started, nil before and without a launcher.
func (s *Service) Confinement() *confine.Report {
	if s.spawner == nil {
		return nil
	}
	c := s.spawner.confiner
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report
}
