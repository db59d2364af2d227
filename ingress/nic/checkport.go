package nic

import (
	"fmt"

	"github.com/granule-nf/granule/ingress/ethtool"
)

// nativeDrivers have native XDP with redirect and transmit, as of Linux 6.12.
var nativeDrivers = map[string]bool{
	"bnxt_en": true, "dpaa2-eth": true, "ena": true, "fsl_dpa": true, "gve": true, "hv_netvsc": true, "i40e": true, "ice": true,
	"igb": true, "igc": true, "ixgbe": true, "mlx4_en": true, "mlx5_core": true, "mvneta": true, "mvpp2": true, "qede": true,
	"sfc": true, "stmmac": true, "tsnep": true, "tun": true, "veth": true, "virtio_net": true, "vmxnet3": true,
}

// CheckPorts looks at a pair of interfaces: every refusal as a failure, and what would work badly as a warning.
func CheckPorts(pair [2]Facts, lim Limits) []Check {
	var out []Check
	for _, r := range Refusals(pair, lim) {
		name := "fit for a port"
		if r.Danger {
			name = "in use otherwise"
		}
		out = append(out, Check{Subject: r.Interface, Name: name, State: Fail, Found: r.Why, Expected: "nothing against it", Mend: r.Mend})
	}
	for _, f := range pair {
		out = append(out, checkPort(f, lim)...)
	}
	return out
}

func checkPort(f Facts, lim Limits) []Check {
	limit := MaxMTU
	if lim.Jumbo {
		limit = MaxMTUJumbo
	}
	out := []Check{
		check(f.Name, "link", f.Carrier, Warn, yes(f.Carrier, "up", "no carrier"), "up", "ip link set dev "+f.Name+" up"),
		check(f.Name, "mtu", f.MTU <= limit, Fail, number(f.MTU), fmt.Sprintf("at most %d", limit),
			fmt.Sprintf("ip link set dev %s mtu %d", f.Name, limit)),
		check(f.Name, "queues", f.RXQueues <= lim.MaxQueues, Fail, fmt.Sprintf("%d of %d", f.RXQueues, f.MaxQueues),
			fmt.Sprintf("at most %d in use", lim.MaxQueues), f.setQueues(lim.MaxQueues)),
		check(f.Name, "driver", lim.Generic || nativeDrivers[f.Driver], Warn, yes(f.Driver != "", f.Driver+" "+f.Version, "unknown"),
			yes(lim.Generic, "any, in generic mode", "one with native XDP"), "granule run --xdp-mode generic"),
	}
	if f.Driver == "ena" {
		// Mainline's driver sets half of the queues aside for XDP's transmits; Amazon's does not from 2.17 on.
		out = append(out, check(f.Name, "spare queues", f.RXQueues*2 <= f.MaxQueues, Warn, fmt.Sprintf("%d of %d", f.RXQueues, f.MaxQueues),
			"at most half in use (but for Amazon's driver from 2.17.0)", f.setQueues(max(1, f.MaxQueues/2))))
	}
	return append(out, checkOffloads(f)...)
}

// checkOffloads warns of what changes frames behind a port's back.
func checkOffloads(f Facts) []Check {
	var out []Check
	for _, o := range []struct {
		feature ethtool.Feature
		state   State
		why     string
	}{
		{ethtool.RX, OK, "either: ports don't look at the NIC's verdict"},
		{ethtool.TX, OK, "either: ports send finished frames"},
		{ethtool.GRO, OK, "either in native mode, off in generic mode (frames would come joined)"},
		{ethtool.LRO, Warn, "off: the NIC would join frames that can't be parted again"},
		{ethtool.RXVLAN, Warn, "off: the NIC would take VLAN tags away before a port sees them"},
		{ethtool.TXVLAN, Warn, "off: tags belong in the frame"},
	} {
		on, known := f.Offloads[o.feature]
		if !known {
			continue
		}
		out = append(out, check(f.Name, "offload "+string(o.feature), !on || o.state == OK, o.state, yes(on, "on", "off"), o.why,
			fmt.Sprintf("ethtool -K %s %s off", f.Name, o.feature)))
	}
	if f.Driver == "veth" {
		out = append(out, Check{
			Subject: f.Name, Name: "far end", State: Warn, Found: "a veth, whose far end can't be seen from here",
			Expected: "tx off at the far end (frames made there carry unfinished checksums), and gro on (or it takes no relayed frames)",
			Mend:     "at the far end: ethtool -K IF tx off rxvlan off txvlan off gro on",
		})
	}
	return out
}
