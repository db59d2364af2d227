package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"sync"
	"time"

	"github.com/granule-nf/granule/relay/wire"
)

// maxExpected is how many invocations are remembered, those past their expiry first to be forgotten: so that one that
// comes late is told apart from one that nobody ever sent.
const maxExpected = 1 << 12

// tokens are the joins that are expected. A token is good for each of its connections once, until it expires.
type tokens struct {
	now func() time.Time

	mu    sync.Mutex
	byID  map[tokenID]*expected
	order []tokenID // oldest first
}

type tokenID struct{ worker, epoch uint32 }

type expected struct {
	token   []byte // nil once burnt
	expires time.Time
	joined  []bool // by shard
	left    int    // how many have not
}

func newTokens(now func() time.Time) *tokens {
	return &tokens{now: now, byID: map[tokenID]*expected{}}
}

// expect makes a token for conns connections of worker in epoch.
func (t *tokens) expect(worker, epoch uint32, conns int, expires time.Time) []byte {
	token := make([]byte, wire.TokenSize)
	_, _ = rand.Read(token) // never fails: it ends the process instead
	e := &expected{token: append([]byte(nil), token...), expires: expires, joined: make([]bool, conns), left: conns}
	id := tokenID{worker, epoch}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.byID[id]; ok {
		old.burn()
	} else {
		t.order = append(t.order, id)
	}
	t.byID[id] = e
	for len(t.order) > maxExpected {
		t.byID[t.order[0]].burn()
		delete(t.byID, t.order[0])
		t.order = t.order[1:]
	}
	return token
}

// forget burns the token of worker in epoch.
func (t *tokens) forget(worker, epoch uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.byID[tokenID{worker, epoch}]; ok {
		e.burn()
	}
}

// redeem decides a Hello. binding gives what the proof must have been made over.
func (t *tokens) redeem(h *wire.Hello, binding []byte) (why Refusal, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, known := t.byID[tokenID{h.Worker, h.Epoch}]
	switch {
	case !known:
		return RefusedUnknown, false
	case !t.now().Before(e.expires):
		e.burn()
		return RefusedLate, false
	case int(h.Shard) >= len(e.joined):
		return RefusedShard, false
	case e.token == nil, e.joined[h.Shard]:
		return RefusedUsed, false
	}
	want := wire.Proof(e.token, binding)
	if !hmac.Equal(want[:], h.Proof[:]) {
		return RefusedProof, false
	}
	e.joined[h.Shard] = true
	if e.left--; e.left == 0 {
		e.burn()
	}
	return 0, true
}

func (e *expected) burn() {
	clear(e.token)
	e.token = nil
}
