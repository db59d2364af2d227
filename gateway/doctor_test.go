package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/spf13/pflag"
	"github.com/vishvananda/netlink"
)

// Settings reach doctor's view of the wire as they reach run's: by flag, environment and file.
func TestDoctorTakesRunsSettings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "granule.yaml")
	if err := os.WriteFile(path, []byte("jumbo: true\nallow-port: [eth7]\nchains: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s settings.Run
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.Flags(fs)
	if err := fs.Parse([]string{"--config", path, "--instance", "second"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GRANULE_XDP_MODE": "generic"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	checks, err := examine(t.Context(), &s, fs, lookup)
	if err != nil || len(checks) == 0 {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	ports, _, err := s.LoadPorts(fs, lookup)
	if x := ports.XDP; err != nil || !x.Jumbo || x.Instance != "second" || x.Mode != xdpprog.Generic || len(x.Override) != 1 || x.Override[0] != "eth7" {
		t.Errorf("%+v, %v; expected jumbo and eth7 of the file, generic of the environment, second of the flag", x, err)
	}
	cmd := doctorCommand()
	for _, name := range doctorFlags {
		if cmd.Flags().Lookup(name) == nil {
			t.Errorf("doctor has no --%s", name)
		}
	}
	for _, args := range [][]string{{"--inside", "pcap:a", "--outside", "pcap:b"}, {"--config", filepath.Join(dir, "none.yaml")}, {"--xdp-mode", "fast"}} {
		cmd := doctorCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(args)
		if err := cmd.Execute(); err == nil {
			t.Errorf("doctor %v: no error", args)
		}
	}
}

// Jumbo frames are fit for a port with --jumbo, and unequal queues are told with the command that mends them.
func TestDoctorSeesTheWireThatRunWould(t *testing.T) {
	tp := topoWith(t, "169.254.7.7/16")
	look := func(args ...string) string {
		t.Helper()
		var s settings.Run
		fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
		s.Flags(fs)
		if err := fs.Parse(append([]string{"--inside", topo.InsideIf, "--outside", topo.OutsideIf}, args...)); err != nil {
			t.Fatal(err)
		}
		var failed []string
		if err := tp.Gateway.Do(func() error {
			checks, err := examine(t.Context(), &s, fs, func(string) (string, bool) { return "", false })
			for _, c := range checks {
				if c.State == nic.Fail {
					failed = append(failed, c.Subject+" "+c.Found+" $ "+c.Mend)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(failed, "\n")
	}
	if err := tp.Gateway.Do(func() error {
		for _, name := range []string{topo.InsideIf, topo.OutsideIf} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if err := netlink.LinkSetMTU(l, 9001); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if said := look(); !strings.Contains(said, "MTU 9001") {
		t.Errorf("MTU 9001 without --jumbo: failed checks are %q", said)
	}
	if said := look("--jumbo"); strings.Contains(said, "MTU") {
		t.Errorf("MTU 9001 with --jumbo: failed checks are %q", said)
	}
}

// topoWith is a gateway's namespace whose inside port has an address.
func topoWith(t *testing.T, cidr string) *topo.Topo {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	tp, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := tp.Gateway.Do(func() error {
		l, err := netlink.LinkByName(topo.InsideIf)
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(l, addr)
	}); err != nil {
		t.Fatal(err)
	}
	return tp
}
