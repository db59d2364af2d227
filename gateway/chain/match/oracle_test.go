package match

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

// The oracle is tcpdump itself: over captures of real applications it must choose the packets that we choose.
var oracleExpressions = []string{
	"ip", "ip6", "tcp", "udp", "icmp", "icmp6", "igmp", "sctp", "arp", "esp", "ah", "vrrp", "pim", "ip or ip6", "not ip",
	"port 80", "tcp port 80", "udp port 53", "src port 53", "dst port 53", "src and dst port 5060", "src or dst port 53",
	"port 80 or 443", "tcp dst port 80 or 443 or 8080", "portrange 1-1023", "src portrange 1024-65535", "port http", "port domain", "port https",
	"tcp and not port 80", "not (port 80 or port 443)", "port 80 and not 443", "port (80 or 443)", "not port 53 and udp", "udp or tcp and port 53",
	"net 10.0.0.0/8", "net 192.168.0.0 mask 255.255.0.0", "net 10", "net 192.168", "src net 192.168.0.0/16", "dst net 224.0.0.0/4",
	"host 192.168.1.1", "host 192.168", "src 10.0.0.1", "src host 10.0.0.1 or 10.0.0.2", "ip host 192.168.1.1", "net 0.0.0.0/0", "arp net 192.168.0.0/16",
	"net fe80::/10", "ip6 and net 2000::/3", "host ff02::1", "src net fe80::/64", "net ::/0", "ip6 host ff02::fb",
	"proto 17", "ip proto 6", "ip6 proto 58", "ip proto \\tcp", "proto \\udp", "ether proto 0x806", "ether proto \\ip", "ip6 proto 44",
	"vlan", "vlan 1", "vlan and ip", "ip or (vlan and ip)", "vlan and vlan", "vlan and tcp port 80", "not vlan", "vlan 100 or ip", "vlan and ip[8] > 60", "vlan and port 53",
	"ether broadcast", "broadcast", "multicast", "ether multicast", "ip multicast", "ip6 multicast", "ether host ff:ff:ff:ff:ff:ff", "ether dst 01:00:5e:00:00:fb",
	"less 100", "greater 1000", "len > 500 and len <= 1400", "len = 60",
	"tcp[13] & 2 != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] == tcp-syn", "tcp[13] = 18", "not tcp[13] & 2 != 0", "tcp[13] != 16",
	"ip[8] < 64", "ip[8] < 5", "ip[6:2] & 0x1fff != 0", "ip[6:2] & 0x2000 != 0", "ip6[7] > 200", "ip6[6] = 17", "ip[0] & 0xf > 5", "ip[2:2] > 1000",
	"udp[4:2] > 100", "udp[0:2] = 53", "icmp[icmptype] = icmp-echo", "icmp[0] != 8", "icmp6[icmp6type] = 136", "ether[12:2] = 0x800", "ether[0] & 1 = 1",
	"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ip[16] >= 224", "len - 14 = ip[2:2]", "tcp[2:2] % 2 = 0", "ip[2:2] / 2 > 100", "ip[12:4] = ip[16:4]", "ether[200] = 0", "not ether[200] = 0",
	"tcp[60:4] = 0 or udp", "port 53 && !tcp", "(tcp or udp) and (port 53 or port 443)", "tcp port 443 and (tcp[13] & 4 != 0 or len < 70)", "-1 < len", "5 > 3", "(ip[0] + 1) > 69",
	"ip[ip[0] & 0xf] > 3", "tcp and not (src net 10.0.0.0/8 and dst net 10.0.0.0/8)",
}

func TestSamePacketsAsTcpdump(t *testing.T) {
	tcpdump := needTcpdump(t)
	all := captures(t)
	rnd := rand.New(rand.NewPCG(5, 20))
	expressions := slices.Clone(oracleExpressions)
	for range 120 {
		expressions = append(expressions, randomExpression(rnd, 3))
	}
	for _, e := range expressions {
		compare(t, tcpdump, all, e)
	}
}

