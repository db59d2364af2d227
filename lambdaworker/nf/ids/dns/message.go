package dns

// Limits of what is read of one message; records past them are counted in the header's fields alone.
const (
	MaxNames = 256      // names kept
	MaxBytes = 16 << 10 // bytes of all names together, decompressed
)

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

// Problems. A message with a problem keeps what was read before it.
const (
	OK        Problem = iota
	NotDNS            // too short for a header, or its fields make no sense
	Malformed         // a name or record runs past the message's end or loops
	TooMany           // more names than MaxNames or MaxBytes
	BadZ              // the reserved bit is set (RFC 1035 section 4.1.1)
	BadOpcode         // an opcode that is not assigned
)

// Message is a parsed message. It is a fixed record of about 20 KiB to be kept and used again; slices that its methods return are
// valid until the next Parse.
type Message struct {
	ID       uint16
	Flags    uint16
	Response bool
	Opcode   uint8
	Rcode    uint16 // with the high bits of an OPT record (RFC 6891)
	Count    [NumSections]uint16
	Problem  Problem

	records  [MaxNames]Record
	n        int
	sections [NumSections + 1]int
	names    [MaxBytes]byte
	used     int
}

// Record is a question or a resource record.
type Record struct {
	Section Section
	Type    uint16 // RR type: A is 1
	Class   uint16
	TTL     uint32
	name    span
	target  span
	data    span
}

type span struct{ at, len uint16 }

// Parse reads a message and reports whether it is DNS at all.
func (m *Message) Parse(data []byte) bool { return false }

// Records returns the records of a section that were kept.
func (m *Message) Records(s Section) []Record { return m.records[m.sections[s]:m.sections[s+1]] }

// Name returns a record's owner name, labels joined with dots, without a final one.
func (m *Message) Name(r *Record) []byte { return nil }

// Target returns the name within a record's data (CNAME, NS, PTR, MX, SRV, SOA's first), or nil.
func (m *Message) Target(r *Record) []byte { return nil }

// Data returns a record's data as on the wire.
func (m *Message) Data(r *Record) []byte { return nil }
