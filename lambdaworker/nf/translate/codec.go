package translate

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Version of the encoding: when the session ends (8 bytes), phase and flags (1 each), two of nothing, ports
// on the outside (4), addresses on the outside (4 or 16 each). Its key inside is the entry's.
const Version = 2

const fixed = 8 + 4 + 4

// told are the flags that mean something to another table.
const told = fromOutside | fins | both

// own marks the key of an entry as that of a session: a flow of the same addresses may be given up while the session stays.
const own = 1 << 9

// AppendEntries appends what has changed since the last call, in the name of function n.
func (t *Table) AppendEntries(dst []byte, n uint8) []byte {
	for i := range t.removed {
		k := t.removed[i].key
		k[4] |= own
		dst = state.Append(dst, &state.Entry{Kind: state.Flow, NF: n, Version: Version, Sub: t.removed[i].sub, Key: k})
	}
	t.removed = t.removed[:0]
	for _, id := range t.dirty {
		s := &t.sessions[id]
		if s.flags &^= dirty; s.is(used) {
			dst = s.append(dst, n)
		}
	}
	t.dirty = t.dirty[:0]
	return dst
}

func (s *Session) append(dst []byte, n uint8) []byte {
	k := s.Keys[nf.Inside]
	k[4] |= own
	start := len(dst)
	dst = state.Begin(dst, &state.Entry{Kind: state.Flow, NF: n, Version: Version, Sub: s.Sub, Key: k, Seen: s.expires})
	data := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.expires))
	dst = append(dst, byte(s.phase), byte(s.flags&told), 0, 0)
	in, out := s.Keys[nf.Outside].In(), s.Keys[nf.Outside].Out()
	dst = binary.BigEndian.AppendUint16(dst, in.Port)
	dst = binary.BigEndian.AppendUint16(dst, out.Port)
	var buf [16]byte
	dst = append(dst, in.Address(k.Kind(), &buf)...)
	dst = append(dst, out.Address(k.Kind(), &buf)...)
	return state.End(dst, start, data)
}

// ErrEntry is what Apply says of bytes that are no session.
var ErrEntry = errors.New("not a session of this version; expected what AppendEntries makes")

// Apply takes over what AppendEntries of another table told, and returns the session, whose Tag is 0; None where it has ended, or there is no room for it.
func (t *Table) Apply(e *state.Entry) (uint32, error) {
	k := Key(e.Key)
	kind, size := k.Kind(), 16
	if kind == packet.IPv4 {
		size = 4
	}
	if k[4]&own == 0 || k[4]&0xcff&^own != 0 || kind != packet.IPv4 && kind != packet.IPv6 || kind == packet.IPv4 && (k[0]|k[2]|k[1]>>32|k[3]>>32) != 0 {
		return None, ErrEntry
	}
	k[4] &^= own
	if id := t.lookup(nf.Inside, &k); id != None {
		t.drop(id)
	}
	if len(e.Data) == 0 {
		return None, nil
	}
	d := e.Data
	if len(d) != fixed+2*size || phase(d[8]) > reset || flags(d[9])&^told != 0 || d[10]|d[11] != 0 || int64(binary.LittleEndian.Uint64(d)) <= 0 {
		return None, ErrEntry
	}
	in := EndOf(d[16:16+size], binary.BigEndian.Uint16(d[12:]))
	out := EndOf(d[16+size:], binary.BigEndian.Uint16(d[14:]))
	keys := [2]Key{k, KeyOf(in, out, k.Proto(), kind, k[5])}
	if id := t.lookup(nf.Outside, &keys[1]); id != None {
		t.drop(id)
	}
	id := t.insert(&keys, -1<<63)
	if id == None {
		return None, nil
	}
	s := &t.sessions[id]
	s.Sub, s.phase, s.flags = e.Sub, phase(d[8]), s.flags|flags(d[9])
	if !s.is(both) {
		t.unanswered.push(t, id, waiting)
	}
	t.schedule(id, s, int64(binary.LittleEndian.Uint64(d)))
	return id, nil
}
