package nic

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CheckSystem looks at the kernel and at what this process may do.
func CheckSystem() []Check {
	const system = "system"
	release, major, minor := kernelVersion()
	old, modern := Fail, major > 5 || major == 5 && minor >= 11
	if modern {
		old = Warn
	}
	caps := capabilities()
	out := []Check{
		check(system, "processor", runtime.GOARCH == "amd64", Fail, runtime.GOARCH,
			"amd64: the AF_XDP library has no memory barriers, which others need", ""),
		check(system, "kernel", major > 6 || major == 6 && minor >= 17, old, release,
			"5.11 at least; from 6.17 on one system call sends a whole burst instead of 32 frames", ""),
	}
	for _, c := range []struct {
		name string
		bits []int
		why  string
	}{
		{"CAP_NET_ADMIN", []int{unix.CAP_NET_ADMIN}, "attach XDP programs"},
		{"CAP_NET_RAW", []int{unix.CAP_NET_RAW}, "open AF_XDP sockets"},
		{"CAP_BPF", []int{unix.CAP_BPF, unix.CAP_SYS_ADMIN}, "load XDP programs"},
		{"CAP_SYS_RESOURCE", []int{unix.CAP_SYS_RESOURCE}, "lift the limit on locked memory, which maps are charged to before Linux 5.11"},
	} {
		has := c.name == "CAP_SYS_RESOURCE" && modern
		for _, bit := range c.bits {
			has = has || caps&(1<<bit) != 0
		}
		out = append(out, check(system, c.name, has, Fail, yes(has, "held, or not needed", "missing"), "held, to "+c.why, "run as root: sudo granule ..."))
	}
	return append(out, checkMemlock(system, major, minor))
}

// checkMemlock: UMEM is charged to RLIMIT_MEMLOCK, unless CAP_IPC_LOCK is held; maps were too, before 5.11.
func checkMemlock(system string, major, minor int) Check {
	var lim unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim)
	unlimited := err == nil && lim.Cur == unix.RLIM_INFINITY
	found := "unlimited"
	if !unlimited {
		found = fmt.Sprintf("%d KiB", lim.Cur>>10)
	}
	exempt := capabilities()&(1<<unix.CAP_IPC_LOCK) != 0 && (major > 5 || major == 5 && minor >= 11)
	if exempt && !unlimited {
		found += ", but CAP_IPC_LOCK is held"
	}
	return check(system, "memlock", unlimited || exempt, Warn, found, "unlimited, or CAP_IPC_LOCK: parked frames are locked memory", "ulimit -l unlimited")
}

func kernelVersion() (release string, major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown", 0, 0
	}
	release = unix.ByteSliceToString(u.Release[:])
	parts := strings.SplitN(release, ".", 3)
	if len(parts) >= 2 {
		major, _ = strconv.Atoi(parts[0])
		minor, _ = strconv.Atoi(strings.TrimRightFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' }))
	}
	return release, major, minor
}

// capabilities is the effective set of this process.
func capabilities() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return set
		}
	}
	return 0
}
