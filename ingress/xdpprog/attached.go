package xdpprog

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

// ErrForeign says that an interface carries an XDP program that is not this gateway's. It is never removed for you.
var ErrForeign = errors.New("another XDP program is attached")

// Program is an XDP program found on an interface.
type Program struct {
	ID   uint32
	Name string // as the kernel has it, cut to 15 characters; empty if it can't be asked for
	Mode Mode
}

func (p Program) String() string {
	return fmt.Sprintf("program %q, id %d, %s mode; see `bpftool prog show id %d`. If a gateway of another instance name left it: `granule detach --instance NAME`, where the name is that of a folder in "+
		"/sys/fs/bpf/granule; if it is somebody else's and may go, whoever attached it takes it off (`ip link set dev IF xdp off` does for one that is not held by a link)", p.Name, p.ID, p.Mode, p.ID)
}

// Attached returns the XDP program on an interface.
func Attached(ifindex int) (Program, bool) {
	l, err := netlink.LinkByIndex(ifindex)
	if err != nil || l.Attrs().Xdp == nil || !l.Attrs().Xdp.Attached {
		return Program{}, false
	}
	xdp := l.Attrs().Xdp
	p := Program{ID: xdp.ProgId, Mode: Native}
	if xdp.AttachMode == nl.XDP_ATTACHED_SKB {
		p.Mode = Generic
	}
	if prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(xdp.ProgId)); err == nil {
		if info, err := prog.Info(); err == nil {
			p.Name = info.Name
		}
		_ = prog.Close()
	}
	return p, true
}

// AttachedMode is the mode of the program on an interface.
func AttachedMode(ifindex int) (Mode, error) {
	p, ok := Attached(ifindex)
	if !ok {
		return 0, fmt.Errorf("no XDP program is attached to interface %d", ifindex)
	}
	return p.Mode, nil
}
