package firewall

// ruleset is what rule files say, after parsing: names resolved to values, jumps not yet followed.
type ruleset struct {
	tables []*table
}

// family is the kind of a table.
type family uint8

const (
	familyInet family = iota
	familyIP
	familyIP6
)

var familyNames = [...]string{"inet", "ip", "ip6"}

func (f family) String() string { return familyNames[f] }

type table struct {
	family family
	name   string
	sets   map[string]*set
	named  []*namedCounter // in the order of the file
	limits map[string]*limitSpec
	chains []*chain // in the order of the file
	byName map[string]*chain
}

// set is a named set or map of verdicts.
type set struct {
	name     string
	pos      position
	fields   []datatype
	typeName string
	interval bool
	merge    bool
	verdicts bool
	elements []element
	timeout  position // of its elements, where it says one
	expires  position // of the first element that says one itself
	remarks  []remark
}

// element is one element of a set: a span for each concatenated field, and what a map does with it.
type element struct {
	pos     position
	spans   []span
	rest    bool // `*`: what no other element holds
	verdict verdict
}

type chain struct {
	name     string
	pos      position
	table    *table
	base     bool // has a hook
	forward  bool // and it is the one that packets of the wire pass
	hook     hook
	priority int
	policy   verdictKind
	rules    []*rule
	index    int // among all chains of the program; set by resolve
}

// rule is a list of operations, done in order until one does not match or decides.
type rule struct {
	pos     position
	ops     []op
	comment string
	remarks []remark
}

type verdictKind uint8

const (
	goOn verdictKind = iota // continue, or no verdict: the next rule decides
	accept
	drop
	reject
	jump
	gotoChain
	returnFrom
)

type verdict struct {
	kind   verdictKind
	target string // of jump and goto
	pos    position
	chain  *chain // target, set by resolve
}

type opKind uint8

const (
	opMatch   opKind = iota // field & mask in values
	opConcat                // fields as one in elements, or not (negate)
	opCounter               //
	opLimit                 //
	opLog                   //
	opReject                //
	opVerdict               //
	opMap                   // the verdict of the element that holds the fields
)

type op struct {
	kind     opKind
	pos      position
	field    field
	mask     u128
	values   spans
	fields   []field
	elements []element
	negate   bool
	counter  counterStart
	named    *namedCounter // that opCounter counts in place of its own; nil: none
	limit    *limitSpec
	log      *logSpec
	reject   rejectSpec
	verdict  verdict
}

// namedCounter is a counter that rules share.
type namedCounter struct {
	name  string
	pos   position
	start counterStart
}

// counterStart is the value that `counter packets N bytes M` starts from.
type counterStart struct{ packets, bytes uint64 }

// limitSpec is `limit rate`: cost is taken from a bucket that fills with the time.
type limitSpec struct {
	over   bool
	bytes  bool
	rate   uint64 // packets or bytes in one period
	period uint64 // ns
	burst  uint64
}

type logSpec struct {
	prefix string
	level  string
	group  int // -1: none
}

// rejectSpec is how the sender of a rejected packet is told.
type rejectSpec struct {
	reset bool  // a RST
	code4 uint8 // of ICMP destination unreachable
	code6 uint8 // of ICMPv6 destination unreachable
}
