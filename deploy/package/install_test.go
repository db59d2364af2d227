//go:build deploy

package package_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// TestLifeOfThePackage installs the package in a Debian root, runs what it installed between two hosts, upgrades it while a transfer is
// on its way, removes and purges it.
func TestLifeOfThePackage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("TestLifeOfThePackage needs root: it makes a Debian root and network namespaces")
	}
	root := debian(t)
	clone := filepath.Join(t.TempDir(), "clone")
	first := build(t, clone)
	run(t, clone, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "--allow-empty", "--date=2037-01-01T00:00:00Z", "-m", "next")
	run(t, "", "cp", first, filepath.Join(root, "first.deb"))
	run(t, clone, "rm", first)
	run(t, clone, "env", "SOURCE_DATE_EPOCH=2114380800", "deploy/package/build.sh")
	seconds, err := filepath.Glob(filepath.Join(clone, "dist", "granule_*_amd64.deb"))
	if err != nil || len(seconds) != 1 {
		t.Fatalf("packages in dist: %v, %v", seconds, err)
	}
	run(t, "", "cp", seconds[0], filepath.Join(root, "second.deb"))

	run(t, "", "chroot", root, "dpkg", "-i", "/first.deb")
	for _, name := range []string{"usr/bin/granule", "usr/lib/granule/bootstrap", "lib/systemd/system/granule@.service", "etc/granule/granule.yaml",
		"etc/granule/edge.nft", "etc/logrotate.d/granule", "usr/share/man/man1/granule-run.1.gz", "usr/share/bash-completion/completions/granule",
		"usr/share/granule/bootstrap-arm64.zip", "usr/share/granule/aws/gateway.yaml", "usr/share/granule/pktgen/pktgen.sh", "usr/share/doc/granule/copyright"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("not installed: %v", err)
		}
	}
	if out := run(t, "", "chroot", root, "granule", "check", "--strict", "-c", "/etc/granule/granule.yaml"); !strings.Contains(out, "all right") {
		t.Errorf("the packaged configuration: %s", out)
	}
	version := run(t, "", "chroot", root, "granule", "--version")

	wire, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := wire.Close(); err != nil {
			t.Error(err)
		}
	})
	gateway := start(t, wire, root)
	transfer := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := traffic.TCP{From: wire.Inside, To: wire.Outside, Address: topo.OutsideIP, Flows: 4, Bytes: 1 << 20}.Run(ctx)
		if err != nil || !r.Intact() {
			t.Fatalf("transfer: %v (%+v)\n%s", err, r, gateway.log())
		}
	}
	transfer()

	run(t, "", "chroot", root, "dpkg", "-i", "--force-confold", "/second.deb") // the running gateway has its own copy of what it runs
	if now := run(t, "", "chroot", root, "granule", "--version"); now == version {
		t.Errorf("upgraded from %s to the same", version)
	}
	transfer()
	gateway.stop(t) // what systemd would do: the old one leaves the wire to its XDP program, the new one takes it over
	gateway = start(t, wire, root)
	transfer()
	gateway.stop(t)

	run(t, "", "chroot", root, "dpkg", "-r", "granule")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/granule")); !os.IsNotExist(err) {
		t.Errorf("removed, and the program is still there (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/granule/granule.yaml")); err != nil {
		t.Errorf("removed, and the configuration went with it: %v", err)
	}
	run(t, "", "chroot", root, "dpkg", "-P", "granule")
	if _, err := os.Stat(filepath.Join(root, "etc/granule")); !os.IsNotExist(err) {
		t.Errorf("purged, and the configuration is still there (%v)", err)
	}
}

// debian is a Debian root of its own, with what a gateway needs of a running system mounted into it.
func debian(t *testing.T) string {
	t.Helper()
	need(t, "debootstrap")
	root := t.TempDir()
	run(t, "", "debootstrap", "--variant=minbase", "bookworm", root)
	for _, m := range [][]string{{"-t", "proc", "proc", "proc"}, {"--bind", "/sys/fs/bpf", "bpf"}} {
		to := filepath.Join(root, m[len(m)-1])
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, "", "mount", append(m[:len(m)-1:len(m)-1], to)...)
		t.Cleanup(func() { run(t, "", "umount", "-l", to) })
	}
	return root
}

type installed struct {
	cmd  *exec.Cmd
	file string
}

// start runs the installed gateway as the unit does, in the wire's gateway namespace, and waits until it is ready.
func start(t *testing.T, wire *topo.Topo, root string) *installed {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "run/granule/granule"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/log/granule"), 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	// A mount namespace of its own for a /sys that shows the interfaces of its network namespace; the BPF file system is the machine's.
	script := `mount -t sysfs sysfs "$1/sys" && mount --bind /sys/fs/bpf "$1/sys/fs/bpf" 2>/dev/null || mount --bind "$1/bpf" "$1/sys/fs/bpf"
exec chroot "$1" granule run --config /etc/granule/granule.yaml --instance deploy-test --admin unix:/run/granule/granule/admin.sock --leave-relay --inside "$2" --outside "$3"`
	argv := []string{"--net=" + wire.Gateway.Path(), "unshare", "-m", "sh", "-c", script, "sh", root, topo.InsideIf, topo.OutsideIf}
	g := &installed{cmd: exec.Command("nsenter", argv...), file: log.Name()}
	g.cmd.Stdout, g.cmd.Stderr = log, log
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.cmd.Process.Kill(); _ = g.cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if strings.Contains(g.log(), "msg=ready") {
			return g
		}
		if time.Now().After(deadline) || syscall.Kill(g.cmd.Process.Pid, 0) != nil {
			t.Fatalf("the installed gateway is not ready:\n%s", g.log())
		}
	}
}

func (g *installed) log() string {
	b, _ := os.ReadFile(g.file)
	return string(b)
}

func (g *installed) stop(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Wait(); err != nil {
		t.Errorf("the installed gateway ended with %v:\n%s", err, g.log())
	}
}
