package http

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Parser follows the HTTP of many flows. It is used by one goroutine. Records of flows, transactions and inflaters are
// made when first needed, up to the limits of Config, and used again.
type Parser struct {
	cfg       Config
	arena     *arena.Arena
	conns     proto.Records[conn]
	txs       []Tx
	freeTxs   []uint32
	inflaters []*inflater
	freeZ     []uint32
	chains    []chain
	freeChain []uint32
	join      []byte // a folded value
	parts     []part // fields of the head that is being finished
	values    []byte // their values
	form      formPlace
	made      [4][]byte // buffers put together for the engine
	spill     [2][]byte // bytes to be read again
	spare     uint8
	stats     Stats
}

// Stats are counters of a Parser since its start.
type Stats struct {
	Requests     uint64
	Responses    uint64
	NoMemory     uint64 // pieces that found no room: a head or body is incomplete
	NoSlot       uint64 // a flow or transaction was not followed: Connections or Transactions are used up
	NoInflater   uint64 // a body stayed compressed: Inflaters are used up
	BadEncoding  uint64 // a body was no such compression; kept as it came
	OverLimit    uint64 // a line or head was larger than HeaderLimit or 64 KiB
	Desync       uint64 // a direction that makes no sense any more
	TxOverwhelms uint64 // transactions that gave way because a flow had PerFlow of them
}

// New makes a parser.
func New(cfg Config) *Parser {
	cfg.defaults()
	return &Parser{cfg: cfg, arena: cfg.Arena, conns: proto.NewRecords[conn](cfg.Flows, cfg.Connections)}
}

// Stats returns the counters.
func (p *Parser) Stats() Stats { return p.stats }

// Feed takes the next bytes of a direction of flow, and returns how many at the end of data it left: those that a client sends
// behind a CONNECT, until the proxy has answered, and those of both sides once it has agreed, see Tunnel. They are to be
// fed again.
func (p *Parser) Feed(flow uint32, dir proto.Dir, data []byte) (left int) {
	c := p.connOf(flow)
	if c == nil {
		return 0
	}
	w := &c.way[dir]
	w.fresh = false
	for turns, least := 0, len(data)+1; len(data) > 0 && !w.bad && w.state != tunnel; turns++ {
		if w.state == waiting || c.tunnel {
			return len(data)
		}
		if len(data) < least {
			turns, least = 0, len(data)
		}
		if turns > maxTurns {
			p.desync(w, nil)
		}
		if dir == proto.ToServer {
			data = p.request(c, w, data)
		} else {
			data = p.response(c, w, data)
		}
	}
	return 0
}

// Waits reports whether what the client of flow says next depends on the answer to its CONNECT.
func (p *Parser) Waits(flow uint32) bool {
	c := p.conns.Get(flow)
	return c != nil && c.way[proto.ToServer].state == waiting
}

// Tunnel reports whether a proxy agreed to a CONNECT: what follows on the connection is another protocol.
func (p *Parser) Tunnel(flow uint32) bool {
	c := p.conns.Get(flow)
	return c != nil && c.tunnel
}

// maxTurns is how often the machine may turn without taking a byte: looking ahead gives some back. A mistake in it must not hang a worker.
const maxTurns = 64

// Gap says that n bytes of a direction were lost. Within a body it goes on; elsewhere it ends the inspection of the direction.
func (p *Parser) Gap(flow uint32, dir proto.Dir, n uint64) bool {
	c := p.connOf(flow)
	if c == nil {
		return false
	}
	w := &c.way[dir]
	_, s := p.reading(w, dir)
	p.flushLayers(w, s, dir)
	p.endLayers(w) // what is compressed can't be read on
	switch {
	case w.bad || w.state == tunnel:
		return false
	case w.state == bodyClose:
	case (w.state == bodyKnown || w.state == chunkData) && n <= w.left:
		w.left -= n
		if w.left == 0 {
			p.bodyLeft(c, w, dir)
		}
	default:
		return p.desync(w, s)
	}
	if s != nil {
		s.total += n
		p.arena.Truncate(&s.body) // bytes on both sides of a hole are not neighbours
		s.bodyOff, s.inspected = s.total, s.total
	}
	return true
}

// desync ends a direction.
func (p *Parser) desync(w *way, s *side) bool {
	p.stats.Desync++
	w.bad = true
	if s != nil {
		s.complete = true
	}
	return false
}

// Close says that a direction has ended: what was waiting for more is complete now.
func (p *Parser) Close(flow uint32, dir proto.Dir) {
	c := p.conns.Get(flow)
	if c == nil {
		return
	}
	w := &c.way[dir]
	if w.closed {
		return
	}
	w.closed = true
	if !w.bad && w.state != tunnel {
		if dir == proto.ToServer {
			p.closeRequest(c, w)
		} else {
			p.closeResponse(c, w)
		}
	}
	t, s := p.reading(w, dir)
	p.flushLayers(w, s, dir)
	p.endLayers(w)
	p.arena.Free(&w.line)
	if t != nil && s.progress != NotStarted {
		s.progress, s.complete = Done, true
	}
}

// finish ends the message that w reads.
func (p *Parser) finish(w *way, dir proto.Dir) {
	t, s := p.reading(w, dir)
	p.flushLayers(w, s, dir)
	p.endLayers(w)
	if t != nil {
		s.progress, s.complete = Done, true
		if dir == proto.ToServer {
			p.stats.Requests++
		} else {
			p.stats.Responses++
		}
	}
	w.state, w.fresh = after, true
	p.arena.Free(&w.line)
}

// keepHead appends to a head, or ends the direction.
func (p *Parser) keepHead(w *way, s *side, data []byte) bool {
	if s.head.Len()+len(data) > maxHead {
		p.stats.OverLimit++
		return p.desync(w, s)
	}
	if !p.arena.Append(&s.head, data) {
		p.stats.NoMemory++
		return p.desync(w, s)
	}
	return true
}

// maxHead is the largest first line with all its fields: offsets have 16 bits.
const maxHead = 1<<16 - 1

// keepLine appends to w.line, or ends the direction.
func (p *Parser) keepLine(w *way, data []byte) bool {
	if w.line.Len()+len(data) > p.cfg.HeaderLimit {
		p.stats.OverLimit++
		w.bad = true
		return false
	}
	if !p.arena.Append(&w.line, data) {
		p.stats.NoMemory++
		w.bad = true
		return false
	}
	return true
}
