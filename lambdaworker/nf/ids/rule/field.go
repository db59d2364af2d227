package rule

// FieldKind is a header field or another property of the packet.
type FieldKind uint8

// Fields.
const (
	FieldTTL FieldKind = iota
	FieldTOS
	FieldID
	FieldIPOpts
	FieldFragBits
	FieldFragOffset
	FieldIPProto
	FieldSameIP
	FieldDSize
	FieldFlags
	FieldSeq
	FieldAck
	FieldWindow
	FieldIType
	FieldICode
	FieldICMPID
	FieldICMPSeq
	FieldMSS
	FieldApp // app-layer-protocol
	FieldL3  // l3_proto
	FieldICMPv6MTU
	FieldVLANs // vlan.layers
	FieldStreamSize
	FieldFlowAge // seconds
	FieldFlowPackets
	FieldFlowBytes
)

// Field is a test of a packet's header.
type Field struct {
	Kind    FieldKind
	Range   Range
	Negated bool
	Mask    uint32 // flags: bits looked at; fragbits: bits named
	Mode    byte   // flags, fragbits: 0 exactly, '+' at least, '*' any, '!' none of
	Way     Way    // stream_size, flow.pkts, flow.bytes
	Bits    uint32
	App     App
}

// Way says which direction of a flow a number is of.
type Way uint8

// Ways.
const (
	WayToServer Way = iota // what the client sent
	WayToClient
	WayBoth   // each of the two has to satisfy the comparison
	WayEither // one of them
)

// RangeOp compares with a Range.
type RangeOp uint8

// Comparisons.
const (
	Equal RangeOp = iota
	NotEqual
	Less
	LessEqual
	Greater
	GreaterEqual
	Between    // A < x < B
	NotBetween // x <= A or x >= B
	AnyBit     // x & A != 0
	NoBit      // x & A == 0
	MaskEqual  // x & A == B
	MaskNotEqual
)

// Range is a comparison with a number.
type Range struct {
	Op   RangeOp
	A, B uint64
}

// Holds reports whether x satisfies r.
func (r Range) Holds(x uint64) bool {
	switch r.Op {
	case Equal:
		return x == r.A
	case NotEqual:
		return x != r.A
	case Less:
		return x < r.A
	case LessEqual:
		return x <= r.A
	case Greater:
		return x > r.A
	case GreaterEqual:
		return x >= r.A
	case Between:
		return x > r.A && x < r.B
	case NotBetween:
		return x <= r.A || x >= r.B
	case AnyBit:
		return x&r.A != 0
	case NoBit:
		return x&r.A == 0
	case MaskEqual:
		return x&r.A == r.B
	case MaskNotEqual:
		return x&r.A != r.B
	}
	return false
}
