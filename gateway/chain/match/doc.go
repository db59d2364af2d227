// Package match compiles the expressions of tcpdump (pcap-filter) and asks them of one packet.
//
// A chain's `match` is asked of the first packet of a flow and the answer holds for the flow, both directions and all of
// its packets. So an expression that says `src` or `dst`, a flag or a length speaks of that first packet; one that
// should hold whichever end speaks first uses the symmetric forms (`host`, `net`, `port`), as most do.
//
// What is understood, with tcpdump's meaning on Ethernet captures and `and`, `or` of equal rank, read from the left:
//
//	ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp
//	[ip|ip6|arp|rarp|ether] [src|dst|src or dst|src and dst] [host|net] ADDRESS
//	net PREFIX, net ADDRESS mask MASK, ether [src|dst] host MAC
//	[tcp|udp|sctp] [src|dst|...] port N, portrange A-B, and names of common services
//	[ip|ip6] proto P, ether proto P
//	vlan [ID]
//	[ether] broadcast, [ether|ip|ip6] multicast
//	less N, greater N
//	EXPR RELOP EXPR with numbers, len, PROTO[OFFSET:SIZE], + - * / % & | ^ << >>, tcpflags, tcp-syn, icmptype ...
//	and && or || not ! ( ), and `port 80 or 81`: a bare value takes the words of the one before it
//
// Three habits of tcpdump surprise; they are kept, because whoever tries an expression with tcpdump on a capture should
// get the same packets here:
//
//   - Headers are looked for right behind the Ethernet header. `ip`, `tcp` or `port 80` do not see into frames with a VLAN
//     tag; `vlan` does, and from there to the end of the expression everything is looked for behind the tag. So
//     both kinds are `ip or (vlan and ip)`, in this order.
//   - IPv6 extension headers are not walked, but for a fragment header by `tcp`, `udp` and their like; `port` looks right
//     behind the IPv6 header.
//   - A test that reaches past the captured bytes makes the whole expression false, also under `not`.
//
// Names of hosts and networks are not looked up. What tcpdump knows beyond this list is refused by name.
package match