func compare(t *testing.T, tcpdump string, c capture, expression string) {
	t.Helper()
	want, err := exec.Command(tcpdump, "-n", "-r", c.path, "-w", "-", "--", expression).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && bytes.Contains(exit.Stderr, []byte("rejects all packets")) {
		want, err = make([]byte, 24), nil // its optimiser saw through the expression
	}
	f, problem := Compile(expression)
	if err != nil || problem != nil || len(want) < 24 {
		t.Errorf("%q: tcpdump says %v, we say %v", expression, err, problem)
		return
	}
	want = want[24:]
	for i, r := range c.records {
		chosen := len(want) >= len(r) && bytes.Equal(want[:16], r[:16])
		if got := f.Match(r[16:], binary.LittleEndian.Uint32(r[12:])); got != chosen {
			t.Errorf("%q: packet %d: we say %v, tcpdump %v", expression, i, got, chosen)
			return
		}
		if chosen {
			want = want[len(r):]
		}
	}
}

func needTcpdump(t *testing.T) string {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed (Debian package tcpdump): no oracle for match expressions")
	}
	return path
}

type capture struct {
	path    string
	records [][]byte // each with its 16-byte header
}

// captures writes the Ethernet captures of the corpus into one file, the packets' times being their numbers.
func captures(t *testing.T) capture {
	paths := corpus.Captures(t, "larger", "traffic")
	c := capture{path: filepath.Join(t.TempDir(), "all.pcap")}
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if binary.LittleEndian.Uint32(data[20:]) != 1 {
			continue // tcpdump compiles for the link type; ours is Ethernet
		}
		for at, n := 24, 0; at+16 <= len(data) && n < 600; n++ {
			size := 16 + int(binary.LittleEndian.Uint32(data[at+8:]))
			r := data[at : at+size]
			at += size
			if size < 16+14 {
				continue // of a frame without a whole header tcpdump's optimiser may know an answer before it looks
			}
			binary.LittleEndian.PutUint64(r, uint64(len(c.records)))
			c.records = append(c.records, r)
			file = append(file, r...)
		}
	}
	if err := os.WriteFile(c.path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func randomExpression(r *rand.Rand, depth int) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return randomExpression(r, depth-1) + pick(" and ", " or ", " && ", " || ") + randomExpression(r, depth-1)
		case 1:
			return "(" + randomExpression(r, depth-1) + ")" + pick(" and ", " or ") + "not (" + randomExpression(r, depth-1) + ")"
		case 2:
			return pick("not ", "! ") + "(" + randomExpression(r, depth-1) + ")"
		}
	}
	dir := pick("", "src ", "dst ", "src or dst ", "src and dst ")
	switch r.IntN(8) {
	case 0:
		return pick("", "tcp ", "udp ") + dir + fmt.Sprintf("port %d", []int{53, 80, 443, 5060, 5353, r.IntN(65536)}[r.IntN(6)])
	case 1:
		low := r.IntN(60000)
		return pick("", "tcp ", "udp ") + dir + fmt.Sprintf("portrange %d-%d", low, low+r.IntN(5000))
	case 2:
		return dir + fmt.Sprintf("net %d.0.0.0/%d", []int{10, 192, 172, 64}[r.IntN(4)], 8)
	case 3:
		return fmt.Sprintf("%s[%d] %s %d", pick("ip", "tcp", "udp", "ip6", "ether"), r.IntN(20), pick("=", "!=", "<", ">", "<=", ">="), r.IntN(256))
	case 4:
		return fmt.Sprintf("%s[%d:2] %s 0x%x %s %d", pick("ip", "tcp", "udp", "ip6", "ether"), r.IntN(16), pick("&", "|", "+", "-"), r.IntN(65536), pick("=", "!=", "<", ">"), r.IntN(65536))
	case 5:
		return fmt.Sprintf("%s %d", pick("less", "greater"), r.IntN(1500))
	}
	return pick("ip", "ip6", "tcp", "udp", "icmp", "icmp6", "multicast", "ip multicast", "proto 17", "ip proto 6")
}
