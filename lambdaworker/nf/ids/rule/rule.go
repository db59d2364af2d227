package rule

import "github.com/granule-nf/granule/lambdaworker/nf/ids/pcre"

// Action is what a rule that matches does.
type Action uint8

// Actions in the order in which rules are tried: a pass rule is decided before any other.
const (
	Pass Action = iota
	Drop
	Reject     // tells the sender
	RejectDst  // tells the receiver
	RejectBoth // tells both
	Alert
)

var actionNames = map[string]Action{
	"alert": Alert, "pass": Pass, "drop": Drop, "reject": Reject, "rejectsrc": Reject, "rejectdst": RejectDst, "rejectboth": RejectBoth,
}

// Drops reports whether the packet is dropped in ips mode.
func (a Action) Drops() bool { return a >= Drop && a <= RejectBoth }

// Proto is the protocol word of a rule's header.
type Proto uint8

// Protocols.
const (
	IP Proto = iota // both versions, every protocol
	IPv4
	IPv6
	TCP
	TCPPacket // packets alone
	TCPStream // the reassembled stream alone
	UDP
	ICMP // both versions
	ICMPv6
	HTTP
	DNS
	TLS
	FTP
	SMTP
	SMB
	SSH
)

var protoNames = map[string]Proto{
	"ip": IP, "ipv4": IPv4, "ip4": IPv4, "ipv6": IPv6, "ip6": IPv6, "tcp": TCP, "tcp-pkt": TCPPacket, "tcp-stream": TCPStream, "udp": UDP,
	"icmp": ICMP, "icmpv4": ICMP, "icmpv6": ICMPv6, "http": HTTP, "http1": HTTP, "dns": DNS, "tls": TLS, "ssl": TLS, "ftp": FTP, "smtp": SMTP, "smb": SMB, "ssh": SSH,
}

// App is the application protocol that a rule is about.
type App uint8

// Application protocols.
const (
	AnyApp App = iota
	AppHTTP
	AppDNS
	AppTLS
	AppFTP
	AppSMTP
	AppSMB
	AppSSH
	AppFailed // detection gave up
)

// String returns the name as EVE's app_proto has it, nothing of AnyApp.
func (a App) String() string {
	return [...]string{AppHTTP: "http", AppDNS: "dns", AppTLS: "tls", AppFTP: "ftp", AppSMTP: "smtp", AppSMB: "smb", AppSSH: "ssh", AppFailed: "failed"}[a]
}

// Rule is one rule, checked.
type Rule struct {
	File    string
	Line    int
	Text    string // as written, on one line
	Action  Action
	Proto   Proto
	App     App // by the header's word or by the buffers used
	Src     *Addresses
	Dst     *Addresses
	SrcPort *Ports
	DstPort *Ports
	Both    bool // <>
	// => : the rule looks into request and response of one transaction.
	Transactional bool

	SID, GID, Rev uint32
	Msg           string
	Class         string // classtype as written
	Category      string // its description
	Priority      int    // 1 is worst; the classtype's, unless the rule says its own
	Metadata      []string
	References    []string
	Target        string // src_ip, dest_ip or empty

	NoAlert    bool
	Bypass     bool // after a match nothing more of the flow is inspected
	Flow       Flow
	Fields     []Field // header fields and the like, decided per packet
	Bits       []Bits  // flowbits in the order written
	Ints       []Int   // flowint in the order written
	XBits      []XBit  // xbits and hostbits in the order written
	Sections   []*Section
	Limit      *Limit // threshold
	Filter     *Limit // detection_filter
	NeedPacket bool   // a keyword speaks of the packet that is there, not of the stream
	Vars       int    // number of byte_extract and byte_math results
}

// Flow is the keyword flow.
type Flow struct {
	ToServer, ToClient          bool
	Established, NotEstablished bool
	Stateless                   bool
	OnlyStream, NoStream        bool
	OnlyFrag, NoFrag            bool
}

// BitsOp is what a flowbits keyword does.
type BitsOp uint8

// Operations on flowbits.
const (
	BitsSet BitsOp = iota
	BitsUnset
	BitsToggle
	BitsIsSet
	BitsIsNotSet
)

// Bits is one flowbits keyword. IsSet holds if any of the names is set; IsNotSet if any of them is not.
type Bits struct {
	Op    BitsOp
	Names []string
}

// Track is what a threshold counts by.
type Track uint8

// Tracks.
const (
	BySrc Track = iota
	ByDst
	ByRule
	ByBoth
	ByFlow
)

// LimitKind is the type of a threshold.
type LimitKind uint8

// Kinds of thresholds.
const (
	KindLimit     LimitKind = iota // alert the first Count in each window
	KindThreshold                  // alert every Count-th in a window
	KindBoth                       // alert once in a window, at the Count-th
	KindFilter                     // alert once Count were seen in the window: detection_filter
	KindBackoff                    // alert at Count, Count*Multiplier, ...
)

// Limit is a threshold or a detection_filter.
type Limit struct {
	Kind       LimitKind
	Track      Track
	Count      uint32
	Seconds    uint32
	Multiplier uint32
	Unique     uint8 // 0 none, 1 source port, 2 destination port
}

// Section is what a rule asks of one buffer: its items are tried in order.
type Section struct {
	Buffer     Buffer
	Transforms []Transform
	Items      []*Item
	Column     int
}

// ItemKind is the kind of an Item.
type ItemKind uint8

// Kinds of items.
const (
	Content ItemKind = iota
	PCRE
	IsDataAt
	ByteTest
	ByteJump
	ByteExtract
	ByteMath
	Size    // bsize, urilen: the buffer's length
	Compare // a whole value: dns.opcode, tls.version and their like, against the buffer's number
	Absent  // absent: there is no such buffer
	Base64Decode
)

// Item is one keyword that looks into a buffer.
type Item struct {
	Kind     ItemKind
	Negated  bool
	Relative bool // pcre, isdataat, byte_*
	Content  ContentMatch
	Regex    *pcre.Regexp
	Byte     ByteOp
	Range    Range
	Pick     *Pick // Compare, of a buffer with many values; nil is any of them
	OrAbsent bool
	Decode   *Decode // Base64Decode
}

// Value is a number or the result of an earlier byte_extract or byte_math.
type Value struct {
	N   int64
	Var int // index + 1, 0 if N stands
}

// ContentMatch is a content keyword with its modifiers.
type ContentMatch struct {
	Pattern                []byte
	NoCase                 bool
	HasOffset, HasDepth    bool
	HasDistance, HasWithin bool
	Offset, Depth          Value
	Distance, Within       Value
	StartsWith, EndsWith   bool
	Fast                   bool // fast_pattern
	FastOnly               bool
	FastAt, FastLen        int // fast_pattern:at,len; FastLen 0 = all
}

// Relative reports whether the content counts from the end of the match before.
func (c *ContentMatch) Relative() bool { return c.HasDistance || c.HasWithin }
