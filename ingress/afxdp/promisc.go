package afxdp

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// promisc makes one interface take frames that are not addressed to it, which are all of them.
//
// With policy open it must outlive the process, as the relay does, and is set on the interface; with policy closed it must
// not, and is the membership of a packet socket, which ends with the process.
type promisc struct {
	socket int // packet socket, or -1
	set    bool
	index  int
}

// makePromiscuous leaves alone an interface that an administrator made promiscuous; ours says that a former run of this
// gateway did.
func makePromiscuous(h *netlink.Handle, index int, outlive, already, ours bool) (*promisc, error) {
	p := &promisc{socket: -1, index: index}
	if !outlive {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0: it receives nothing
		if err != nil {
			return nil, fmt.Errorf("open a packet socket: %w; needs CAP_NET_RAW", err)
		}
		p.socket = fd
		mreq := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return nil, errors.Join(fmt.Errorf("make promiscuous: %w", err), unix.Close(fd))
		}
		if already && ours { // policy was open before, and is closed now
			return p, setPromisc(h, index, false)
		}
		return p, nil
	}
	if already && !ours {
		return p, nil
	}
	p.set = true
	return p, setPromisc(h, index, true)
}

func setPromisc(h *netlink.Handle, index int, on bool) error {
	l, err := h.LinkByIndex(index)
	if err != nil {
		return fmt.Errorf("set promiscuous=%t: %w", on, err)
	}
	set := h.SetPromiscOff
	if on {
		set = h.SetPromiscOn
	}
	if err := set(l); err != nil {
		return fmt.Errorf("set %s promiscuous=%t: %w", l.Attrs().Name, on, err)
	}
	return nil
}

// close undoes it. An interface that is gone needs no undoing.
func (p *promisc) close(h *netlink.Handle, leave bool) error {
	if p.socket >= 0 {
		return unix.Close(p.socket)
	}
	if !p.set || leave {
		return nil
	}
	err := setPromisc(h, p.index, false)
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return nil
	}
	return err
}
