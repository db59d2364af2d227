package afxdp

import (
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// Doctor looks at what Open would meet, in the calling thread's network namespace, and touches nothing: the system, both
// interfaces, what is attached to them, and where the program would be pinned.
func Doctor(cfg WireConfig) []nic.Check {
	cfg = cfg.withDefaults()
	out := append(nic.CheckSystem(), checkBPFFS(cfg.BPFFS))
	var pair [2]nic.Facts
	missing := false
	for s, name := range cfg.Interfaces {
		var err error
		if pair[s], err = nic.Inspect(name); err != nil {
			missing = true
			out = append(out, nic.Check{
				Subject: name, Name: "exists", State: nic.Fail, Found: err.Error(),
				Expected: "an interface for the " + ingress.Side(s).String() + " port", Mend: "ip -br link",
			})
		}
	}
	if missing {
		return out
	}
	out = append(out, nic.CheckPorts(pair, cfg.limits())...)
	for _, f := range pair {
		out = append(out, checkProgram(&cfg, f))
	}
	return out
}

// privateBPFFS is what to do where pins would not outlive the process.
const privateBPFFS = "start granule in the machine's mount namespace (`nsenter --net=/run/netns/NAME granule run ...`, not `ip netns exec`), or hand its /sys/fs/bpf in (`mount --rbind`; systemd: BindPaths=/sys/fs/bpf)"

// PinsEnd says what Report.PinsEnd means, and what to do.
const PinsEnd = "the BPF file system is not the machine's: when this process dies the XDP program goes with it, and the wire is cut; " + privateBPFFS

func checkBPFFS(path string) nic.Check {
	c := nic.Check{Subject: "system", Name: "bpffs", Found: "mounted at " + path, Expected: "a BPF file system at " + path + ", to pin the program in"}
	mounted, err := xdpprog.IsBPFFS(path)
	switch {
	case err != nil:
		c.State, c.Found, c.Mend = nic.Fail, err.Error(), "mkdir -p "+path+" && mount -t bpf bpf "+path
	case mounted:
		if lasts, err := xdpprog.Survives(path); err == nil && !lasts {
			c.State, c.Found, c.Expected, c.Mend = nic.Warn, "a file system of this mount namespace alone at "+path, "the machine's: pins, and with them on-process-failure, end with this namespace", privateBPFFS
		}
	case xdpprog.OwnMounts():
		c.State, c.Found, c.Expected, c.Mend = nic.Warn, "not mounted in this mount namespace, which is not the machine's", "the machine's: what granule run mounts here ends with it, and on-process-failure is void", privateBPFFS
	case !mounted:
		c.State, c.Found, c.Mend = nic.Warn, "not mounted; granule run will mount it", "mount -t bpf bpf "+path
	}
	return c
}

// checkProgram looks for an XDP program, and in which mode it runs.
func checkProgram(cfg *WireConfig, f nic.Facts) nic.Check {
	c := nic.Check{Subject: f.Name, Name: "xdp program", Found: "none", Expected: "none, or this gateway's"}
	p, ok := xdpprog.Attached(f.Index)
	switch {
	case !ok:
	case xdpprog.Leftover(cfg.BPFFS, cfg.Instance, f.Index):
		c.Found = "this gateway's, " + p.Mode.String() + " mode"
		if p.Mode != cfg.Mode {
			c.State, c.Expected, c.Mend = nic.Warn, cfg.Mode.String()+" mode", "stop the gateway, and: granule detach --instance "+cfg.Instance
		}
	default:
		c.State, c.Found, c.Mend = nic.Fail, p.String(), "granule detach --instance NAME, if a gateway of another name left it"
	}
	return c
}
