package detect

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// compile turns rules into signatures in the order of trial.
func (e *Engine) compile(rules []*rule.Rule) {
	e.sigs = make([]*Signature, 0, len(rules))
	for _, r := range rules {
		e.sigs = append(e.sigs, e.signature(r))
	}
	slices.SortStableFunc(e.sigs, func(a, b *Signature) int {
		return cmp.Or(
			cmp.Compare(actionOrder(a.Rule.Action), actionOrder(b.Rule.Action)),
			cmp.Compare(bitsOrder(a.Rule.Bits), bitsOrder(b.Rule.Bits)),
			cmp.Compare(intsOrder(a.Rule.Ints), intsOrder(b.Rule.Ints)),
			cmp.Compare(xbitsOrder(a.Rule.XBits), xbitsOrder(b.Rule.XBits)),
			cmp.Compare(a.Rule.Priority, b.Rule.Priority),
		)
	})
	for i, s := range e.sigs {
		s.num = uint32(i)
	}
}

func actionOrder(a rule.Action) int {
	switch a {
	case rule.RejectDst, rule.RejectBoth:
		return int(rule.Reject)
	}
	return int(a)
}

// bitsOrder: rules that set a bit are tried before those that ask for it.
func bitsOrder(bits []rule.Bits) int {
	sets, reads := false, false
	for _, b := range bits {
		if b.Op == rule.BitsIsSet || b.Op == rule.BitsIsNotSet {
			reads = true
		} else {
			sets = true
		}
	}
	return memoryOrder(sets, reads)
}

// intsOrder is the same of variables.
func intsOrder(ints []rule.Int) int {
	sets, reads := false, false
	for _, i := range ints {
		sets = sets || i.Op.Changes()
		reads = reads || !i.Op.Changes()
	}
	return memoryOrder(sets, reads)
}

// xbitsOrder is the same of bits of addresses.
func xbitsOrder(bits []rule.XBit) int {
	sets, reads := false, false
	for _, b := range bits {
		asks := b.Op == rule.BitsIsSet || b.Op == rule.BitsIsNotSet
		sets, reads = sets || !asks, reads || asks
	}
	return memoryOrder(sets, reads)
}

func memoryOrder(sets, reads bool) int {
	switch {
	case sets && !reads:
		return 0
	case sets:
		return 1
	case reads:
		return 2
	}
	return 3
}

func (e *Engine) signature(r *rule.Rule) *Signature {
	s := &Signature{Rule: r, limit: -1, filter: -1, fastAt: noFast}
	s.Event = eve.Signature{GID: r.GID, ID: r.SID, Rev: r.Rev, Message: r.Msg, Category: r.Category, Severity: uint8(r.Priority), Metadata: metadata(r.Metadata)}
	s.setProtos()
	sides := rule.Either
	for _, sec := range r.Sections {
		c := section{buffer: sec.Buffer, transforms: sec.Transforms, items: compileItems(sec.Items), sides: sec.Buffer.Sides()}
		c.chain = e.chain(sec.Transforms)
		for _, it := range sec.Items {
			if it.Kind == rule.Absent {
				c.absent = true
				c.orAbsent = it.OrAbsent
			}
			e.reserve(it)
		}
		switch {
		case sec.Buffer == rule.Payload:
			s.payload = c.items
		case sec.Buffer.OfPacket():
			s.headers = append(s.headers, c)
		default:
			s.tx = append(s.tx, c)
			if !r.Transactional {
				sides &= c.sides
			}
		}
	}
	s.dirs[proto.ToServer] = !r.Flow.ToClient && sides&rule.Request != 0
	s.dirs[proto.ToClient] = !r.Flow.ToServer && sides&rule.Response != 0
	for _, b := range r.Bits {
		o := bitOp{op: b.Op}
		for _, n := range b.Names {
			o.ids = append(o.ids, nameID(n))
		}
		s.bits = append(s.bits, o)
	}
	s.ints, s.xbits = compileInts(r.Ints), compileXBits(r.XBits)
	s.setType()
	return s
}

