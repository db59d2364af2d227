package capture

import (
	"fmt"

	"github.com/google/gopacket/layers"
)

// LinkType is what a capture's records begin with. See tcpdump.org/linktypes.html.
type LinkType = layers.LinkType

// The link types that a port takes.
const (
	Ethernet = layers.LinkTypeEthernet
	Raw      = layers.LinkTypeRaw // IPv4 or IPv6, by the version field
	IPv4     = layers.LinkTypeIPv4
	IPv6     = layers.LinkTypeIPv6

	// What some systems wrote for Raw, before a number was agreed on.
	rawBSD     LinkType = 12
	rawOpenBSD LinkType = 14
)

// etherLen is the length of the header that bare IP packets are given.
const etherLen = 14

// checkLinkType refuses captures whose records don't hold Ethernet frames or IP packets.
func checkLinkType(t LinkType) error {
	if t == Ethernet || bare(t) {
		return nil
	}
	return fmt.Errorf("link type %d (%v): expected Ethernet (1) or IP (101, 228, 229); convert it, for example with: editcap -T ether",
		uint32(t), t)
}

// bare reports that records of this type have no link header.
func bare(t LinkType) bool {
	switch t {
	case Raw, IPv4, IPv6, rawBSD, rawOpenBSD:
		return true
	}
	return false
}

// etherType is the EtherType of a bare packet: 0, which is no protocol's, where its version field says neither 4 nor 6.
func etherType(t LinkType, packet []byte) layers.EthernetType {
	switch t {
	case IPv4:
		return layers.EthernetTypeIPv4
	case IPv6:
		return layers.EthernetTypeIPv6
	}
	if len(packet) > 0 {
		switch packet[0] >> 4 {
		case 4:
			return layers.EthernetTypeIPv4
		case 6:
			return layers.EthernetTypeIPv6
		}
	}
	return 0
}
