// Package translate keeps what connections are rewritten to. A connection whose addresses are translated is two flows: one as its
// packets arrive from the side that opened it, one as the answers arrive. Each has a Record under its own handle, which says what becomes of
// its packets; both live in the stage's flow table, so they are found, moved and forgotten like any state of a flow.
//
// Both flows have to meet at one worker: they have the address of one end in common, which is what a function's affinity follows.
package translate

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Field is which end of a packet is rewritten.
type Field uint8

// Fields.
const (
	Src Field = 1
	Dst Field = 2
)

// Record is what packets of one flow are rewritten to.
type Record struct {
	Addr  [16]byte
	Port  uint16 // identifier, of ICMP echoes
	Field Field
	Size  uint8  // of Addr: 4 or 16; 0 where the flow has no record
	Tag   uint32 // whatever the function keeps with it
	peer  uint32 // handle of the other flow, or nf.NoFlow
}

// Address returns the address in place.
func (r *Record) Address() []byte { return r.Addr[:r.Size] }

// Table has a Record for each flow.
type Table struct {
	records []Record
	flows   *state.Table
}

// New makes a table for the flows of a stage.
func New(flows *state.Table) *Table { return &Table{make([]Record, flows.Cap()), flows} }

// Of returns the record of a flow, nil if it has none.
func (t *Table) Of(flow uint32) *Record {
	if flow == nf.NoFlow || t.records[flow].Size == 0 {
		return nil
	}
	return &t.records[flow]
}

// Taken reports whether a flow with that key is translated already.
func (t *Table) Taken(key *packet.Key) bool {
	flow := t.flows.Find((*[6]uint64)(key))
	return flow != state.None && t.records[flow].Size != 0
}

// Pair gives the flow its record, and the answers' flow, whose key is given, its own. It reports false where there is no room for the
// answers' flow.
func (t *Table) Pair(b *nf.Batch, flow uint32, r Record, answers *packet.Key, a Record, now int64) bool {
	other := t.flows.Put((*[6]uint64)(answers), now)
	if other == state.None || other == flow || t.records[other].Size != 0 {
		return false
	}
	r.peer, a.peer = other, flow
	t.records[flow], t.records[other] = r, a
	b.Touch(flow)
	b.Touch(other)
	return true
}

// Rewrite rewrites packet i as the record of its flow says; in an ICMP error, the packet quoted too. It keeps the other flow alive. It
// reports whether there was a record.
func (t *Table) Rewrite(b *nf.Batch, i uint16) bool {
	p := &b.Packets[i]
	r := t.Of(p.Flow)
	if r == nil {
		return false
	}
	r.write(p.Data, &p.Info)
	b.Change(i, nf.Headers)
	if r.peer != nf.NoFlow {
		t.flows.Keep(r.peer, p.Time)
	}
	return true
}

// Frame rewrites a frame that a function made as packets of its flow are. It reports whether there was a record.
func (t *Table) Frame(frame []byte, in *packet.Info) bool {
	if in.Kind == packet.NotIP {
		return false
	}
	var key packet.Key
	in.Key(frame, &key)
	r := t.Of(t.flows.Find((*[6]uint64)(&key)))
	if r != nil {
		r.write(frame, in)
	}
	return r != nil
}

func (r *Record) write(frame []byte, in *packet.Info) {
	if in.HasL4 && packet.IsICMPError(in.Proto, in.ICMPType) {
		in.SetQuoted(frame, r.Field == Src, r.Address(), r.Port)
	}
	if r.Field == Src {
		in.SetSrc(frame, r.Address(), r.Port)
	} else {
		in.SetDst(frame, r.Address(), r.Port)
	}
}

// Forget empties the flow's record and returns it as it was.
func (t *Table) Forget(flow uint32) Record {
	r := t.records[flow]
	if r.Size != 0 && r.peer != nf.NoFlow {
		t.records[r.peer].peer = nf.NoFlow
	}
	t.records[flow] = Record{}
	return r
}

// Version of the encoding that Append writes.
const Version = 1

// Append appends the flow's record: field, size, port, tag, address, and the key of the other flow, if that is known.
func (t *Table) Append(dst []byte, flow uint32) []byte {
	r := t.Of(flow)
	if r == nil {
		return dst
	}
	dst = append(dst, byte(r.Field), r.Size)
	dst = binary.LittleEndian.AppendUint16(dst, r.Port)
	dst = binary.LittleEndian.AppendUint32(dst, r.Tag)
	dst = append(dst, r.Address()...)
	if r.peer == nf.NoFlow {
		return dst
	}
	for _, w := range t.flows.Key(r.peer) {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// ErrRecord is what Apply says of bytes that are no record.
var ErrRecord = errors.New("not the record of a translated flow")

// Apply gives the flow the record that Append wrote. The two flows of a connection find each other whichever comes first.
func (t *Table) Apply(flow uint32, data []byte) error {
	if len(data) < 8 {
		return ErrRecord
	}
	r := Record{Field: Field(data[0]), Size: data[1], Port: binary.LittleEndian.Uint16(data[2:]), Tag: binary.LittleEndian.Uint32(data[4:]), peer: nf.NoFlow}
	rest := data[8:]
	key := (*packet.Key)(t.flows.Key(flow))
	if lower, _, _ := key.Endpoints(); r.Field != Src && r.Field != Dst || r.Size != 4 && r.Size != 16 || lower.Addr().Is4() != (r.Size == 4) {
		return ErrRecord // an address of the other family would overwrite what stands behind it
	}
	if len(rest) != int(r.Size) && len(rest) != int(r.Size)+48 {
		return ErrRecord
	}
	rest = rest[copy(r.Addr[:r.Size], rest):]
	t.Forget(flow)
	t.records[flow] = r
	if len(rest) == 0 {
		return nil
	}
	var other [6]uint64
	for i := range other {
		other[i] = binary.LittleEndian.Uint64(rest[8*i:])
	}
	if o := t.flows.Find(&other); o != state.None && o != flow && t.records[o].Size != 0 {
		t.records[flow].peer = o
		t.records[o].peer = flow
		seen := max(t.flows.Seen(flow), t.flows.Seen(o))
		t.flows.Keep(flow, seen)
		t.flows.Keep(o, seen)
	}
	return nil
}
