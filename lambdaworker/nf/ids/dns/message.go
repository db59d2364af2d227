package dns

import "encoding/binary"

// Limits of what is read of one message; records past them are counted in the header's fields alone.
const (
	MaxRecords = 256      // questions and records kept
	MaxBytes   = 16 << 10 // bytes of all names together, decompressed
	MaxName    = 1025     // bytes of one name, as far as it is kept
)

// maxSteps bounds the labels and pointers of one name, as Suricata does.
const maxSteps = 255

// Section is a part of a message.
type Section uint8

// Sections.
const (
	Queries Section = iota
	Answers
	Authorities
	Additionals
	NumSections
)

// Problem is what is wrong with a message, or OK.
type Problem uint8

// Problems. A message with a problem keeps what was read before it, by whole sections where it is BadTail.
const (
	OK        Problem = iota
	NotDNS            // too short for a header, or a header that makes no sense
	Malformed         // a question or an answer runs past the message's end or loops
	BadTail           // the same of the authorities or additional records, which are left out
	TooMany           // more than MaxRecords or MaxBytes
	BadZ              // the reserved bit is set (RFC 1035 section 4.1.1)
	BadOpcode         // an opcode that is not assigned
)

// RR types that are looked into (IANA "DNS Parameters").
const (
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeSRV   = 33
	typeDNAME = 39
	typeOPT   = 41
)

// Message is a parsed message. It is a fixed record of about 30 KiB to be kept and used again; slices that its methods return are
// valid until the next Parse, those of Data as long as the bytes given to it.
type Message struct {
	ID       uint16
	Flags    uint16
	Response bool
	Opcode   uint8
	Rcode    uint16 // with the high bits of an OPT record (RFC 6891); the header's are the lowest four
	Count    [NumSections]uint16
	Problem  Problem

	raw      []byte
	records  [MaxRecords]Record
	n        int
	sections [NumSections + 1]int
	names    [MaxBytes]byte
	used     int
}

// Record is a question or a resource record.
type Record struct {
	Section Section
	Type    uint16 // A is 1
	Class   uint16
	TTL     uint32
	name    span
	target  span
	data    span // within the message
}

type span struct{ at, len uint16 }

// Parse reads a message and reports whether it is DNS at all.
func (m *Message) Parse(data []byte) bool {
	m.raw, m.n, m.used, m.Problem = data, 0, 0, OK
	m.sections = [NumSections + 1]int{}
	if len(data) < 12 || len(data) > 0xffff {
		m.Problem = NotDNS
		return false
	}
	be := binary.BigEndian
	m.ID, m.Flags = be.Uint16(data), be.Uint16(data[2:])
	m.Response = m.Flags&0x8000 != 0
	m.Opcode = uint8(m.Flags >> 11 & 15)
	m.Rcode = m.Flags & 15
	records := 0
	for s := range m.Count {
		m.Count[s] = be.Uint16(data[4+2*s:])
		records += int(m.Count[s])
	}
	if records*2+12 > len(data) { // a record has two bytes at the least
		m.Problem = NotDNS
		return false
	}
	if m.Flags&0x40 != 0 {
		m.Problem = BadZ
	}
	if m.Opcode >= 7 {
		m.Problem = BadOpcode
	}
	at := 12
	for s := range NumSections {
		for range m.Count[s] {
			if at = m.record(s, at); at < 0 {
				if s >= Authorities && m.Problem == Malformed {
					m.Problem, m.n = BadTail, m.sections[s]
				}
				m.close(s)
				return true
			}
		}
		m.sections[s+1] = m.n
	}
	return true
}

// close ends the sections from s on where reading stopped.
func (m *Message) close(s Section) {
	for ; s < NumSections; s++ {
		m.sections[s+1] = m.n
	}
}

