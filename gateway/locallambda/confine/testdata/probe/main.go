// Command probe is a worker's artifact that tries what a worker has no business to do, and prints what it got away with, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	parent, gateway := os.Getppid(), 0
	if v, err := strconv.Atoi(os.Getenv("GATEWAY")); err == nil {
		gateway = v
	}
	got := map[string]string{}
	try := func(what string, err error) {
		if err == nil {
			got[what] = "it may"
		}
	}
	try("read /etc/shadow", second(os.ReadFile("/etc/shadow")))
	try("read /proc", second(os.ReadDir("/proc")))
	try("list its folder", second(os.ReadDir(".")))
	try("write beside itself", os.WriteFile("left-by-the-probe", nil, 0o600))
	try("write in /tmp", os.WriteFile("/tmp/left-by-the-probe", nil, 0o600))
	try("open the gateway's memory", second(os.OpenFile(fmt.Sprintf("/proc/%d/mem", gateway), os.O_RDWR, 0)))
	try("trace the gateway", unix.PtraceAttach(gateway))
	try("signal the gateway", unix.Kill(gateway, 0))
	try("signal its parent", unix.Kill(max(parent, 2), 0))
	try("signal everybody", unix.Kill(-1, 0))
	try("start a program", exec.Command("/bin/true").Run())
	try("start itself again", unix.Exec("/proc/self/exe", []string{"x"}, nil))
	try("become root", unix.Setresuid(0, 0, 0))
	try("make a user namespace", unix.Unshare(unix.CLONE_NEWUSER))
	try("mount", unix.Mount("x", "/", "tmpfs", 0, ""))
	for name, family := range map[string]int{"a packet socket": unix.AF_PACKET, "a netlink socket": unix.AF_NETLINK, "a unix socket": unix.AF_UNIX, "an XDP socket": unix.AF_XDP} {
		kind := unix.SOCK_RAW
		if family == unix.AF_UNIX {
			kind = unix.SOCK_STREAM
		}
		try(name, second(unix.Socket(family, kind, 0)))
	}
	try("a raw socket", second(unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)))
	_, _, errno := unix.Syscall(unix.SYS_BPF, 0, 0, 0)
	if errno != unix.EPERM {
		got["bpf"] = errno.Error()
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
		got["listen"] = "it may"
	}
	for fd := 3; fd < 256; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			got["a descriptor"] = strconv.Itoa(fd)
		}
	}
	status := map[string]string{"pid": strconv.Itoa(os.Getpid()), "uid": strconv.Itoa(os.Getuid()), "outer": os.Getenv("GRANULE_WORKER_PID")}
	var caps [2]unix.CapUserData
	_ = unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0])
	if n := caps[0].Permitted | caps[1].Permitted | caps[0].Effective | caps[1].Effective; n != 0 {
		status["capabilities"] = strconv.FormatUint(uint64(n), 16)
	}
	// And what it is for still works: TCP, threads, timers, memory.
	if c, err := net.DialTimeout("tcp", os.Getenv("DIAL"), 5*time.Second); err != nil {
		status["dial"] = err.Error()
	} else {
		c.Close()
	}
	done := make(chan bool)
	for range 8 {
		go func() { time.Sleep(time.Millisecond); _ = make([]byte, 32<<20); done <- true }()
	}
	for range 8 {
		<-done
	}
	text, _ := json.Marshal(map[string]any{"got": got, "status": status})
	fmt.Println(strings.TrimSpace(string(text)))
}

func second[T any](_ T, err error) error { return err }
