package topo

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// Bridge joins the gateway's interfaces by a kernel bridge: what stands in the gateway's place when it is measured against.
func (t *Topo) Bridge() error {
	return t.Gateway.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "br0"
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		if err := netlink.LinkAdd(bridge); err != nil {
			return fmt.Errorf("make a bridge: %w", err)
		}
		for _, name := range []string{InsideIf, OutsideIf} {
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetMaster(l, bridge)
			}
			if err != nil {
				return fmt.Errorf("join %s to the bridge: %w", name, err)
			}
		}
		return SetUp(attrs.Name, true)
	})
}
