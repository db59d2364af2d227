package settings

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/granule-nf/granule/ingress/afxdp"
)

// lookupTimeout is how long a name server may take to say where workers are, before that is left unknown.
const lookupTimeout = 2 * time.Second

// ManagementPaths finds the connections that a port must not cut off: the administrator's SSH session, and the path to workers. It fills
// them in x, for run and doctor alike, and returns what could not be found out, in words.
func ManagementPaths(ctx context.Context, x *afxdp.WireConfig, fleet *Fleet) (unknown []string) {
	x.SSHConnection = sshConnection("/proc", os.Getpid(), os.Getenv("SSH_CONNECTION"))
	x.WorkerAddrs, unknown = fleet.addresses(ctx)
	return unknown
}

// sshConnection returns the SSH_CONNECTION ("client port server port") of this process or of its nearest ancestor that has
// one, "" for none: sudo, su and env -i hand it on to nobody, but the shell before them has it still.
func sshConnection(proc string, pid int, own string) string {
	const generations = 64 // a bound, should a tree be read while it changes
	if isSSHConnection(own) {
		return own
	}
	for range generations {
		pid = parent(proc, pid)
		if pid <= 0 {
			return ""
		}
		environ, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "environ"))
		if err != nil {
			continue // another user's, and we are not root: its parent may be ours
		}
		for entry := range strings.SplitSeq(string(environ), "\x00") {
			if v, ok := strings.CutPrefix(entry, "SSH_CONNECTION="); ok && isSSHConnection(v) {
				return v
			}
		}
	}
	return ""
}

func isSSHConnection(v string) bool { return len(strings.Fields(v)) == 4 }

// parent reads a process's parent out of its stat; 0 for none or unknown. See proc_pid_stat(5): the program's name, in
// brackets, may hold brackets and blanks itself.
func parent(proc string, pid int) int {
	stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // state, parent, ...
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

// addresses are those beyond which workers are: of the Lambda endpoint that is called, and of the relay as workers see it.
// Loopback is left out, and so is the embedded service, which is in this process. Names that can't be looked up are returned
// in words.
func (c *Fleet) addresses(ctx context.Context) (addrs, unknown []string) {
	hosts := c.Advertise
	if c.Remote {
		host, err := c.Lambda.Host(ctx)
		if err != nil {
			unknown = append(unknown, err.Error())
		} else {
			hosts = append([]string{host}, hosts...)
		}
	}
	for _, host := range hosts {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		ips, err := lookup(ctx, strings.Trim(host, "[]"))
		if err != nil {
			unknown = append(unknown, err.Error())
		}
		for _, ip := range ips {
			if !ip.IsLoopback() && !ip.IsUnspecified() {
				addrs = append(addrs, ip.String())
			}
		}
	}
	return addrs, unknown
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
