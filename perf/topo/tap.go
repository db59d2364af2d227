package topo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tap sends and receives whole Ethernet frames on a host's interface, whatever they hold. It sees what arrives, not what
// the host sends. For one goroutine.
type Tap struct {
	fd       int
	buf, oob []byte
}

const tapBuffer = 64 << 20 // bytes of frames waiting to be read, as the kernel charges them

// OpenTap opens a tap on the interface HostIf of a host.
func OpenTap(host *Namespace) (*Tap, error) {
	t := &Tap{fd: -1, buf: make([]byte, 1<<16), oob: make([]byte, 256)}
	err := host.Do(func() (err error) {
		iface, err := net.InterfaceByName(HostIf)
		if err != nil {
			return err
		}
		all := int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)))
		if t.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		mreq := unix.PacketMreq{Ifindex: int32(iface.Index), Type: unix.PACKET_MR_PROMISC}
		return errors.Join(
			unix.SetsockoptInt(t.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1), // the kernel takes VLAN tags off, and tells them here
			unix.SetsockoptInt(t.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer),
			unix.SetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, tapBuffer),
			unix.SetsockoptPacketMreq(t.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq),
			unix.Bind(t.fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: iface.Index}),
		)
	})
	if err != nil {
		if t.fd >= 0 {
			err = errors.Join(err, unix.Close(t.fd))
		}
		return nil, fmt.Errorf("tap on %s of %s: %w", HostIf, host.Name, err)
	}
	return t, nil
}

// Send puts a frame on the wire: from 14 bytes to MTU + 14 (+ 4 if tagged).
func (t *Tap) Send(frame []byte) error {
	for {
		_, err := unix.Write(t.fd, frame)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Receive waits for a frame; nil when none has come within timeout. The frame is valid until the next call.
func (t *Tap) Receive(timeout time.Duration) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	for {
		left := max(0, time.Until(deadline))
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		switch n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond)); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return nil, nil
		}
		const room = 4 // for the tag that goes back in
		n, oobn, _, _, err := unix.Recvmsg(t.fd, t.buf[room:], t.oob, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENETDOWN):
			continue
		case err != nil:
			return nil, err
		}
		if tpid, tci, tagged := vlan(t.oob[:oobn]); tagged && n >= 12 {
			copy(t.buf, t.buf[room:room+12])
			binary.BigEndian.PutUint16(t.buf[12:], tpid)
			binary.BigEndian.PutUint16(t.buf[14:], tci)
			return t.buf[:room+n], nil
		}
		return t.buf[room : room+n], nil
	}
}

// vlan finds the tag that the kernel took off, in a packet's control messages.
func vlan(oob []byte) (tpid, tci uint16, tagged bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, 0, false
	}
	for _, m := range msgs {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			continue
		}
		aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if aux.Status&unix.TP_STATUS_VLAN_VALID != 0 {
			return aux.Vlan_tpid, aux.Vlan_tci, true
		}
	}
	return 0, 0, false
}

// Close closes the tap.
func (t *Tap) Close() error { return unix.Close(t.fd) }
