package firewall

import (
	"fmt"
	"strings"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// options are the keys of `firewall:` in granule.yaml.
type options struct {
	Rules      string            `yaml:"rules"`
	Format     string            `yaml:"format"`
	Policy     string            `yaml:"policy"`
	Malformed  string            `yaml:"malformed"`
	Interfaces map[string]string `yaml:"interfaces"`
	LogRate    int               `yaml:"log_rate"`
	Strict     bool              `yaml:"tcp_strict"`
	Liberal    bool              `yaml:"tcp_be_liberal"`
	Timeouts   Timeouts          `yaml:"timeouts"`

	passMalformed bool
}

// Duration is a time as people write it: 90s, 5m, 120h.
type Duration time.Duration

// UnmarshalText reads "90s"; a number alone is seconds, as in sysctl.
func (d *Duration) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	v, err := time.ParseDuration(s)
	if err != nil {
		v, err = time.ParseDuration(s + "s")
	}
	if err != nil || v <= 0 {
		return fmt.Errorf("found %q; expected a duration such as 90s, 5m or 120h", s)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) ns() int64 { return int64(d) }

// Timeouts are how long a silent connection is remembered; the defaults are Linux's net.netfilter.nf_conntrack_*_timeout_*.
type Timeouts struct {
	TCPSynSent        Duration `yaml:"tcp_syn_sent"`
	TCPSynRecv        Duration `yaml:"tcp_syn_recv"`
	TCPEstablished    Duration `yaml:"tcp_established"`
	TCPFinWait        Duration `yaml:"tcp_fin_wait"`
	TCPCloseWait      Duration `yaml:"tcp_close_wait"`
	TCPLastAck        Duration `yaml:"tcp_last_ack"`
	TCPTimeWait       Duration `yaml:"tcp_time_wait"`
	TCPClose          Duration `yaml:"tcp_close"`
	TCPRetransmit     Duration `yaml:"tcp_max_retrans"`
	TCPUnacknowledged Duration `yaml:"tcp_unacknowledged"`
	UDP               Duration `yaml:"udp"`
	UDPStream         Duration `yaml:"udp_stream"`
	ICMP              Duration `yaml:"icmp"`
	GRE               Duration `yaml:"gre"`
	GREStream         Duration `yaml:"gre_stream"`
	Generic           Duration `yaml:"generic"`
}

func defaultTimeouts() Timeouts {
	s := func(n int) Duration { return Duration(time.Duration(n) * time.Second) }
	return Timeouts{
		TCPSynSent: s(120), TCPSynRecv: s(60), TCPEstablished: s(432000), TCPFinWait: s(120), TCPCloseWait: s(60), TCPLastAck: s(30),
		TCPTimeWait: s(120), TCPClose: s(10), TCPRetransmit: s(300), TCPUnacknowledged: s(300),
		UDP: s(30), UDPStream: s(120), ICMP: s(30), GRE: s(30), GREStream: s(180), Generic: s(600),
	}
}

func (t *Timeouts) tcp(s tcpState) Duration {
	switch s {
	case synSent, synSent2:
		return t.TCPSynSent
	case synRecv:
		return t.TCPSynRecv
	case tcpEstablished:
		return t.TCPEstablished
	case finWait:
		return t.TCPFinWait
	case closeWait:
		return t.TCPCloseWait
	case lastAck:
		return t.TCPLastAck
	case timeWait:
		return t.TCPTimeWait
	}
	return t.TCPClose
}

func readOptions(from nf.Options) (*options, error) {
	o := &options{Format: "nft", Malformed: "drop", LogRate: 1000, Timeouts: defaultTimeouts()}
	if err := from.Decode(o); err != nil {
		return nil, err
	}
	var ps nf.Problems
	wrong := func(key, format string, a ...any) {
		file, line, col := from.Position(key)
		ps = append(ps, nf.Problem{File: file, Line: line, Column: col, Message: "firewall: " + fmt.Sprintf(format, a...)})
	}
	if o.Rules == "" {
		wrong("rules", "no rules; expected the name of a rule file, such as {rules: edge.nft}")
	}
	switch o.Format {
	case "nft", "iptables-save", "ip6tables-save", "aws-stateless":
	default:
		wrong("format", "found format %q; expected nft, iptables-save, ip6tables-save or aws-stateless", o.Format)
	}
	switch o.Policy {
	case "", "accept", "drop":
		if o.Policy != "" && o.Format != "aws-stateless" {
			wrong("policy", "policy beside format %s: its files say their own; expected policy with format aws-stateless alone", o.Format)
		}
	default:
		wrong("policy", "found policy %q; expected accept or drop", o.Policy)
	}
	if o.Format == "aws-stateless" && o.Policy == "" {
		wrong("format", "format aws-stateless without policy: a rule group does not say what becomes of packets that none of its rules match; add `policy: drop`, or `policy: accept` if StatelessDefaultActions of the firewall policy is aws:pass or aws:forward_to_sfe")
	}
	switch o.Malformed {
	case "pass":
		o.passMalformed = true
	case "drop":
	default:
		wrong("malformed", "found malformed %q; expected pass or drop", o.Malformed)
	}
	for name, side := range o.Interfaces {
		if _, ok := sideNames[side]; !ok && side != noSide {
			wrong("interfaces", "interface %q is on side %q; expected inside, outside or none", name, side)
		}
	}
	if o.LogRate < 0 {
		wrong("log_rate", "found log_rate %d; expected events per second, 0 for none", o.LogRate)
	}
	if ps != nil {
		return nil, ps
	}
	return o, nil
}

// noSide is the side of an interface that the rules name and that no packet of the wire passes.
const noSide = "none"

// sides are the names that iifname and oifname may take. Each of those on no side has a number of its own.
func (o *options) sides() map[string]uint64 {
	m := map[string]uint64{"inside": 0, "outside": 1}
	for name, side := range o.Interfaces {
		if side == noSide {
			m[name] = uint64(len(m))
		}
	}
	for name, side := range o.Interfaces {
		if side != noSide {
			m[name] = sideNames[side]
		}
	}
	return m
}
