package http

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// conn is a flow that is followed.
type conn struct {
	flow        uint32
	nextID      uint64
	first, last uint32 // transactions, oldest first
	count       uint32
	tunnel      bool // a CONNECT was agreed to
	way         [2]way
}

// way is one direction of a conn.
type way struct {
	state  state
	closed bool
	bad    bool
	fresh  bool      // after: the message ended with the bytes that are being fed
	tx     uint32    // the transaction that is being read, or None
	left   uint64    // of a body of known length, or of a chunk
	line   arena.Buf // a chunk's length line, trailer, or what may begin another message
	chain  uint32    // content encodings to undo, in Parser.chains, + 1
}

// state is the part of a message that the next byte belongs to.
type state uint8

const (
	idle      state = iota
	firstLine       // request or response line
	headers
	bodyKnown // left bytes
	bodyClose // until the connection closes
	chunkLength
	chunkData
	chunkEnd
	trailer
	after    // behind a message: another one, or more body than was promised
	extra    // within a line of such
	simple   // behind a request line without a version: HTTP/0.9, or its headers
	tunnel   // an upgrade: no HTTP any more
	ignoring // behind an HTTP/0.9 request
	waiting  // behind a CONNECT: the proxy's answer tells
)

// connOf returns the conn of flow, made if there is room.
func (p *Parser) connOf(flow uint32) *conn {
	c := p.conns.Get(flow)
	if c != nil {
		return c
	}
	if c = p.conns.Make(flow); c == nil {
		p.stats.NoSlot++
		return nil
	}
	*c = conn{flow: flow, first: None, last: None}
	c.way[0].tx, c.way[1].tx = None, None
	return c
}

// newTx appends a transaction to c, or returns None. The oldest of too many gives way.
func (p *Parser) newTx(c *conn) uint32 {
	if c.count >= uint32(p.cfg.PerFlow) {
		p.stats.TxOverwhelms++
		p.Release(c.first)
	}
	var slot uint32
	switch {
	case len(p.freeTxs) > 0:
		slot = p.freeTxs[len(p.freeTxs)-1]
		p.freeTxs = p.freeTxs[:len(p.freeTxs)-1]
	case len(p.txs) < p.cfg.Transactions:
		slot = uint32(len(p.txs))
		p.txs = append(p.txs, Tx{})
	default:
		p.stats.NoSlot++
		return None
	}
	p.txs[slot] = Tx{ID: c.nextID, Flow: c.flow, Slot: slot, next: None, prev: c.last, inUse: true}
	c.nextID++
	c.count++
	if c.last == None {
		c.first = slot
	} else {
		p.txs[c.last].next = slot
	}
	c.last = slot
	return slot
}

// Release drops a transaction that was inspected in both directions, or that is not wanted.
func (p *Parser) Release(slot uint32) {
	t := &p.txs[slot]
	if !t.inUse {
		return
	}
	c := p.conns.Get(t.Flow)
	for d := range c.way {
		if c.way[d].tx == slot {
			c.way[d].tx = None
		}
	}
	if t.prev == None {
		c.first = t.next
	} else {
		p.txs[t.prev].next = t.next
	}
	if t.next == None {
		c.last = t.prev
	} else {
		p.txs[t.next].prev = t.prev
	}
	c.count--
	p.freeTx(t)
}

func (p *Parser) freeTx(t *Tx) {
	for d := range t.side {
		s := &t.side[d]
		for _, b := range [...]*arena.Buf{&s.head, &s.fields, &s.table, &s.uri, &s.body} {
			p.arena.Free(b)
		}
	}
	slot := t.Slot
	*t = Tx{}
	p.freeTxs = append(p.freeTxs, slot)
}

// Forget drops all that is known of a flow.
func (p *Parser) Forget(flow uint32) {
	c := p.conns.Get(flow)
	if c == nil {
		return
	}
	for s := c.first; s != None; {
		next := p.txs[s].next
		p.freeTx(&p.txs[s])
		s = next
	}
	for d := range c.way {
		p.endLayers(&c.way[d])
		p.arena.Free(&c.way[d].line)
	}
	p.conns.Drop(flow)
}

// First returns the slot of the flow's oldest transaction, or None.
func (p *Parser) First(flow uint32) uint32 {
	if c := p.conns.Get(flow); c != nil {
		return c.first
	}
	return None
}

// Next returns the slot of the transaction after that in slot, or None.
func (p *Parser) Next(slot uint32) uint32 { return p.txs[slot].next }

// Tx lends the transaction in slot.
func (p *Parser) Tx(slot uint32) *Tx { return &p.txs[slot] }

// side returns the side that w reads, and its transaction; nil if that was released.
func (p *Parser) reading(w *way, dir proto.Dir) (*Tx, *side) {
	if w.tx == None {
		return nil, nil
	}
	t := &p.txs[w.tx]
	return t, &t.side[dir]
}
