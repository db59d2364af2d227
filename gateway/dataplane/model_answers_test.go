package dataplane

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

// answers are what the model's workers say besides pass and drop, and what has to come of it.
type answers struct {
	rnd      *rand.Rand
	s        *Shard
	became   map[uint64][]byte // packets that were rewritten, by number, as they have to leave
	injected uint64
	tooLong  uint64
	lies     uint64
}

const injectedFlow = 65000

// give has l answer up to n packets at the shard's next look, in all the ways there are.
func (a *answers) give(l *fakeLink, n int) {
	n = min(n, len(l.refs))
	if n == 0 {
		return
	}
	refs := l.refs[:n:n]
	l.refs, l.subs, l.carried = l.refs[n:], l.subs[n:], l.carried[n:]
	l.answers = append(l.answers, func(h relay.Handler) {
		for i := range refs {
			h.Verdicts(refs[i:i+1], a.about(h, refs[i]))
		}
	})
	l.poke()
}

// about says what comes before the verdict on ref, and returns the verdict.
func (a *answers) about(h relay.Handler, ref uint64) (verdict uint8) {
	i, there := a.s.slots.get(ref)
	if !there { // settled meanwhile: the answer is late, and changes nothing
		h.Rewritten(ref, wire.RewroteWhole, []byte("late"))
		return 0
	}
	if a.s.conns.answering().violation != "" { // nothing counts any more
		h.Rewritten(ref, wire.RewroteWhole, []byte("void"))
		return 0
	}
	frame := bytes.Clone(a.s.slots.frames[i].Data)
	seq := seqOf(frame)
	switch x := a.rnd.IntN(100); {
	case x < 60:
	case x < 75:
		return uint8(1 + a.rnd.IntN(2))
	case x < 82: // another traffic class
		frame[15]++
		h.Rewritten(ref, wire.RewroteHeaders, frame[:34])
		a.became[seq] = frame
	case x < 89:
		frame = append(frame, bytes.Repeat([]byte{0x5a}, a.rnd.IntN(40))...)
		h.Rewritten(ref, wire.RewroteWhole, frame)
		a.became[seq] = frame
	case x < 92:
		h.Rewritten(ref, wire.RewroteWhole, make([]byte, 5000))
		a.tooLong++
	case x < 99:
		h.Inject(ref, uint8(a.rnd.IntN(2)), udp(injectedFlow, false, seq))
		a.injected++
	default:
		a.lies++
		return 200 // of which there is none
	}
	return 0
}

// left checks a frame that has left, and reports whether it is one that came in.
func (a *answers) left(t *testing.T, frame []byte) bool {
	t.Helper()
	flow, back := flowOf(frame)
	if flow == injectedFlow {
		return false
	}
	seq := seqOf(frame)
	want, changed := a.became[seq]
	if !changed {
		want = udp(flow, back, seq)
	}
	if !bytes.Equal(frame, want) {
		t.Fatalf("packet %d left as % x, expected % x", seq, frame, want)
	}
	return true
}
