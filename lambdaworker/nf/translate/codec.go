package translate

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Version of the encoding: when the session ends (8 bytes), the opener's side, phase, FINs and whether both have spoken (1 each), ports
// on the outside (4), addresses on the outside (4 or 16 each). Its key inside is the entry's.
const Version = 2

const fixed = 8 + 4 + 4

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
		if s.dirty = false; s.used {
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
	both := byte(0)
	if s.both {
		both = 1
	}
	dst = append(dst, byte(s.opener), byte(s.phase), s.fins, both)
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
	if len(d) != fixed+2*size || d[8] > 1 || phase(d[9]) > reset || d[10] > 3 || d[11] > 1 || int64(binary.LittleEndian.Uint64(d)) <= 0 {
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
	s.Sub, s.opener, s.phase, s.fins, s.both = e.Sub, nf.Side(d[8]), phase(d[9]), d[10], d[11] == 1
	if !s.both {
		t.unanswered.push(t, id, waiting)
	}
	t.schedule(id, s, int64(binary.LittleEndian.Uint64(d)))
	return id, nil
}
