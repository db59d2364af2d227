package dns

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Streams cuts TCP streams into messages by their two-byte length (RFC 1035 section 4.2.2).
type Streams struct {
	arena *arena.Arena
	kept  [][2]arena.Buf // what was begun, by flow and direction
	buf   *arena.Buf     // of the direction that Next works on
	used  int            // of its bytes, those of the message that Next returned last
	data  []byte
	lost  uint64
}

// NewStreams makes room for flows handles.
func NewStreams(flows int, a *arena.Arena) *Streams {
	return &Streams{arena: a, kept: make([][2]arena.Buf, flows)}
}

// Lost returns how many messages found no room in the arena.
func (s *Streams) Lost() uint64 { return s.lost }

// Feed takes the next bytes of a direction of flow. Next returns the messages in them; data must stay valid until it reports false.
func (s *Streams) Feed(flow uint32, dir proto.Dir, data []byte) {
	s.buf, s.data, s.used = &s.kept[flow][dir], data, 0
}

// Next returns the next whole message of what Feed was given last, valid until the next call. After it reported false the rest is kept for the next Feed.
func (s *Streams) Next() (message []byte, ok bool) {
	if s.buf == nil {
		return nil, false
	}
	if s.used > 0 {
		s.arena.Free(s.buf)
		s.used = 0
	}
	for s.buf.Len() > 0 { // a message was begun
		have := s.buf.Len()
		want := 2
		if have >= 2 {
			want = 2 + int(binary.BigEndian.Uint16(s.arena.Bytes(*s.buf)))
		}
		if have == want && have > 2 {
			s.used = have
			return s.arena.Bytes(*s.buf)[2:], true
		}
		if have == want { // a message without bytes
			s.arena.Free(s.buf)
			continue
		}
		n := min(want-have, len(s.data))
		if n == 0 {
			s.buf = nil
			return nil, false
		}
		if !s.keep(s.data[:n]) {
			return nil, false
		}
		s.data = s.data[n:]
	}
	for len(s.data) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(s.data))
		if len(s.data) < n {
			break
		}
		message, s.data = s.data[2:n], s.data[n:]
		if n > 2 {
			return message, true
		}
	}
	if len(s.data) > 0 {
		s.keep(s.data)
	}
	s.buf, s.data = nil, nil
	return nil, false
}

// keep holds on to the beginning of a message. Without room the direction is out of step, which the next header may mend.
func (s *Streams) keep(b []byte) bool {
	if s.arena.Append(s.buf, b) {
		return true
	}
	s.lost++
	s.arena.Free(s.buf)
	s.buf, s.data = nil, nil
	return false
}

// Gap says that bytes were lost: what was begun is dropped, and the next Feed is taken for a message's start.
func (s *Streams) Gap(flow uint32, dir proto.Dir) { s.arena.Free(&s.kept[flow][dir]) }

// Forget drops all that is known of a flow.
func (s *Streams) Forget(flow uint32) {
	s.arena.Free(&s.kept[flow][proto.ToServer])
	s.arena.Free(&s.kept[flow][proto.ToClient])
}

const stateVersion = 1

// AppendState appends what is known of flow, as versioned bytes, to b; nothing if nothing is known.
func (s *Streams) AppendState(flow uint32, b []byte) []byte {
	k := &s.kept[flow]
	if k[0].Len()+k[1].Len() == 0 {
		return b
	}
	b = append(b, stateVersion)
	for d := range k {
		b = binary.LittleEndian.AppendUint32(b, uint32(k[d].Len()))
		b = append(b, s.arena.Bytes(k[d])...)
	}
	return b
}

// ApplyState replaces what is known of flow by what AppendState wrote, and reports whether that was well-formed and fitted.
func (s *Streams) ApplyState(flow uint32, state []byte) bool {
	s.Forget(flow)
	if len(state) == 0 || state[0] != stateVersion {
		return false
	}
	state = state[1:]
	for d := range s.kept[flow] {
		if len(state) < 4 {
			return false
		}
		n := binary.LittleEndian.Uint32(state)
		state = state[4:]
		if uint64(n) > uint64(len(state)) || n > 2+0xffff || !whole(state[:n]) || !s.arena.Append(&s.kept[flow][d], state[:n]) {
			s.Forget(flow)
			return false
		}
		state = state[n:]
	}
	return len(state) == 0
}

// whole reports whether b is the beginning of one message and no more.
func whole(b []byte) bool {
	return len(b) < 2 || len(b) <= 2+int(binary.BigEndian.Uint16(b))
}
