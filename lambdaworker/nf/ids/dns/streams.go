package dns

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Streams cuts TCP streams into messages by their two-byte length (RFC 1035 section 4.2.2).
type Streams struct {
	arena *arena.Arena
}

// NewStreams makes room for flows handles.
func NewStreams(flows int, a *arena.Arena) *Streams { return &Streams{arena: a} }

// Feed takes the next bytes of a direction of flow. Next returns the messages in them; data must stay valid until it reports false.
func (s *Streams) Feed(flow uint32, dir proto.Dir, data []byte) {}

// Next returns the next whole message of what Feed was given last, valid until the next call. After it reported false the rest is kept for the next Feed.
func (s *Streams) Next() (message []byte, ok bool) { return nil, false }

// Gap says that bytes were lost: what was begun is dropped, and the next Feed is taken for a message's start.
func (s *Streams) Gap(flow uint32, dir proto.Dir) {}

// Forget drops all that is known of a flow.
func (s *Streams) Forget(flow uint32) {}

// AppendState appends what is known of flow, as versioned bytes, to b; nothing if nothing is known.
func (s *Streams) AppendState(flow uint32, b []byte) []byte { return b }

// ApplyState replaces what is known of flow by what AppendState wrote, and reports whether that was well-formed and fitted.
func (s *Streams) ApplyState(flow uint32, state []byte) bool { return false }
