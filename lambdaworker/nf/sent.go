package nf

import "github.com/granule-nf/granule/lambdaworker/state"

// sent is what a function's states of flows were when they were last sent, as far as memory goes: a ring, in which the state that was sent
// longest ago makes room for the next. Of what is no longer there the whole state is sent.
type sent struct {
	ring  []byte
	end   uint64   // bytes that were ever put in
	at    []uint64 // by flow: where its state begins, + 1; 0 if it was not sent
	size  []uint32
	times []uint8  // patches since the whole state was sent
	spent []uint32 // bytes of these
}

const (
	sentBytes  = 4 << 20
	worthPatch = 96 // state of fewer bytes is sent whole
	// wholeAgain is after how many patches at the least a state is sent whole, once they have cost half of it, and mostPatches after how
	// many at the most: the replica may have lost it, for room or with a packet that was resolved before its verdict came.
	wholeAgain  = 32
	mostPatches = 255
)

func (s *sent) get(flow uint32) []byte {
	at := s.at[flow]
	if at == 0 || at-1+uint64(len(s.ring)) < s.end {
		return nil
	}
	from := (at - 1) % uint64(len(s.ring))
	return s.ring[from : from+uint64(s.size[flow])]
}

// due reports whether it is time for the whole state of flow.
func (s *sent) due(flow uint32) bool {
	n := s.times[flow]
	return n >= wholeAgain && s.spent[flow] >= s.size[flow]/2 || n >= mostPatches
}

func (s *sent) put(flow uint32, data []byte) {
	s.at[flow] = 0
	if len(data) > sentBytes/8 {
		return
	}
	if s.ring == nil { // most functions never come here
		s.ring = make([]byte, sentBytes)
	}
	if from := s.end % sentBytes; from+uint64(len(data)) > sentBytes { // a state stands in one piece
		s.end += sentBytes - from
	}
	copy(s.ring[s.end%sentBytes:], data)
	s.at[flow], s.size[flow] = s.end+1, uint32(len(data))
	s.end += uint64(len(data))
}

// unsent says that the replica may have another state of flow than the one that was sent last.
func (p *Pipeline) unsent(flow uint32) {
	for i := range p.sent {
		p.sent[i].forget(flow)
	}
}

func (s *sent) forget(flow uint32) {
	if s.at != nil {
		s.at[flow] = 0
	}
}

// patches makes patches of the states that a batch changed.
type patches struct {
	state.Patcher
	packets []int
	lent    func(i int) []byte
	out     []byte
}

func (p *Pipeline) newPatches() {
	p.patches = &patches{packets: make([]int, 0, MaxBatch)}
	p.patches.lent = func(i int) []byte { return p.batch.Packets[i].Data }
	p.sent = make([]sent, len(p.nfs))
	for i := range p.nfs {
		if p.dirty[i].stamp != nil {
			n := p.flows.Cap()
			p.sent[i] = sent{at: make([]uint64, n), size: make([]uint32, n), times: make([]uint8, n), spent: make([]uint32, n)}
		}
	}
}

// patch puts a patch in the place of function i's state of flow, which stands in dst behind data, in the entry e that begins at
// start, if it knows what was sent before and the patch is shorter.
func (p *Pipeline) patch(dst []byte, start, data, i int, flow uint32, e *state.Entry) []byte {
	s, m := &p.sent[i], p.patches
	next := dst[data:]
	if len(next) < worthPatch || len(next) > state.MaxPatched {
		s.forget(flow)
		return state.End(dst, start, data)
	}
	if last := s.get(flow); last != nil && !s.due(flow) {
		m.out = m.Append(m.out[:0], last, next, m.of(&p.batch, flow), m.lent)
		if len(m.out) < len(next)-len(next)/8 {
			s.put(flow, next)
			s.times[flow]++
			s.spent[flow] += uint32(len(m.out))
			e.Kind = state.Change
			dst = state.Begin(dst[:start], e)
			data = len(dst)
			return state.End(append(dst, m.out...), start, data)
		}
	}
	s.put(flow, next)
	s.times[flow], s.spent[flow] = 0, 0
	return state.End(dst, start, data)
}

// of returns the packets of flow that the gateway has as they are here: not those that are rewritten to their end.
func (m *patches) of(b *Batch, flow uint32) []int {
	m.packets = m.packets[:0]
	for i := range b.Packets {
		if b.Packets[i].Flow == flow && b.Changed[i] != Full {
			m.packets = append(m.packets, i)
		}
	}
	return m.packets
}
