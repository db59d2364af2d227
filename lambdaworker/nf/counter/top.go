package counter

import (
	"math/bits"
	"sort"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// top finds the flows with the most bytes in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient computation of
// frequent and top-k elements in data streams", ICDT 2005), weighted by bytes. With m entries and n bytes counted
//
//   - a flow with more than n/m bytes is among the entries,
//   - an entry's bytes are at least the flow's, and at most the flow's and its Error more; Error is at most n/m.
//
// A flow that has an entry is counted without hashing: its handle leads to it. The entry with the fewest bytes is found by a heap
// whose order is put right only when one is looked for, since counts only grow.
type top struct {
	entries []entry
	used    int
	byFlow  []uint32 // entry of each flow handle; right if the entry names the handle too
	index   []uint32 // open-addressed hash of keys: entry+1, 0 where empty
	heap    []uint32 // entries, smallest known first
	seed    uint64
	dirty   []uint32 // entries with something unsent, each once
	nextOut int64    // when the next delta is due
}

// entry has what every packet touches first, so that it lies in one cache line.
type entry struct {
	flow    uint32 // handle it was seen under last
	listed  bool   // stands in dirty
	bytes   uint64
	packets uint64
	sent    count // of both, what was in deltas
	err     uint64
	known   uint64 // bytes when it was last put in its place in the heap
	key     packet.Key
}

func newTop(m int, flows *state.Table, seed uint64) *top {
	t := &top{entries: make([]entry, m), byFlow: make([]uint32, flows.Cap()), index: make([]uint32, 1<<bits.Len(uint(2*m))), heap: make([]uint32, 0, m), seed: seed}
	t.dirty = make([]uint32, 0, m)
	for i := range t.entries {
		t.entries[i].flow = nf.NoFlow
	}
	return t
}

// meet ties p's flow to its entry, which has something unsent from here on.
func (t *top) meet(p *nf.Packet) *entry {
	at := t.byFlow[p.Flow]
	e := &t.entries[at]
	if e.flow != p.Flow {
		at = t.find(&p.Key)
		t.byFlow[p.Flow] = at
		e = &t.entries[at]
		e.flow = p.Flow
	}
	if !e.listed {
		e.listed = true
		t.dirty = append(t.dirty, at)
	}
	return e
}

// forget breaks the tie between a handle, which will mean another flow, and the entry.
func (t *top) forget(flow uint32) {
	if e := &t.entries[t.byFlow[flow]]; e.flow == flow {
		e.flow = nf.NoFlow
	}
}

// find returns the entry of key, which may be taken from the flow with the fewest bytes.
func (t *top) find(key *packet.Key) uint32 {
	mask := uint32(len(t.index) - 1)
	at := uint32(key.Hash(t.seed)) & mask
	for t.index[at] != 0 {
		if n := t.index[at] - 1; t.entries[n].key == *key {
			return n
		}
		at = (at + 1) & mask
	}
	if t.used < len(t.entries) {
		n := uint32(t.used)
		t.used++
		t.entries[n] = entry{key: *key, flow: nf.NoFlow}
		t.index[at] = n + 1
		t.heap = append(t.heap, n)
		t.up(len(t.heap) - 1)
		return n
	}
	n := t.least()
	t.unindex(n)
	e := &t.entries[n]
	// What the old flow had unsent is not sent any more: it is the flow with the fewest bytes of all.
	*e = entry{key: *key, flow: nf.NoFlow, bytes: e.bytes, err: e.bytes, known: e.bytes, sent: count{0, e.bytes}, listed: e.listed}
	for at = uint32(key.Hash(t.seed)) & mask; t.index[at] != 0; {
		at = (at + 1) & mask
	}
	t.index[at] = n + 1
	return n
}

// least returns the entry with the fewest bytes, at the root of the heap once the root's place is up to date.
func (t *top) least() uint32 {
	for {
		n := t.heap[0]
		if t.entries[n].known == t.entries[n].bytes {
			return n
		}
		t.entries[n].known = t.entries[n].bytes
		t.down(0)
	}
}

func (t *top) less(i, j int) bool { return t.entries[t.heap[i]].known < t.entries[t.heap[j]].known }

func (t *top) up(i int) {
	for i > 0 && t.less(i, (i-1)/2) {
		t.heap[i], t.heap[(i-1)/2] = t.heap[(i-1)/2], t.heap[i]
		i = (i - 1) / 2
	}
}

func (t *top) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.heap) {
			return
		}
		if child+1 < len(t.heap) && t.less(child+1, child) {
			child++
		}
		if !t.less(child, i) {
			return
		}
		t.heap[i], t.heap[child] = t.heap[child], t.heap[i]
		i = child
	}
}

// unindex takes entry n out of the hash, and closes the gap.
func (t *top) unindex(n uint32) {
	mask := uint32(len(t.index) - 1)
	hole := uint32(t.entries[n].key.Hash(t.seed)) & mask
	for t.index[hole] != n+1 {
		hole = (hole + 1) & mask
	}
	for next := (hole + 1) & mask; t.index[next] != 0; next = (next + 1) & mask {
		home := uint32(t.entries[t.index[next]-1].key.Hash(t.seed)) & mask
		if (next-home)&mask >= (next-hole)&mask {
			t.index[hole] = t.index[next]
			hole = next
		}
	}
	t.index[hole] = 0
}

// TopFlow is one line of a report's Top.
type TopFlow struct {
	A        string `json:"a"` // endpoints, the lower address first
	B        string `json:"b"`
	Protocol uint8  `json:"protocol"`
	Packets  uint64 `json:"packets"` // since it was last given an entry: a lower bound
	Bytes    uint64 `json:"bytes"`   // an upper bound
	Error    uint64 `json:"error"`   // by how much Bytes may be too high
}

// flows returns the n flows with the most bytes.
func (t *top) flows(n int) []TopFlow {
	order := make([]int, t.used)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return t.entries[order[i]].bytes > t.entries[order[j]].bytes })
	list := []TopFlow{}
	for _, i := range order[:min(n, len(order))] {
		e := &t.entries[i]
		a, b, proto := e.key.Endpoints()
		list = append(list, TopFlow{A: a.String(), B: b.String(), Protocol: proto, Packets: e.packets, Bytes: e.bytes, Error: e.err})
	}
	return list
}
