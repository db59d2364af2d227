package pktgen

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Config is what a trial sends. The zero value of a field takes the default in parentheses.
type Config struct {
	TX, RX        string           // interfaces
	TXMAC, RXMAC  net.HardwareAddr // source and destination of frames (the interfaces' own)
	Src, Dst      netip.Addr       // of the frames that TX sends (198.18.0.1, 198.19.0.1: RFC 2544's benchmarking range)
	SrcPort       uint16           // of the first flow, the others follow (49152, or 1024 for more than 16384 flows)
	DstPort       uint16           // (9, discard)
	VLAN          uint16           // 802.1Q tag; 0: none
	Flows         int              // (1)
	Sizes         []Share          // frame sizes (all 64 bytes)
	Rate          float64          // frames per second; 0: as fast as this machine can
	Duration      time.Duration    // of sending (10 s)
	Drain         time.Duration    // how long to wait for the last frames (500 ms)
	Bidirectional bool             // RX sends as well, the same with addresses exchanged
}

// Share is a frame size, in bytes with the FCS, and how often it comes in a cycle.
type Share struct{ Size, Weight int }

// IMIX is the simple Internet mix: 7 frames of 64 bytes, 4 of 594 and 1 of 1518, an average of 362 bytes (RFC 6985 names it).
var IMIX = []Share{{64, 7}, {594, 4}, {1518, 1}}

const (
	fcs      = 4
	wireGap  = 20           // preamble, start delimiter and inter-frame gap: on the wire, not in a frame
	maxSize  = 3514         // of a frame with FCS: what AF_XDP takes in one buffer
	maxFlows = 1<<16 - 1024 // source ports from 1024
)

func (c Config) withDefaults() Config {
	if !c.Src.IsValid() {
		c.Src = netip.MustParseAddr("198.18.0.1")
	}
	if !c.Dst.IsValid() {
		c.Dst = netip.MustParseAddr("198.19.0.1")
	}
	if c.SrcPort == 0 {
		c.SrcPort = 49152
		if c.Flows > 1<<16-49152 {
			c.SrcPort = 1024
		}
	}
	if c.DstPort == 0 {
		c.DstPort = 9
	}
	if c.Flows == 0 {
		c.Flows = 1
	}
	if len(c.Sizes) == 0 {
		c.Sizes = []Share{{c.MinSize(), 1}}
	}
	if c.Duration == 0 {
		c.Duration = 10 * time.Second
	}
	if c.Drain == 0 {
		c.Drain = 500 * time.Millisecond
	}
	return c
}

// MinSize is the shortest frame, in bytes with the FCS, that has room for a probe: 64 for IPv4, 84 for IPv6, 4 more with a tag.
func (c *Config) MinSize() int { return c.headers() + probeLen + fcs }

// headers is the length of everything in front of the probe.
func (c *Config) headers() int {
	n := 14 + 20 + 8
	if c.Src.Is6() {
		n += 20
	}
	if c.VLAN != 0 {
		n += 4
	}
	return n
}

// Validate reports the first setting that makes no sense, after defaults.
func (c *Config) Validate() error {
	d := c.withDefaults()
	switch {
	case d.TX == "" || d.RX == "":
		return fmt.Errorf("interfaces %q and %q: expected one to send on and one to receive on", d.TX, d.RX)
	case d.TX == d.RX:
		return fmt.Errorf("interface %s twice: frames go in at one end of what is tested and come out at the other", d.TX)
	case d.Src.Is4() != d.Dst.Is4():
		return fmt.Errorf("source %s and destination %s: expected addresses of one family", d.Src, d.Dst)
	case d.VLAN > 4094:
		return fmt.Errorf("VLAN %d: expected 1 to 4094", d.VLAN)
	case d.Flows < 1 || d.Flows > maxFlows:
		return fmt.Errorf("%d flows: expected 1 to %d", d.Flows, maxFlows)
	case int(d.SrcPort)+d.Flows > 1<<16:
		return fmt.Errorf("%d flows from port %d on: that is past port 65535", d.Flows, d.SrcPort)
	case d.Rate < 0:
		return fmt.Errorf("rate %g: expected frames per second, or 0 for as fast as possible", d.Rate)
	case d.Duration < time.Millisecond || d.Drain < 0:
		return fmt.Errorf("duration %s, drain %s: expected at least 1ms and 0", d.Duration, d.Drain)
	}
	for _, s := range d.Sizes {
		if s.Size < d.MinSize() || s.Size > maxSize {
			return fmt.Errorf("frames of %d bytes: expected %d to %d, with the FCS", s.Size, d.MinSize(), maxSize)
		}
		if s.Weight < 1 || s.Weight > 1000 {
			return fmt.Errorf("weight %d of frames of %d bytes: expected 1 to 1000", s.Weight, s.Size)
		}
	}
	return nil
}
