package afxdp

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// LinkState is how an interface stands.
type LinkState struct {
	Present bool // an interface with the index that was opened
	Up      bool // and it is up and has carrier
	Name    string
	MTU     int
	Queues  int // RX queues in use
	// Back is the index of another interface that has the name by now and is up, where Present is false; else 0.
	Back int
}

// look asks for a side's state, in the network namespace in which the wire was opened.
func (w *linkWatch) look(s int) LinkState {
	st := w.states[s]
	l, err := w.ask.LinkByIndex(w.index[s])
	var gone netlink.LinkNotFoundError
	switch {
	case err == nil:
		const both = unix.IFF_UP | unix.IFF_LOWER_UP
		a := l.Attrs()
		st = LinkState{Present: true, Up: a.RawFlags&both == both, Name: a.Name, MTU: a.MTU, Queues: w.queues(a.Name, st.Queues)}
	case errors.As(err, &gone):
		st.Present, st.Up, st.Back = false, false, 0
		if again, err := w.ask.LinkByName(w.opened[s].Name); err == nil {
			if a := again.Attrs(); a.RawFlags&unix.IFF_UP != 0 { // whoever makes it is done with it
				st.Back, st.Queues = a.Index, w.queues(a.Name, w.opened[s].Queues)
			}
		}
	}
	return st // as it was, if it could not be asked for
}

// queues asks the driver for the RX queues in use, through a socket of the wire's namespace; last, where it does not say.
func (w *linkWatch) queues(name string, last int) int {
	const getChannels = 0x3c // ETHTOOL_GCHANNELS
	channels := struct{ cmd, maxRX, maxTX, maxOther, maxCombined, rx, tx, other, combined uint32 }{cmd: getChannels}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&channels)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(w.control), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return last
	}
	return max(1, int(channels.rx+channels.combined))
}

// Differs says what of a port's interface is not as it was opened, and what to do; nothing where all is well.
func (s *LinkState) Differs(side string, opened *LinkState, served int) (why []string) {
	switch {
	case !s.Present && s.Back == 0:
		return []string{fmt.Sprintf("%s port %s: the interface is gone; the ports are opened anew when it is back", side, opened.Name)}
	case !s.Present:
		return []string{fmt.Sprintf("%s port %s: the interface was removed and made again; the ports are opened anew", side, opened.Name)}
	}
	if s.Name != opened.Name {
		why = append(why, fmt.Sprintf("%s port %s: the interface is called %s now; it is served all the same, but a restart will look for %s", side, opened.Name, s.Name, opened.Name))
	}
	if s.MTU != opened.MTU {
		why = append(why, fmt.Sprintf("%s port %s: the MTU is %d now, the port was opened with %d; longer frames may be dropped until a restart", side, s.Name, s.MTU, opened.MTU))
	}
	if s.Queues > served {
		why = append(why, fmt.Sprintf("%s port %s: %d RX queues are in use, and %d are served; frames on the others are dropped (XDP outcome dropped_no_socket) until both ports have as many, when they are opened anew, or this one has %d again: ethtool -L %s",
			side, s.Name, s.Queues, served, served, s.Name))
	}
	return why
}