// record reads a question or record at offset at, and returns where the next begins, or -1.
func (m *Message) record(s Section, at int) int {
	if m.n == MaxRecords {
		m.Problem = TooMany
		return -1
	}
	r := &m.records[m.n]
	*r = Record{Section: s}
	at = m.name(at, &r.name)
	be := binary.BigEndian
	if at < 0 {
		return -1
	}
	if at+4 > len(m.raw) {
		return m.malformed()
	}
	r.Type, r.Class = be.Uint16(m.raw[at:]), be.Uint16(m.raw[at+2:])
	at += 4
	if s == Queries {
		m.n++
		return at
	}
	if at+6 > len(m.raw) {
		return m.malformed()
	}
	r.TTL = be.Uint32(m.raw[at:])
	n := int(be.Uint16(m.raw[at+4:]))
	at += 6
	if at+n > len(m.raw) {
		return m.malformed()
	}
	r.data = span{uint16(at), uint16(n)}
	skip := 0
	switch r.Type {
	case typeOPT:
		m.Rcode |= uint16(r.TTL>>24) << 4
		skip = -1
	case typeMX:
		skip = 2
	case typeSRV:
		skip = 6
	case typeNS, typeCNAME, typePTR, typeSOA, typeDNAME:
	default:
		skip = -1
	}
	if skip >= 0 && n > skip {
		if end := m.name(at+skip, &r.target); end < 0 {
			return -1
		} else if end > at+n {
			return m.malformed()
		}
	}
	m.n++
	return at + n
}

func (m *Message) malformed() int {
	m.Problem = Malformed
	return -1
}

// name reads a name at offset at, with its pointers (RFC 1035 section 4.1.4), and returns where it ends in place, or -1. Labels
// are joined with dots. Pointers may lead anywhere, as they do for Suricata. A name that never ends is an error, unless
// it began with a pointer, behind which reading can go on: then it is what was read of it. Bytes past MaxName are not kept.
func (m *Message) name(at int, out *span) int {
	start := m.used
	end := -1
	cut := func() int {
		if end < 0 {
			return m.malformed()
		}
		*out = span{uint16(start), uint16(m.used - start)}
		return end
	}
	for steps := 0; ; steps++ {
		if at == len(m.raw) {
			if end < 0 {
				end = at
			}
			return cut()
		}
		if steps > maxSteps {
			return cut()
		}
		n := int(m.raw[at])
		switch n & 0xc0 {
		case 0xc0:
			if at+1 >= len(m.raw) {
				return m.malformed()
			}
			to := n&0x3f<<8 | int(m.raw[at+1])
			if to > len(m.raw) {
				return m.malformed()
			}
			if to == at {
				return cut()
			}
			if end < 0 {
				end = at + 2
			}
			at = to
			continue
		case 0:
		default: // extended label types of long ago (RFC 6891 section 5)
			return m.malformed()
		}
		if n == 0 {
			if end < 0 {
				end = at + 1
			}
			return cut()
		}
		if at+1+n > len(m.raw) {
			return m.malformed()
		}
		if m.used+n+1 > MaxBytes {
			m.Problem = TooMany
			return -1
		}
		if m.used-start+n+1 <= MaxName {
			if m.used > start {
				m.names[m.used] = '.'
				m.used++
			}
			m.used += copy(m.names[m.used:], m.raw[at+1:at+1+n])
		} else if end >= 0 {
			return cut()
		}
		at += 1 + n
	}
}

// Records returns the records of a section that were kept.
func (m *Message) Records(s Section) []Record { return m.records[m.sections[s]:m.sections[s+1]] }

// Name returns a record's owner name, labels joined with dots, without a final one; the root is empty.
func (m *Message) Name(r *Record) []byte { return m.names[r.name.at : r.name.at+r.name.len] }

// Target returns the name within a record's data (CNAME, DNAME, NS, PTR, MX, SRV, the first of SOA); empty for others.
func (m *Message) Target(r *Record) []byte { return m.names[r.target.at : r.target.at+r.target.len] }

// Data returns a record's data as on the wire.
func (m *Message) Data(r *Record) []byte {
	return m.raw[r.data.at : int(r.data.at)+int(r.data.len)]
}

// ResponseName returns the i-th value of dns.response.rrname: of a response, the names of its questions, then owner and
// target of each answer, authority and additional record. Empty names are left out.
func (m *Message) ResponseName(i int) (name []byte, ok bool) {
	if !m.Response {
		return nil, false
	}
	for k := range m.records[:m.n] {
		r := &m.records[k]
		for _, n := range [2][]byte{m.Name(r), m.Target(r)} {
			if len(n) == 0 {
				continue
			}
			if i == 0 {
				return n, true
			}
			i--
		}
	}
	return nil, false
}
