package firewall

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Rule files of hosts, as their distributions and tools write them: most of each is about the host's own packets.

const archHost = `#!/usr/bin/nft -f
# vim:set ts=2 sw=2 et:
destroy table inet filter
table inet filter {
  chain input {
    type filter hook input priority filter
    policy drop

    ct state invalid drop comment "early drop of invalid connections"
    ct state {established, related} accept comment "allow tracked connections"
    iif lo accept comment "allow from loopback"
    ip protocol icmp accept comment "allow icmp"
    meta l4proto ipv6-icmp accept comment "allow icmp v6"
    tcp dport ssh accept comment "allow sshd"
    pkttype host limit rate 5/second counter reject with icmpx type admin-prohibited
    counter
  }
  chain forward {
    type filter hook forward priority filter
    policy drop
  }
}
`

const debianHost = `#!/usr/sbin/nft -f

flush ruleset

table inet filter {
	set admins {
		type ifname
		elements = { "lo", "tun0" }
	}
	chain mine {
		iifname vmap { "lo" : accept, "eth0" : drop }
		iifname "docker*" accept
		meta skuid 1000 accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		iifname @admins accept
		fib saddr . iif oif missing counter drop
		jump mine
		iifname != "wlan0" tcp dport { 22, 80 } accept
	}
	chain forward {
		type filter hook forward priority filter;
		tcp dport 23 drop
	}
	chain output {
		type filter hook output priority filter;
		oifname "eth0" accept
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "ppp0" ip saddr 10.0.0.0/8 masquerade
		oifname "ppp1" snat to 192.0.2.1
	}
}
`

const ufwHost = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-after-forward - [0:0]
:ufw-before-forward - [0:0]
:ufw-before-input - [0:0]
:ufw-not-local - [0:0]
:ufw-user-forward - [0:0]
:ufw-user-input - [0:0]
:ufw-user-limit - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A FORWARD -j ufw-after-forward
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 3 -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j DROP
-A ufw-not-local -j DROP
-A ufw-user-input -i eth+ -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource
-A ufw-user-input -p tcp -m tcp --dport 80 -m comment --comment "\'dapp_Nginx\'" -j ACCEPT
-A ufw-user-limit -m limit --limit 3/min -j LOG --log-prefix "[UFW LIMIT BLOCK] "
-A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable
COMMIT
`

const dockerHost = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`

func TestHostFiles(t *testing.T) {
	for _, c := range []struct {
		name, format, interfaces, text string
		warned                         []string
	}{
		{"arch", "nft", "", archHost, []string{"6:22: chain input hooks input"}},
		{"debian", "nft", "", debianHost, []string{
			"16:20: chain input", "28:20: chain output", `13:8: "meta skuid" is nftables`, `19:3: "fib" is nftables`, "37:17: chain postrouting of type nat is skipped",
		}},
		{"ufw", "iptables-save", "", ufwHost, []string{"2:1: chain INPUT sees no packet here", "BROADCAST asks for the host's routes", `module "recent"`}},
		{"docker", "iptables-save", "docker0: inside, eth0: outside", dockerHost, []string{"1:1: table nat is skipped"}},
		{"docker elsewhere", "iptables-save", "docker0: none", dockerHost, []string{"1:1: table nat is skipped"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := loads(t, "{rules: r, format: "+c.format+", interfaces: {"+c.interfaces+"}}", c.text)
			t.Log(got)
			expectWarnings(t, got, c.warned...)
		})
	}
}

// loads builds rules and returns what they are warned about.
func loads(t *testing.T, options, text string) nf.Problems {
	t.Helper()
	var ps nf.Problems
	_, err := New(nf.Setup{Options: textOptions(options), Open: func(string) ([]byte, error) { return []byte(text), nil }, Warn: func(p nf.Problem) { ps = append(ps, p) }})
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func expectWarnings(t *testing.T, got nf.Problems, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d warnings, expected %d:\n%v", len(got), len(want), got)
	}
	for i, w := range want {
		if !strings.Contains(got[i].Error(), w) {
			t.Errorf("warning %d is %v; expected %s", i+1, got[i], w)
		}
	}
}
