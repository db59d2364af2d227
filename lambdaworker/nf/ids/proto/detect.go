package proto

// Detector decides what a TCP flow speaks, from how its directions begin: HTTP, TLS, FTP, SMTP, SSH and SMB on any port, DNS on port 53. Its zero
// value is ready; it is a plain record of fixed size.
//
// A direction that can't be any of them is given up; the flow has Failed when both are. One direction that matches decides
// for both, as a server may answer a browser with what only browsers take for HTTP, and takes requests of methods that nobody
// knows. So bytes wait until there is a decision, in the stream, up to MaxUndecided.
type Detector struct {
	Proto  Protocol
	failed [2]bool
}

// maxProbe is how many bytes of a direction are enough to decide: the longest method and a space.
const maxProbe = 32

// MaxUndecided is how many bytes of a direction may wait for the other one to show what the flow speaks; as Suricata's.
const MaxUndecided = 100000

// TCP says what the flow speaks, as far as that is known with data, all bytes of a direction so far. Ports are those of client and
// server.
func (d *Detector) TCP(dir Dir, data []byte, clientPort, serverPort uint16) Protocol {
	if d.Proto != Unknown || len(data) == 0 {
		return d.Proto
	}
	if !d.failed[dir] {
		p, more := tcp(dir, data, clientPort == 53 || serverPort == 53)
		if p != Unknown {
			d.Proto = p
			return p
		}
		d.failed[dir] = !more || len(data) >= maxProbe
	}
	if d.failed[0] && d.failed[1] || len(data) > MaxUndecided {
		d.Proto = Failed
	}
	return d.Proto
}

// Foreign reports whether a direction began as no protocol that is known.
func (d *Detector) Foreign(dir Dir) bool { return d.failed[dir] }

// GiveUp says that nothing more will come, or was lost, in a direction.
func (d *Detector) GiveUp(dir Dir) {
	d.failed[dir] = true
	if d.Proto == Unknown && d.failed[dir.Opposite()] {
		d.Proto = Failed
	}
}

// tcp says what b begins like, and whether more bytes could decide what these did not.
func tcp(dir Dir, b []byte, port53 bool) (p Protocol, more bool) {
	switch tls(dir, b) {
	case yes:
		return TLS, false
	case maybe:
		more = true
	}
	switch http(dir, b) {
	case yes:
		return HTTP, false
	case maybe:
		more = true
	}
	switch p, a := other(dir, b); a {
	case yes:
		return p, false
	case maybe:
		more = true
	}
	if port53 { // last, since it takes the most bytes: what is decided must not depend on how they are cut
		switch dnsTCP(b) {
		case yes:
			return DNS, false
		case maybe:
			more = true
		}
	}
	return Unknown, more
}

// openings are how protocols begin that are told apart by a word, in any case unless it is binary.
var openings = [...]struct {
	p     Protocol
	at    int
	text  string
	sides [2]bool // to the server, to the client
}{
	{FTP, 0, "USER ", [2]bool{true, false}}, {FTP, 0, "PASS ", [2]bool{true, false}}, {FTP, 0, "PORT ", [2]bool{true, false}},
	{FTP, 0, "FEAT", [2]bool{true, false}}, {FTP, 0, "AUTH ", [2]bool{true, false}},
	{SMTP, 0, "EHLO", [2]bool{true, false}}, {SMTP, 0, "HELO", [2]bool{true, false}}, {SMTP, 0, "QUIT", [2]bool{true, false}},
	{SSH, 0, "SSH-", [2]bool{true, true}},
	{SMB, 4, "\xffSMB", [2]bool{true, true}}, {SMB, 4, "\xfeSMB", [2]bool{true, true}}, {SMB, 4, "\xfdSMB", [2]bool{true, true}},
}

func other(dir Dir, b []byte) (p Protocol, a answer) {
	for i := range openings {
		o := &openings[i]
		if !o.sides[dir] || o.at > 0 && b[0] != 0 { // a NetBIOS session message stands before SMB
			continue
		}
		is := maybe
		if len(b) > o.at {
			is = begins(b[o.at:], o.text)
		}
		switch is {
		case yes:
			return o.p, yes
		case maybe:
			a = maybe
		}
	}
	return Unknown, a
}

type answer uint8

const (
	no answer = iota
	maybe
	yes
)

// begins reports whether b begins with s, in any case, or could when it grows.
func begins(b []byte, s string) answer {
	n := min(len(b), len(s))
	for i, c := range b[:n] {
		if c != s[i] && (c < 'a' || c > 'z' || c-'a'+'A' != s[i]) {
			return no
		}
	}
	if n < len(s) {
		return maybe
	}
	return yes
}

var methods = [...]string{
	"GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE",
	"LOCK", "UNLOCK", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "REPORT", "MKWORKSPACE", "MKACTIVITY", "MERGE", "INVALID",
	"VERSION-CONTROL", "BASELINE-CONTROL",
}

// http: a known method and a blank to the server, a version to the client.
func http(dir Dir, b []byte) answer {
	if dir == ToClient {
		switch a := begins(b, "HTTP/"); {
		case a != yes:
			return a
		case len(b) < 8:
			return maybe
		}
		for _, v := range [...]string{"0.9", "1.0", "1.1"} {
			if string(b[5:8]) == v {
				return yes
			}
		}
		return no
	}
	best := no
	for _, m := range methods {
		switch a := begins(b, m); {
		case a == no:
		case len(b) <= len(m):
			best = maybe
		case b[len(m)] == ' ' || b[len(m)] == '\t':
			return yes
		}
	}
	return best
}

// tls: a handshake record of SSL 3.0 to TLS 1.3, or an SSL 2.0 client hello.
func tls(dir Dir, b []byte) answer {
	if b[0] == 0x16 {
		switch {
		case len(b) < 3:
			return maybe
		case b[1] == 3 && b[2] <= 3:
			return yes
		}
		return no
	}
	if dir == ToServer && b[0]&0x80 != 0 { // two bytes of length, message type 1, version
		switch {
		case len(b) < 5:
			return maybe
		case b[2] == 1 && (b[3] == 0 && b[4] == 2 || b[3] == 3 && b[4] <= 3):
			return yes
		}
	}
	return no
}

// dnsTCP: a message behind its length.
func dnsTCP(b []byte) answer {
	if len(b) < 14 {
		return maybe
	}
	return dnsHeader(b[2:], int(b[0])<<8|int(b[1]))
}

// dnsHeader reports whether a message of n bytes may begin with this header: an opcode that exists, a reserved bit that is
// clear, and no more records than n bytes can hold.
func dnsHeader(b []byte, n int) answer {
	flags := uint16(b[2])<<8 | uint16(b[3])
	opcode := flags >> 11 & 15
	records := 0
	for i := 4; i < 12; i += 2 {
		records += int(b[i])<<8 | int(b[i+1])
	}
	if opcode >= 7 || records == 0 || 12+2*records > n {
		return no
	}
	return yes
}

// UDP says what a datagram is: DNS to or from port 53, or Failed.
func UDP(data []byte, clientPort, serverPort uint16) Protocol {
	if (clientPort == 53 || serverPort == 53) && len(data) >= 12 && dnsHeader(data, len(data)) == yes {
		return DNS
	}
	return Failed
}
