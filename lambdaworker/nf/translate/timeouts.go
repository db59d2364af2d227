package translate

import (
	"fmt"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
)

// Timeouts say after how long a silence a session ends.
type Timeouts struct {
	UDP            time.Duration `yaml:"udp"`             // only one end has spoken
	UDPStream      time.Duration `yaml:"udp_stream"`      // both have
	TCPTransitory  time.Duration `yaml:"tcp_transitory"`  // half open, or half closed and closed
	TCPEstablished time.Duration `yaml:"tcp_established"` //
	TCPReset       time.Duration `yaml:"tcp_reset"`       // one end has sent a reset
	ICMP           time.Duration `yaml:"icmp"`
	Other          time.Duration `yaml:"other"` // GRE, ESP, SCTP and the rest
}

// DefaultTimeouts returns what Linux has for UDP and resets, RFC 5382 (REQ-5) for TCP and RFC 5508 (REQ-2) for ICMP queries.
func DefaultTimeouts() Timeouts {
	return Timeouts{UDP: 30 * time.Second, UDPStream: 2 * time.Minute, TCPTransitory: 4 * time.Minute, TCPEstablished: 124 * time.Minute,
		TCPReset: 10 * time.Second, ICMP: time.Minute, Other: 10 * time.Minute}
}

// Check returns what is wrong with a timeout, by its key; "" if nothing is.
func (t *Timeouts) Check() string {
	for _, x := range []struct {
		key string
		d   time.Duration
	}{{"udp", t.UDP}, {"udp_stream", t.UDPStream}, {"tcp_transitory", t.TCPTransitory}, {"tcp_established", t.TCPEstablished}, {"tcp_reset", t.TCPReset}, {"icmp", t.ICMP}, {"other", t.Other}} {
		if x.d < time.Second || x.d > 30*24*time.Hour {
			return fmt.Sprintf("timeouts: %s is %v; expected 1s to 720h, with its unit", x.key, x.d)
		}
	}
	return ""
}

// phase is how far a session has come.
type phase uint8

const (
	opening     phase = iota // one end has spoken
	answered                 // both have; of TCP, the SYN has been answered
	established              // TCP: and the one who began has acknowledged that
	closing                  // TCP: one end has sent its FIN
	closed                   // TCP: both have
	reset                    // TCP: one has sent a RST
)

// next is the phase behind a packet of the end that opened the session, or of the other.
func (s *Session) next(in *packet.Info, byOpener bool) phase {
	if in.Proto != packet.ProtoTCP {
		if !byOpener {
			return max(s.phase, answered)
		}
		return s.phase
	}
	if !in.HasL4 {
		return s.phase // a later fragment has no flags
	}
	f := in.TCPFlags
	end := openerFIN
	if !byOpener {
		end = otherFIN
	}
	switch {
	case f&packet.RST != 0:
		return reset
	case f&(packet.SYN|packet.ACK) == packet.SYN && s.phase >= closing && byOpener: // the ports are used again
		s.flags &^= fins
		return opening
	case f&packet.FIN != 0:
		if s.flags |= end; s.flags&fins == fins {
			return max(s.phase, closed)
		}
		return max(s.phase, closing)
	case s.phase == reset: // who goes on speaking was not reset (RFC 7857 section 2.2)
		if f&packet.SYN == 0 && !s.is(fins) && s.is(both) {
			return established
		}
	case s.phase == opening && !byOpener:
		return answered
	case s.phase == answered && byOpener && f&packet.ACK != 0:
		return established
	}
	return s.phase
}

// timeout is that of the session's phase, in ns.
func (t *Timeouts) timeout(s *Session) int64 {
	switch s.Proto() {
	case packet.ProtoTCP:
		switch s.phase {
		case reset:
			return int64(t.TCPReset)
		case established:
			return int64(t.TCPEstablished)
		}
		return int64(t.TCPTransitory)
	case packet.ProtoUDP, packet.ProtoUDPLite:
		if s.phase == opening {
			return int64(t.UDP)
		}
		return int64(t.UDPStream)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return int64(t.ICMP)
	}
	return int64(t.Other)
}
