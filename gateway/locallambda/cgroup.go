package locallambda

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groupPrefix begins the name of every control group made here; the process id of its maker follows.
const groupPrefix = "granule-lambda-"

// cpuPeriod is the kernel's default accounting period for CPU quotas, in microseconds; minQuota the least it accepts.
const (
	cpuPeriod = 100_000
	minQuota  = 1_000
)

// cgroups is where control groups can be made on this machine.
type cgroups struct {
	version     string // "cgroup v2", "cgroup v1", or empty where none can be made
	memory, cpu string // folders in which groups with that controller can be made; empty where not; equal on v2
	why         error  // what is missing
}

// cgroup is one process's group: one folder on v2, one for each controller on v1.
type cgroup struct {
	folders []string
	v2      *os.File // the open folder, into which the process is born (clone3)
}

// setting is one limit file and what goes into it; an optional one may be missing on some kernels.
type setting struct {
	folder, file, value string
	optional            bool
}

// settings lists what makes a group with this name keep the limits. cpus <= 0 leaves the processor unlimited.
func (c cgroups) settings(name string, memory uint64, cpus float64) []setting {
	limit := strconv.FormatUint(memory, 10)
	quota := max(int(cpus*cpuPeriod), minQuota)
	inMemory, inCPU := filepath.Join(c.memory, name), filepath.Join(c.cpu, name)
	var list []setting
	// Swapping would hide a function that needs more than it pays for.
	switch {
	case c.memory == "":
	case c.version == versionTwo:
		list = append(list, setting{inMemory, "memory.max", limit, false}, setting{inMemory, "memory.swap.max", "0", true})
	default: // in this order: memory and swap together can't be less than memory
		list = append(list, setting{inMemory, "memory.limit_in_bytes", limit, false},
			setting{inMemory, "memory.memsw.limit_in_bytes", limit, true})
	}
	switch {
	case c.cpu == "" || cpus <= 0:
	case c.version == versionTwo:
		list = append(list, setting{inCPU, "cpu.max", fmt.Sprintf("%d %d", quota, cpuPeriod), false})
	default:
		list = append(list, setting{inCPU, "cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false},
			setting{inCPU, "cpu.cfs_quota_us", strconv.Itoa(quota), false})
	}
	return list
}

// create makes a group with a name that nobody has, and sets its limits.
func (c cgroups) create(memory uint64, cpus float64) (*cgroup, error) {
	name := fmt.Sprintf("%s%d-%s", groupPrefix, os.Getpid(), rand.Text())
	g := &cgroup{}
	for _, parent := range slices.Compact([]string{c.memory, c.cpu}) {
		if parent == "" {
			continue
		}
		folder := filepath.Join(parent, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("make control group: %w", err), g.remove())
		}
		g.folders = append(g.folders, folder)
	}
	for _, set := range c.settings(name, memory, cpus) {
		// Without O_CREATE: a file that the kernel doesn't offer is missing, whatever is mounted here.
		err := writeExisting(filepath.Join(set.folder, set.file), set.value)
		if errors.Is(err, fs.ErrNotExist) && set.optional {
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("set control group limit to %s: %w", set.value, err), g.remove())
		}
	}
	if c.version == versionTwo {
		folder, err := os.Open(g.folders[0])
		if err != nil {
			return nil, errors.Join(err, g.remove())
		}
		g.v2 = folder
	}
	return g, nil
}

func writeExisting(path, value string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}

// atStart makes the process start inside the group, where the kernel can do that (v2).
func (g *cgroup) atStart(attr *syscall.SysProcAttr) {
	if g.v2 != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.v2.Fd())
	}
}

// attach moves a process in, for v1: what it allocated in the moments before stays charged to the old group.
func (g *cgroup) attach(pid int) error {
	if g.v2 != nil {
		return nil
	}
	for _, folder := range g.folders {
		err := writeExisting(filepath.Join(folder, "cgroup.procs"), strconv.Itoa(pid))
		if errors.Is(err, syscall.ESRCH) {
			return nil // it has ended already
		}
		if err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// remove kills what is left in the group and removes its folders.
func (g *cgroup) remove() error {
	if g.v2 != nil {
		_ = g.v2.Close()
	}
	var errs []error
	for _, folder := range g.folders {
		errs = append(errs, removeGroup(folder))
	}
	return errors.Join(errs...)
}

// removeGroup tries for a second: the kernel refuses (EBUSY) until the last killed member is gone.
func removeGroup(folder string) error {
	var err error
	for range 200 {
		err = syscall.Rmdir(folder)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		for _, pid := range groupMembers(folder) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("remove control group %s: %w", folder, err)
}

func groupMembers(folder string) (pids []int) {
	content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	if err != nil {
		return nil
	}
	for field := range strings.FieldsSeq(string(content)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}
