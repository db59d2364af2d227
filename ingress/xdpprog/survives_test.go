package xdpprog

import "testing"

// A BPF file system of the host's, seen from a namespace of one's own, holds pins beyond the process; one of that namespace does not.
func TestPinsSurviveInTheHostsFileSystemAlone(t *testing.T) {
	const host = "25 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n30 25 0:26 / /sys/fs/bpf rw,nosuid shared:9 master:2 - bpf bpf rw,mode=700\n"
	for name, tt := range map[string]struct {
		own  string
		want bool
	}{
		"the host's":                   {host, true},
		"inherited by another":         {"125 101 0:22 / /sys rw - sysfs sysfs rw\n130 125 0:26 / /sys/fs/bpf rw - bpf bpf rw\n", true},
		"mounted anew":                 {"225 201 0:77 / /sys rw - sysfs gbw rw\n230 225 0:78 / /sys/fs/bpf rw - bpf bpf rw\n", false},
		"mounted anew over the host's": {host + "231 30 0:79 / /sys/fs/bpf rw - bpf bpf rw\n", false},
		"hidden by something else":     {host + "231 30 0:80 / /sys/fs/bpf rw - tmpfs none rw\n", false},
	} {
		device := bpffsAt([]byte(tt.own), "/sys/fs/bpf")
		if got := device != "" && hasBPFFS([]byte(host), device); got != tt.want {
			t.Errorf("%s: survives %v (device %q); expected %v", name, got, device, tt.want)
		}
	}
}
