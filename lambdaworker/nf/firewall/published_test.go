package firewall

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// What published rule files hold beside rules for forwarded packets loads with a warning, and the verdicts are the kernel's.
func TestPublished(t *testing.T) {
	syn := func(to string) nftest.P { return nftest.TCP("10.0.0.1:5", "192.0.2.1:"+to, "S", "") }
	for _, c := range []struct {
		name, options, text string
		packets             []nftest.P
		verdicts            string
		warned              []string
	}{
		{"commands", "{rules: r}", `add table inet gw
add chain inet gw forward { type filter hook forward priority filter; policy drop; }
add rule inet gw forward drop
flush chain inet gw forward
add rule inet gw forward tcp dport 80 accept
insert rule inet gw forward tcp dport 80 ip saddr 192.0.2.0/24 drop
add rule inet gw forward index 0 tcp dport 443 accept
insert rule inet gw forward index 2 tcp dport 443 drop
add set inet gw s { type inet_service; elements = { 7, 9 } }
delete element inet gw s { 7 }
add rule inet gw forward udp dport @s accept
destroy table ip nothing
`, []nftest.P{syn("80"), nftest.TCP("192.0.2.9:5", "10.0.0.1:80", "S", "").Outside(), syn("443"), nftest.UDP("10.0.0.1:1", "192.0.2.1:7", ""), nftest.UDP("10.0.0.1:1", "192.0.2.1:9", "")},
			"pass firewall_rule pass firewall_policy pass", nil},
		{"empty chains elsewhere", "{rules: r, interfaces: {br-lan: inside, wan: outside}}", openWrt, []nftest.P{
			syn("80"), nftest.TCP("192.0.2.1:80", "10.0.0.1:5", "SA", "").Numbers(1, 1).Outside(), nftest.TCP("192.0.2.1:80", "10.0.0.1:7", "S", "").Outside(),
			nftest.Echo("192.0.2.1", "10.0.0.1", 1, 1).Outside(), nftest.UDP("192.0.2.1:1", "10.0.0.1:500", "x").Outside(),
		}, "pass pass firewall_reject firewall_reject pass", []string{
			"chain raw_prerouting hooks prerouting and has no rules", "the maximum segment size", "chain srcnat of type nat is skipped", "chain prerouting hooks prerouting and is skipped",
		}},
		{"sets of the host", "{rules: r}", `table inet gw {
	set known_hosts { type ether_addr; elements = { 02:00:00:00:00:01, 02:00:00:00:00:02 }; }
	set users { type uid; elements = { 0, 1000 }; }
	set blocked { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h }; }
	set nobody { type gid; }
	ct helper ftp-std {
		type "ftp" protocol tcp
	}
	quota q { over 10 mbytes }
	flowtable ft { hook ingress priority 0; devices = { eth0, eth1 }; }
	chain input {
		type filter hook input priority filter; policy drop;
		ether saddr @known_hosts accept
		meta skuid @users accept
		ip saddr @blocked drop
		tcp dport 21 ct helper set "ftp-std"
		quota name "q" drop
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ip protocol { tcp, udp } flow add @ft
		ct helper set "ftp-std"
		meta priority set 1:10
		tcp dport 443 accept
	}
}
`, []nftest.P{syn("443"), syn("80")}, "pass firewall_policy", []string{"would expire", `"meta skuid"`, `sets of type "gid"`, "flow add is not done", "ct helper is not set here", "meta priority is not set here"}},
		{"masks", "{rules: r}", `table inet gw {
	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp flags & (fin | syn | rst | ack) vmap { syn : accept, syn | ack : accept, fin : drop, fin | syn : drop }
		tcp flags & (fin | syn | rst | psh | ack | urg) < fin drop
		tcp flags & (ack | urg) { ack, urg } counter drop
	}
}
`, []nftest.P{syn("1"), nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "FU", ""), nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "SF", ""), nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "", ""),
			nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "A", ""), nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "AU", ""), nftest.TCP("10.0.0.1:1", "192.0.2.1:1", "R", "")},
			"pass firewall_rule firewall_rule firewall_rule firewall_rule pass pass", nil},
		{"other families", "{rules: r}", `table arp filter {
	chain input { type filter hook input priority 0; policy accept; arp operation request drop; }
}
table bridge filter {
	chain forward { type filter hook forward priority 0; policy accept; ether type arp accept; }
}
table netdev filter {
	chain ingress { type filter hook ingress device "eth0" priority 0; policy accept; ip saddr 1.2.3.4 counter; }
}
add rule arp filter input accept
table inet gw {
	chain forward { type filter hook forward priority filter; policy drop; tcp dport 443 accept; }
}
`, []nftest.P{syn("443"), syn("80")}, "pass firewall_policy", []string{"table arp filter is skipped", "table bridge filter is skipped", "table netdev filter is skipped"}},
		{"quoted symbols", "{rules: r}", `table inet gw {
	chain forward {
		type filter hook forward priority filter; policy accept;
		meta l4proto { "icmp", "ipv6-icmp" } drop
		meta l4proto "udp" ct state "new" th dport "53" drop
		tcp flags "syn" tcp dport { "ssh", "443" } drop
		ip saddr "10.0.0.9" drop
		meta nfproto "ipv6" drop
	}
}
`, []nftest.P{nftest.Echo("10.0.0.1", "192.0.2.1", 1, 1), nftest.UDP("10.0.0.1:1", "192.0.2.1:53", ""), syn("22"), syn("443"), syn("80"), nftest.UDP("10.0.0.9:1", "192.0.2.1:7", ""), nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:1", "")},
			"firewall_rule firewall_rule firewall_rule firewall_rule pass firewall_rule firewall_rule", nil},
		{"host's ctstate", "{rules: r, format: iptables-save}", `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:HOSTONLY - [0:0]
-A INPUT -j HOSTONLY
-A FORWARD -p tcp -m tcp --dport 443 -j ACCEPT
-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT
-A FORWARD -m conntrack --ctstate ESTABLISHED,DNAT -j ACCEPT
-A HOSTONLY -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
-A HOSTONLY -m conntrack --ctorigdst 1.2.3.4 -j ACCEPT
COMMIT
`, []nftest.P{syn("443"), syn("80"), nftest.TCP("192.0.2.1:443", "10.0.0.1:5", "SA", "").Numbers(1, 1).Outside()}, "pass firewall_policy pass", []string{"no packet is in state DNAT", `option "--ctorigdst"`}},
		{"marks, status, direction", "{rules: r}", `table inet gw {
	chain first {
		type filter hook forward priority mangle; policy accept;
		tcp dport 80 meta mark set 0x11
		tcp dport 81 ct mark set 0x21
		meta mark set meta mark or 0x100
		ct direction reply ct mark set ct mark and 0xf0 or 0x3
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct status dnat accept
		ct status seen-reply ct direction original counter drop
		meta mark 0x111 accept
		meta mark & 0xff == 0x11 drop
		ct mark 0x21 accept
		ct mark 0x23 ct direction reply accept
	}
}
`, []nftest.P{syn("80"), syn("81"), syn("82"), nftest.TCP("192.0.2.1:81", "10.0.0.1:5", "SA", "").Numbers(1, 1).Outside(), nftest.TCP("10.0.0.1:5", "192.0.2.1:81", "A", "").Numbers(1, 2)},
			"pass pass firewall_policy pass firewall_rule", nil},
		{"options and Ethernet", "{rules: r}", `table inet gw {
	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp option maxseg size < 536 drop
		tcp option sack-perm missing tcp dport 81 drop
		ether saddr 02:00:00:00:00:99 drop
	}
}
`, []nftest.P{withOptions(syn("80"), 2, 4, 1, 0), withOptions(syn("80"), 2, 4, 5, 0), syn("81"), withOptions(syn("81"), 4, 2, 1, 1), nftest.UDP("10.0.0.1:5", "192.0.2.1:81", "")},
			"firewall_rule pass firewall_rule pass pass", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warnings []string
			p, err := tryBuildWarn(c.options, map[string]string{"r": c.text}, func(w nf.Problem) { warnings = append(warnings, w.Error()) })
			if err != nil {
				t.Fatal(err)
			}
			if got := judged(p.Pipeline, c.packets...); got != c.verdicts {
				t.Errorf("%s\nexpected %s", got, c.verdicts)
			}
			all := strings.Join(warnings, "\n")
			for _, w := range c.warned {
				if !strings.Contains(all, w) {
					t.Errorf("no warning %q in\n%s", w, all)
				}
			}
			if len(c.warned) == 0 && len(warnings) > 0 {
				t.Errorf("warnings\n%s", all)
			}
		})
	}
}

