package xdpprog

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
)

// Survives reports whether what is pinned below path outlives this process and whoever shares its mount namespace: the BPF file system there is one that
// the machine's first process has, too. One that was mounted in a namespace of its own goes with that namespace, and with it pins and programs, whatever
// their policy says. The error is that of reading what is mounted.
func Survives(path string) (bool, error) {
	own, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	device := bpffsAt(own, path)
	if device == "" {
		return false, fmt.Errorf("no BPF file system is mounted at %s", path)
	}
	host, err := os.ReadFile("/proc/1/mountinfo")
	if err != nil {
		return false, fmt.Errorf("what the first process has mounted: %w", err)
	}
	return hasBPFFS(host, device), nil
}

// bpffsAt is the device number of the BPF file system mounted at path by a mountinfo (proc_pid_mountinfo(5)); "" if another one is, or none. The last
// mount is on top.
func bpffsAt(mountinfo []byte, path string) (device string) {
	eachMount(mountinfo, func(dev, at, kind string) {
		if at == path {
			if device = ""; kind == "bpf" {
				device = dev
			}
		}
	})
	return device
}

func hasBPFFS(mountinfo []byte, device string) (has bool) {
	eachMount(mountinfo, func(dev, _, kind string) { has = has || kind == "bpf" && dev == device })
	return has
}

func eachMount(mountinfo []byte, f func(device, at, kind string)) {
	for lines := bufio.NewScanner(bytes.NewReader(mountinfo)); lines.Scan(); {
		before, after, ok := bytes.Cut(lines.Bytes(), []byte(" - "))
		fields, kind := bytes.Fields(before), bytes.Fields(after)
		if ok && len(fields) >= 5 && len(kind) >= 1 {
			f(string(fields[2]), string(fields[4]), string(kind[0]))
		}
	}
}

// OwnMounts reports whether this process has another mount namespace than the machine's first one.
func OwnMounts() bool {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return false
	}
	host, err := os.Readlink("/proc/1/ns/mnt")
	return err == nil && own != host
}
