package conntrack

import (
	"fmt"
	"strings"
	"time"
)

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

// NS returns d in ns.
func (d Duration) NS() int64 { return int64(d) }

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

// DefaultTimeouts returns those of Linux.
func DefaultTimeouts() Timeouts {
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

// Longest returns the longest of them.
func (t *Timeouts) Longest() Duration {
	return max(t.TCPSynSent, t.TCPSynRecv, t.TCPEstablished, t.TCPFinWait, t.TCPCloseWait, t.TCPLastAck, t.TCPTimeWait, t.TCPClose,
		t.UDP, t.UDPStream, t.ICMP, t.GRE, t.GREStream, t.Generic)
}