func withOptions(p nftest.P, o ...byte) nftest.P {
	p.Options = o
	return p
}

// openWrt is of the form that fw4 makes.
const openWrt = `table inet fw4
flush table inet fw4

table inet fw4 {
	flowtable ft {
		hook ingress priority 0;
		devices = { br-lan, wan };
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept comment "!fw4: Accept traffic from loopback"
		ct state vmap { established : accept, related : accept } comment "!fw4: Handle inbound flows"
		tcp flags & (fin | syn | rst | ack) == syn jump syn_flood comment "!fw4: Rate limit TCP syn packets"
		iifname "br-lan" jump input_lan comment "!fw4: Handle lan IPv4/IPv6 input traffic"
		jump handle_reject
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		meta l4proto { tcp, udp } flow offload @ft;
		ct state vmap { established : accept, related : accept } comment "!fw4: Handle forwarded flows"
		iifname "br-lan" jump forward_lan comment "!fw4: Handle lan IPv4/IPv6 forward traffic"
		iifname "wan" jump forward_wan comment "!fw4: Handle wan IPv4/IPv6 forward traffic"
		jump handle_reject
	}
	chain output {
		type filter hook output priority filter; policy accept;
		oif "lo" accept comment "!fw4: Accept traffic towards loopback"
		ct state vmap { established : accept, related : accept }
	}
	chain prerouting {
		type filter hook prerouting priority filter; policy accept;
		iifname "br-lan" jump helper_lan comment "!fw4: Handle lan IPv4/IPv6 helper assignment"
	}
	chain handle_reject {
		meta l4proto tcp reject with tcp reset comment "!fw4: Reject TCP traffic"
		reject with icmpx type port-unreachable comment "!fw4: Reject any other traffic"
	}
	chain syn_flood {
		limit rate 25/second burst 50 packets return comment "!fw4: Accept SYN packets below rate-limit"
		drop comment "!fw4: Drop excess packets"
	}
	chain input_lan {
		jump accept_from_lan
	}
	chain forward_lan {
		jump accept_to_wan comment "!fw4: Accept lan to wan forwarding"
		jump accept_to_lan
	}
	chain helper_lan {
	}
	chain accept_from_lan {
		iifname "br-lan" counter accept comment "!fw4: accept lan IPv4/IPv6 traffic"
	}
	chain accept_to_lan {
		oifname "br-lan" counter accept comment "!fw4: accept lan IPv4/IPv6 traffic"
	}
	chain forward_wan {
		icmpv6 type { destination-unreachable, time-exceeded, echo-request, echo-reply } limit rate 1000/second counter accept comment "!fw4: Allow-ICMPv6-Forward"
		icmpv6 type . icmpv6 code { packet-too-big . no-route, parameter-problem . no-route, parameter-problem . admin-prohibited } limit rate 1000/second counter accept
		meta l4proto esp counter jump accept_to_lan comment "!fw4: Allow-IPSec-ESP"
		udp dport 500 counter jump accept_to_lan comment "!fw4: Allow-ISAKMP"
		ct status dnat accept comment "!fw4: Accept port forwards"
		jump reject_to_wan
	}
	chain accept_to_wan {
		meta nfproto ipv4 oifname "wan" ct state invalid counter drop comment "!fw4: Prevent NAT leakage"
		oifname "wan" counter accept comment "!fw4: accept wan IPv4/IPv6 traffic"
	}
	chain reject_to_wan {
		oifname "wan" counter jump handle_reject comment "!fw4: reject wan IPv4/IPv6 traffic"
	}
	chain dstnat {
		type nat hook prerouting priority dstnat; policy accept;
	}
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "wan" jump srcnat_wan comment "!fw4: Handle wan IPv4/IPv6 srcnat traffic"
	}
	chain srcnat_wan {
		meta nfproto ipv4 masquerade comment "!fw4: Masquerade IPv4 wan traffic"
	}
	chain raw_prerouting {
		type filter hook prerouting priority raw; policy accept;
	}
	chain raw_output {
		type filter hook output priority raw; policy accept;
	}
	chain mangle_prerouting {
		type filter hook prerouting priority mangle; policy accept;
	}
	chain mangle_postrouting {
		type filter hook postrouting priority mangle; policy accept;
		oifname "wan" tcp flags & (fin | syn | rst) == syn tcp option maxseg size set rt mtu comment "!fw4: Zone wan IPv4/IPv6 egress MTU fixing"
	}
	chain mangle_input {
		type filter hook input priority mangle; policy accept;
	}
	chain mangle_output {
		type route hook output priority mangle; policy accept;
	}
	chain mangle_forward {
		type filter hook forward priority mangle; policy accept;
		iifname "wan" tcp flags & (fin | syn | rst) == syn tcp option maxseg size set rt mtu comment "!fw4: Zone wan IPv4/IPv6 ingress MTU fixing"
		oifname "wan" tcp flags syn / fin,syn,rst tcp option maxseg size set rt mtu comment "!fw4: Zone wan IPv4/IPv6 egress MTU fixing"
	}
}
`
