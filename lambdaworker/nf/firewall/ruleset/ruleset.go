// Package ruleset is what rule files say, whatever language they are written in: tables, chains and rules as data, the fields that rules
// compare, and sets of their values.
package ruleset

import "github.com/granule-nf/granule/ingress/packet"

// Pos is a place in a file that a person wrote; line and column count from 1, columns in bytes as nft counts them.
type Pos struct {
	File      string
	Line, Col int
}

// Ruleset is what rule files say, after parsing: names resolved to values, jumps not yet followed.
type Ruleset struct {
	Tables []*Table
}

// Family is the kind of a table.
type Family uint8

const (
	FamilyInet Family = iota
	FamilyIP
	FamilyIP6
)

// FamilyNames are the families as files name them.
var FamilyNames = [...]string{"inet", "ip", "ip6"}

// String returns the name of f.
func (f Family) String() string { return FamilyNames[f] }

// Table is a table: chains with the sets, counters and limits that their rules may name.
type Table struct {
	Family Family
	Name   string
	Sets   map[string]*Set
	Named  []*NamedCounter // in the order of the file
	Limits map[string]*Limit
	Chains []*Chain // in the order of the file
	ByName map[string]*Chain
}

// Counter returns the named counter of that name, nil if there is none.
func (t *Table) Counter(name string) *NamedCounter {
	for _, c := range t.Named {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Set is a named set or map of verdicts.
type Set struct {
	Name        string
	Pos         Pos
	Fields      []Datatype
	TypeName    string
	Interval    bool
	Merge       bool
	Verdicts    bool
	Elements    []Element
	Timeout     Pos  // of its elements, where it says one
	Expires     Pos  // of the first element that says one itself
	Opaque      bool // of a kind that is not understood: Diagnostics say why
	Used        bool // by a rule
	Diagnostics []Diagnostic
}

// Element is one element of a set: a span for each concatenated field, and what a map does with it.
type Element struct {
	Pos      Pos
	Spans    []Span
	CatchAll bool     // `*`: what no other element holds
	Verdict  *Verdict // of a map; nil in sets, which may have a million elements
}

// Hook is where a base chain hangs.
type Hook struct {
	Type, Name string
	TypePos    Pos
	Pos        Pos // of its name
}

// Chain is a list of rules; a base chain hangs at a hook and has a policy.
type Chain struct {
	Name     string
	Pos      Pos
	Table    *Table
	Base     bool // has a hook
	Forward  bool // and it is the one that packets of the wire pass
	Hook     Hook
	Priority int
	Policy   VerdictKind
	Rules    []*Rule
	Index    int // among all chains of the program; set by resolve
}

// Rule is a list of operations, done in order until one does not match or decides.
type Rule struct {
	Pos         Pos
	Ops         []Op
	Comment     string
	Diagnostics []Diagnostic
}

// VerdictKind is what becomes of a packet, or where it goes on.
type VerdictKind uint8

const (
	Continue VerdictKind = iota // continue, or no verdict: the next rule decides
	Accept
	Drop
	Reject
	Jump
	Goto
	Return
)

// Verdict is a verdict as a rule states it.
type Verdict struct {
	Kind   VerdictKind
	Target string // of jump and goto
	Pos    Pos
	Chain  *Chain // target, set by resolve
}

// OpKind is the kind of an Op.
type OpKind uint8

const (
	OpMatch   OpKind = iota // field & mask in values
	OpConcat                // fields as one in elements, or not (negate); a single field under mask, if that is not 0
	OpCounter               //
	OpLimit                 //
	OpLog                   //
	OpReject                //
	OpVerdict               //
	OpMap                   // the verdict of the element that holds the fields
	OpSet                   // field = from & mask ^ xor; of marks alone
)

// Op is one step of a rule; Kind says which fields mean something.
type Op struct {
	Kind     OpKind
	Pos      Pos
	Field    Field
	Mask     U128
	Values   Spans
	Fields   []Field
	Elements []Element
	Negate   bool
	From     Field // of OpSet: 0 where what is set is Xor alone
	Xor      U128
	Counter  CounterStart
	Named    *NamedCounter // that opCounter counts in place of its own; nil: none
	Limit    *Limit
	Log      *Log
	Reject   RejectWith
	Verdict  Verdict
}

// NamedCounter is a counter that rules share.
type NamedCounter struct {
	Name  string
	Pos   Pos
	Start CounterStart
}

// CounterStart is the value that `counter packets N bytes M` starts from.
type CounterStart struct{ Packets, Bytes uint64 }

// Limit is `limit rate`: cost is taken from a bucket that fills with the time.
type Limit struct {
	Over   bool
	Bytes  bool
	Rate   uint64 // packets or bytes in one period
	Period uint64 // ns
	Burst  uint64
}

// Log is `log`: an event with that prefix, and a level or, if it is not -1, a group.
type Log struct {
	Prefix string
	Level  string
	Group  int // -1: none
}

// RejectWith is how the sender of a rejected packet learns of it.
type RejectWith struct {
	TCPReset bool  // a RST
	Code4    uint8 // of ICMP destination unreachable
	Code6    uint8 // of ICMPv6 destination unreachable
}

// severity is what becomes of a diagnostic.
type severity uint8

const (
	Silent severity = iota
	Warn
	Refuse
)

// Diagnostic is something of a rule that matters in some chains alone.
type Diagnostic struct {
	Pos                Pos
	Message            string
	Reached, Unreached severity // in a chain that packets pass, in one that never runs
	SourceNAT          bool     // a translation of sources, which nothing here sees
}

// ResolveNegation makes a negated lookup with a `*` one that always matches: the kernel asks for the rest after the negation.
func (o *Op) ResolveNegation() {
	for i := range o.Elements {
		if o.Kind == OpConcat && o.Negate && o.Elements[i].CatchAll {
			o.Negate, o.Elements = false, o.Elements[i:i+1:i+1]
			return
		}
	}
}

// MaxConcat is how many fields a concatenation may have; nft's registers hold about as many.
const MaxConcat = 5

// MaxDepth is how many chains a packet can be in at once, the base chain among them: the kernel's jump stack.
const MaxDepth = 16

// NFProtoOf is the value of `meta nfproto` for packets of kind k.
func NFProtoOf(k packet.Kind) uint64 {
	if k == packet.IPv4 {
		return 2
	}
	return 10
}

// Equals makes a match of f with the value v.
func Equals(f Field, v uint64, at Pos) Op {
	return Op{Kind: OpMatch, Pos: at, Field: f, Mask: Ones(Fields[f].Bits), Values: Spans{{Num(v), Num(v)}}}
}
