package locallambda

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestCgroupMounts(t *testing.T) {
	two, one := cgroupMounts(`sysfs /sys sysfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
short line
`)
	if two != "/sys/fs/cgroup/unified" || one["memory"] != "/sys/fs/cgroup/memory" || one["cpu"] != "/sys/fs/cgroup/cpu,cpuacct" {
		t.Errorf("%q %v", two, one)
	}
	if got := ownGroupV2("4:memory:/x\n0::/system.slice/granule.service\n"); got != "/system.slice/granule.service" {
		t.Errorf("%q", got)
	}
	if got := ownGroupV2("4:memory:/x\n"); got != "/" {
		t.Errorf("%q", got)
	}
}

func TestCgroupSettings(t *testing.T) {
	render := func(c cgroups, cpus float64) (lines []string) {
		for _, s := range c.settings("g", 128<<20, cpus) {
			lines = append(lines, s.folder+"/"+s.file+"="+s.value)
		}
		return lines
	}
	for _, c := range []struct {
		name   string
		groups cgroups
		cpus   float64
		want   string
	}{
		{"v2", cgroups{version: versionTwo, memory: "/c", cpu: "/c"}, 0.5, "/c/g/memory.max=134217728 /c/g/memory.swap.max=0 /c/g/cpu.max=50000 100000"},
		{"v2, no CPU limit", cgroups{version: versionTwo, memory: "/c", cpu: "/c"}, -1, "/c/g/memory.max=134217728 /c/g/memory.swap.max=0"},
		{"v1", cgroups{version: versionOne, memory: "/m", cpu: "/p"}, 2, "/m/g/memory.limit_in_bytes=134217728 /m/g/memory.memsw.limit_in_bytes=134217728 /p/g/cpu.cfs_period_us=100000 /p/g/cpu.cfs_quota_us=200000"},
		{"v1, memory alone", cgroups{version: versionOne, memory: "/m"}, 2, "/m/g/memory.limit_in_bytes=134217728 /m/g/memory.memsw.limit_in_bytes=134217728"},
		{"least quota", cgroups{version: versionOne, cpu: "/p"}, 0.0001, "/p/g/cpu.cfs_period_us=100000 /p/g/cpu.cfs_quota_us=1000"},
	} {
		if got := strings.Join(render(c.groups, c.cpus), " "); got != c.want {
			t.Errorf("%s:\n%s\nexpected\n%s", c.name, got, c.want)
		}
	}
}

// TestUseTwoEnablesControllers on a folder that looks like a group.
func TestUseTwoEnablesControllers(t *testing.T) {
	parent := t.TempDir()
	if _, err := useTwo(parent); err == nil || !strings.Contains(err.Error(), parent) {
		t.Errorf("no group there: %v", err)
	}
	file := filepath.Join(parent, "cgroup.subtree_control")
	if err := os.WriteFile(file, []byte("cpuset memory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := useTwo(parent)
	content, _ := os.ReadFile(file)
	if err != nil || c.memory != parent || c.cpu != parent || string(content) != "+cpu" {
		t.Errorf("%+v %v, wrote %q; expected only the missing cpu controller to be enabled", c, err, content)
	}
}

func TestNoGroupsExplained(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("without root that is the reason given, TestWhatIsEnforcedHereIsSaid has it")
	}
	if c := findCgroups("", "/"); c.version != "" && c.memory+c.cpu == "" || c.why == nil {
		t.Errorf("%+v, expected an explanation", c)
	}
}

// TestProcessIsBornInItsV2Group: no moment in which it is outside (and no memory charged elsewhere).
func TestProcessIsBornInItsV2Group(t *testing.T) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	two, _ := cgroupMounts(string(mounts))
	if two == "" || syscall.Access(two, 2) != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a writable cgroup2 mount")
	}
	name := groupPrefix + strconv.Itoa(os.Getpid()) + "-born"
	folder := filepath.Join(two, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Skipf("no group can be made in %s: %v", two, err)
	}
	g := &cgroup{folders: []string{folder}}
	t.Cleanup(func() {
		if err := g.remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%s is left", folder)
		}
	})
	if g.v2, err = os.Open(folder); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	child := exec.CommandContext(ctx, "/bin/sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.atStart(child.SysProcAttr)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.attach(child.Process.Pid); err != nil {
		t.Error(err)
	}
	if members := groupMembers(folder); len(members) != 1 || members[0] != child.Process.Pid {
		t.Errorf("members are %v, expected %d", members, child.Process.Pid)
	}
	// remove, at the end of the test, has to kill it first.
	go func() { _ = child.Wait() }()
	if err := g.remove(); err != nil {
		t.Error(err)
	}
}

func FuzzStatusKiB(f *testing.F) {
	f.Add([]byte("Name:\tx\nVmHWM:\t   12 kB\nVmRSS:\t    7 kB\n"))
	f.Add([]byte("VmRSS:"))
	f.Fuzz(func(t *testing.T, status []byte) {
		if n := statusKiB(status, "VmRSS:"); n != 0 && !bytes.Contains(status, []byte("VmRSS:")) {
			t.Errorf("%d out of nothing: %q", n, status)
		}
	})
}

func TestStatusKiB(t *testing.T) {
	status := []byte("Name:\tVmRSS:\nVmHWM:\t   12 kB\nVmRSS:\t    7 kB\nVmBad:\tmany kB\nVmNone:\n")
	for key, want := range map[string]uint64{"VmRSS:": 7, "VmHWM:": 12, "VmBad:": 0, "VmNone:": 0, "VmSwap:": 0} {
		if got := statusKiB(status, key); got != want {
			t.Errorf("%s %d, expected %d", key, got, want)
		}
	}
}
