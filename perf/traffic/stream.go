package traffic

import (
	"encoding/binary"
	"math/rand/v2"
)

const chunkSize = 64 << 10

// stream is the content of one flow: the same for the same flow, and no chunk of it twice, so that bytes that were lost,
// doubled or moved change its hash.
type stream struct {
	chunk []byte
	n     uint64
}

func newStream(flow int) *stream {
	s := &stream{chunk: make([]byte, chunkSize)}
	r := rand.New(rand.NewPCG(uint64(flow), 1))
	for i := 0; i < len(s.chunk); i += 8 {
		binary.LittleEndian.PutUint64(s.chunk[i:], r.Uint64())
	}
	return s
}

// next returns the next n bytes of the stream, at most a chunk; they are valid until the next call.
func (s *stream) next(n int64) []byte {
	b := s.chunk[:min(n, chunkSize)]
	if len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, s.n)
	}
	s.n++
	return b
}