// reserve sizes the memory of evaluation for what an item needs.
func (e *Engine) reserve(it *rule.Item) {
	switch it.Kind {
	case rule.PCRE:
		e.programs = max(e.programs, it.Regex.Size())
		e.regexps = append(e.regexps, it.Regex)
	case rule.Base64Decode:
		if e.x.decoded == nil {
			e.x.decoded = make([]byte, 0, maxDecoded)
		}
		for _, inner := range it.Decode.Section.Items {
			e.reserve(inner)
		}
	}
}

func (s *Signature) setType() {
	r := s.Rule
	if s.payload != nil {
		s.setPayload()
	}
	switch {
	case len(s.tx) > 0:
		s.Type = OfTx
	case s.payload != nil && s.stream:
		s.Type = OfStream
	case s.payload != nil || len(s.headers) > 0 || len(s.ints) > 0 || asks(r.Fields, false):
		s.Type = OfPacket
	case r.App == rule.AnyApp && s.asksAppAlone():
		s.Type = AppOnly
	case r.App != rule.AnyApp || asks(r.Fields, true):
		s.Type = OfApp
	case r.Flow == (rule.Flow{}) && r.SrcPort.Any && r.DstPort.Any && s.setsBits():
		s.Type = IPOnly
		if r.Src.Negated || r.Dst.Negated {
			s.Type = IPPacket
		}
	default:
		s.Type = OfPacket
	}
}

// asks reports whether there is a test that differs from packet to packet of a flow; with app, one of the application
// protocol.
func asks(fs []rule.Field, app bool) bool {
	for _, f := range fs {
		switch f.Kind {
		case rule.FieldApp:
			if app {
				return true
			}
		case rule.FieldIPProto, rule.FieldL3:
		default:
			if !app {
				return true
			}
		}
	}
	return false
}

// asksAppAlone reports whether there is nothing but app-layer-protocol, and a direction.
func (s *Signature) asksAppAlone() bool {
	other := func(f rule.Field) bool { return f.Kind != rule.FieldApp }
	r := s.Rule
	return len(r.Fields) > 0 && !slices.ContainsFunc(r.Fields, other) && r.Flow == (rule.Flow{ToServer: r.Flow.ToServer, ToClient: r.Flow.ToClient}) && s.setsBits()
}

// setsBits reports whether flowbits, if there are any, are set and nothing else.
func (s *Signature) setsBits() bool {
	return !slices.ContainsFunc(s.Rule.Bits, func(b rule.Bits) bool { return b.Op != rule.BitsSet }) &&
		!slices.ContainsFunc(s.Rule.XBits, func(x rule.XBit) bool { return x.Op != rule.BitsSet })
}

// setPayload decides where the payload's items look: rules for TCP look at the stream, unless a keyword is about packets;
// with offset or depth at both, since a packet's start is no stream's.
func (s *Signature) setPayload() {
	r := s.Rule
	switch {
	case s.protos&protoTCP == 0 || r.Proto == rule.TCPPacket || r.Flow.NoStream:
		s.packet = true
	case r.Proto == rule.TCPStream || r.Flow.OnlyStream:
		s.stream = true
	case r.NeedPacket:
		s.packet = true
	default:
		s.stream = true
		for i := range s.payload {
			if it := &s.payload[i]; it.kind == rule.Content && (it.hasOffset || it.hasDepth) {
				s.packet = true
			}
		}
	}
}

// metadata makes the JSON object of the metadata keyword: each key with the list of its values.
func metadata(words []string) []byte {
	if len(words) == 0 {
		return nil
	}
	m := map[string][]string{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, " ")
		if ok {
			m[key] = append(m[key], strings.TrimSpace(value))
		}
	}
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil // strings always marshal
	}
	return b
}
