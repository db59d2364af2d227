package classify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

var layer2Names = [numNamed]string{"arp", "lldp", "stp", "lacp", "eapol", "nd", "igmp", "mld"}

// Layer2Names are the protocols that may be named, in the order of their counters. It is also what crosses where nobody says otherwise.
func Layer2Names() []string { return slices.Clone(layer2Names[:]) }

// namedTypes are the EtherTypes of those that have one of their own.
var namedTypes = map[uint16]uint8{packet.EtherARP: ARP, packet.EtherLLDP: LLDP, packet.EtherSlow: LACP, packet.EtherEAPOL: EAPOL}

// judgedTypes are looked behind: what is in them is judged if it is IP.
var judgedTypes = map[uint16]string{packet.EtherIPv4: "IPv4", packet.EtherIPv6: "IPv6", packet.EtherVLAN: "a VLAN tag", packet.EtherQinQ: "a VLAN tag",
	packet.EtherQinQ1: "a VLAN tag", packet.EtherQinQ2: "a VLAN tag", packet.EtherQinQ3: "a VLAN tag"}

// ParseLayer2 reads the setting `layer2`: names, and EtherTypes as hexadecimal numbers. "none" alone is the empty list. The error names what was
// found and what is possible.
func ParseLayer2(list []string) (l Layer2, err error) {
	for _, word := range list {
		word = strings.ToLower(strings.TrimSpace(word))
		if i := slices.Index(layer2Names[:], word); i >= 0 {
			l.named[i] = true
			continue
		}
		if word == "none" && len(list) == 1 {
			return Layer2{}, nil
		}
		t, err := strconv.ParseUint(word, 0, 16)
		if err != nil {
			return l, fmt.Errorf("layer2: found %q; expected names of %s, or EtherTypes such as 0x88cc; or none, alone", word, strings.Join(layer2Names[:], ", "))
		}
		et := uint16(t)
		if t < 0x600 {
			return l, fmt.Errorf("layer2: found %q; expected an EtherType, from 0x0600 on: what is below is the length of an LLC frame", word)
		}
		if what, judged := judgedTypes[et]; judged {
			return l, fmt.Errorf("layer2: found %q, which is %s: IP is always judged, by chains or by `unmatched`", word, what)
		}
		if i, named := namedTypes[et]; named {
			l.named[i] = true
		} else if !slices.Contains(l.types[:l.n], et) {
			if l.n == len(l.types) {
				return l, fmt.Errorf("layer2: found more than %d EtherTypes without a name; expected at most so many", len(l.types))
			}
			l.types[l.n] = et
			l.n++
		}
	}
	return l, nil
}

// Names returns the names of the counters, by index; "" where there is none. Protocols that don't cross have one, too: it stays 0.
func (l *Layer2) Names() (names [MaxLayer2]string) {
	copy(names[:], layer2Names[:])
	for i, t := range l.types[:l.n] {
		names[int(numNamed)+i] = fmt.Sprintf("0x%04x", t)
	}
	return names
}
