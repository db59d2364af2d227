package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/vishvananda/netlink"
)

// The tunnel's addresses and port.
const (
	tunnelInside, tunnelOutside = "10.78.0.1", "10.78.0.2"
	tunnelNet                   = "10.78.0.0/24"
	tunnelPort                  = 51820
)

// startWireguard: a tunnel from host to host, both ends in user space, over a kernel bridge in the gateway's place. The
// tunnel's MTU is 1420, so that its packets fit the wire's 1500.
func startWireguard(ctx context.Context, tp *topo.Topo, program string) (_ *carrier, err error) {
	if err := tp.Bridge(); err != nil {
		return nil, err
	}
	in, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	out, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var ends []*rig.Process
	stop := func() (err error) {
		for _, p := range ends {
			err = errors.Join(err, p.Stop(5*time.Second))
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stop())
		}
	}()
	for _, e := range []struct {
		ns               *topo.Namespace
		private, public  *ecdh.PrivateKey
		address, farHost string
	}{{tp.Inside, in, out, tunnelInside, topo.OutsideIP}, {tp.Outside, out, in, tunnelOutside, topo.InsideIP}} {
		p, err := spawn(ctx, e.ns, program, "-tun", "wg0", "-private", hex.EncodeToString(e.private.Bytes()),
			"-peer", hex.EncodeToString(e.public.PublicKey().Bytes()), "-listen", fmt.Sprint(tunnelPort),
			"-endpoint", fmt.Sprintf("%s:%d", e.farHost, tunnelPort), "-allowed", tunnelNet)
		if err != nil {
			return nil, err
		}
		ends = append(ends, p)
		if err := e.ns.Do(func() error {
			l, err := netlink.LinkByName("wg0")
			if err != nil {
				return err
			}
			return errors.Join(
				netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(e.address), Mask: net.CIDRMask(24, 32)}}),
				netlink.LinkSetUp(l))
		}); err != nil {
			return nil, fmt.Errorf("address of the tunnel in %s: %w", e.ns.Name, err)
		}
	}
	return &carrier{address: tunnelOutside, stop: stop}, nil
}
