package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/locallambda"
)

// fakeProc writes what of /proc is read: for each process its parent and environment.
func fakeProc(t *testing.T, processes map[int]struct {
	parent  int
	environ string
}) string {
	t.Helper()
	dir := t.TempDir()
	for pid, p := range processes {
		d := filepath.Join(dir, strconv.Itoa(pid))
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"stat": strconv.Itoa(pid) + " (a) b (c) S " + strconv.Itoa(p.parent) + " 1 1", "environ": p.environ} {
			if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// sudo takes SSH_CONNECTION away; the shell it was typed in has it still.
func TestSSHConnectionOfAncestors(t *testing.T) {
	type process = struct {
		parent  int
		environ string
	}
	const session = "198.51.100.7 50000 192.0.2.1 22"
	for _, c := range []struct {
		name string
		tree map[int]process
		own  string
		want string
	}{
		{"its own", nil, session, session},
		{"sudo", map[int]process{40: {30, "PATH=/bin\x00"}, 30: {20, "HOME=/root\x00"}, 20: {1, "A=b\x00SSH_CONNECTION=" + session + "\x00Z=z\x00"}, 1: {0, ""}}, "", session},
		{"the nearest", map[int]process{40: {30, ""}, 30: {20, "SSH_CONNECTION=" + session + "\x00"}, 20: {1, "SSH_CONNECTION=1 2 3 4\x00"}}, "", session},
		{"none", map[int]process{40: {30, ""}, 30: {1, "OLD_SSH_CONNECTION=" + session + "\x00"}, 1: {0, ""}}, "", ""},
		{"nonsense is passed by", map[int]process{40: {30, ""}, 30: {20, "SSH_CONNECTION=here\x00"}, 20: {0, "SSH_CONNECTION=" + session + "\x00"}}, "there", session},
		{"a circle ends", map[int]process{40: {30, ""}, 30: {40, ""}}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sshConnection(fakeProc(t, c.tree), 40, c.own); got != c.want {
				t.Errorf("%q; expected %q", got, c.want)
			}
		})
	}
}

func TestWorkerAddresses(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
	remote := locallambda.Remote{Region: "eu-central-1", Endpoint: "http://192.0.2.9:4566"}
	for _, c := range []struct {
		name    string
		fleet   Fleet
		want    []string
		unknown string
	}{
		{"in this process", Fleet{Lambda: remote}, nil, ""},
		{"elsewhere", Fleet{Remote: true, Lambda: remote, Advertise: []string{"198.51.100.1:7443", "[2001:db8::1]:7443"}}, []string{"192.0.2.9", "198.51.100.1", "2001:db8::1"}, ""},
		{"on this machine", Fleet{Remote: true, Lambda: locallambda.Remote{Region: "x", Endpoint: "http://127.0.0.1:1"}}, nil, ""},
		{"no such name", Fleet{Remote: true, Lambda: remote, Advertise: []string{"relay.invalid:1"}}, []string{"192.0.2.9"}, "relay.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, unknown := c.fleet.addresses(t.Context())
			if !slices.Equal(got, c.want) || (c.unknown == "") != (len(unknown) == 0) || !strings.Contains(strings.Join(unknown, "\n"), c.unknown) {
				t.Errorf("%q, unknown %q; expected %q, %q", got, unknown, c.want, c.unknown)
			}
		})
	}
}
