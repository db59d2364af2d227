package firewall

import (
	"bufio"
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
)

// compareTimeouts holds want, by sysctl without its prefix, against a fresh network namespace's, which has the kernel's defaults.
func compareTimeouts(t *testing.T, want map[string]conntrack.Duration) {
	t.Helper()
	out, err := exec.Command("unshare", "-n", "sh", "-c", "cd /proc/sys/net/netfilter && grep . nf_conntrack_*timeout*").Output()
	if err != nil {
		t.Skipf("no network namespace with conntrack to compare with: %v", err)
	}
	have := map[string]conntrack.Duration{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(s.Text(), "nf_conntrack_"), ":")
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		have[name] = conntrack.Duration(time.Duration(n) * time.Second)
	}
	for name, d := range want {
		switch k, ok := have[name]; {
		case !ok && strings.HasPrefix(name, "gre"):
			t.Logf("%s: this kernel has no conntrack for GRE loaded", name)
		case k != d:
			t.Errorf("%s: %v, the kernel's is %v", name, time.Duration(d), time.Duration(k))
		}
	}
}
