package locallambda

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	versionOne = "cgroup v1"
	versionTwo = "cgroup v2"
)

// findCgroups looks for a place to make groups in: on v2 below our own group (a systemd unit with Delegate=yes), else
// below the mount's root; on v1 below each controller's mount. Where the two versions are mounted side by side, the one
// that holds the memory controller is used. It leaves no trace where nothing can be made.
func findCgroups(mounts, ownGroup string) cgroups {
	if os.Geteuid() != 0 {
		return cgroups{why: errors.New("control groups need root: memory is polled, the CPU share is not limited")}
	}
	two, one := cgroupMounts(mounts)
	var reasons []error
	if two != "" {
		for _, parent := range []string{filepath.Join(two, ownGroup), two} {
			c, err := useTwo(parent)
			if err == nil {
				sweep(parent)
				err = c.probe()
			}
			if err == nil {
				return c
			}
			reasons = append(reasons, err)
		}
	}
	c := cgroups{version: versionOne}
	c.memory = useOne(one["memory"])
	c.cpu = useOne(one["cpu"])
	if c.memory != "" || c.cpu != "" {
		if err := c.probe(); err != nil {
			return cgroups{why: errors.Join(append(reasons, err)...)}
		}
		if c.memory == "" || c.cpu == "" {
			c.why = errors.New("the memory or the cpu controller is not mounted, or not writable")
		}
		return c
	}
	reasons = append(reasons, errors.New("no writable memory or cpu controller is mounted"))
	return cgroups{why: errors.Join(reasons...)}
}

// probe makes a group and removes it: a mount may be read-only, or delegated in part, in ways that only trying shows.
func (c cgroups) probe() error {
	g, err := c.create(minMemoryMB<<20, 1)
	if err != nil {
		return err
	}
	return g.remove()
}

// useTwo sees to it that groups made in parent have the memory and the cpu controller.
func useTwo(parent string) (cgroups, error) {
	file := filepath.Join(parent, "cgroup.subtree_control")
	for _, controller := range []string{"memory", "cpu"} {
		on, err := os.ReadFile(file)
		if err != nil {
			return cgroups{}, fmt.Errorf("%s: %w", parent, err)
		}
		if containsField(string(on), controller) {
			continue
		}
		if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil {
			return cgroups{}, fmt.Errorf("%s: the %s controller can't be enabled: %w", parent, controller, err)
		}
	}
	return cgroups{version: versionTwo, memory: parent, cpu: parent}, nil
}

// useOne returns the folder if groups can be made in it.
func useOne(mount string) string {
	if mount == "" {
		return ""
	}
	sweep(mount)
	if syscall.Access(mount, 2 /* W_OK */) != nil {
		return ""
	}
	return mount
}

// sweep removes groups whose maker was killed before it could: their processes went with it (Pdeathsig), the folders did not.
func sweep(parent string) {
	left, err := filepath.Glob(filepath.Join(parent, groupPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range left {
		maker, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), groupPrefix), "-")
		pid, err := strconv.Atoi(maker)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = removeGroup(folder)
		}
	}
}

// cgroupMounts reads /proc/self/mounts: the v2 mount, and the v1 mounts by controller.
func cgroupMounts(mounts string) (two string, one map[string]string) {
	one = map[string]string{}
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line) // device, folder, type, options, ...
		if len(fields) < 4 {
			continue
		}
		switch fields[2] {
		case "cgroup2":
			two = fields[1]
		case "cgroup":
			for option := range strings.SplitSeq(fields[3], ",") {
				one[option] = fields[1]
			}
		}
	}
	return two, one
}

// ownGroupV2 reads /proc/self/cgroup: the path after "0::".
func ownGroupV2(content string) string {
	for line := range strings.Lines(content) {
		if path, found := strings.CutPrefix(line, "0::"); found {
			return strings.TrimSpace(path)
		}
	}
	return "/"
}

func containsField(s, field string) bool {
	for f := range strings.FieldsSeq(s) {
		if f == field {
			return true
		}
	}
	return false
}
