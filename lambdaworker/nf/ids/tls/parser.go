package tls

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// Config is how a Parser works. The zero value of every field but Flows and Arena stands for its default, in parentheses.
type Config struct {
	Flows          int          // handles are below it
	Arena          *arena.Arena // where handshakes are kept
	Connections    int          // flows followed at once (Flows)
	HandshakeLimit int          // bytes of one handshake message (65536)
}

// Stats are counters of a Parser since its start.
type Stats struct {
	Hellos   uint64
	Certs    uint64
	BadCert  uint64 // certificates that are no well-formed X.509
	Desync   uint64 // directions that make no sense any more
	NoMemory uint64
	NoSlot   uint64
}

// Parser follows the TLS of many flows. It is used by one goroutine.
type Parser struct {
	cfg   Config
	arena *arena.Arena
	conns proto.Records[conn]
	text  []byte // what a value is put together in
	stats Stats
}

// conn is a flow that is followed.
type conn struct {
	State
	half [2]half
}

// half is what is known of one direction.
type half struct {
	head      [5]byte // of the record that is being read
	n         uint8   // of its bytes
	left      uint32  // bytes of the record still to come
	started   bool
	skip      bool // the record is passed over
	hasRandom bool
	random    [32]byte
	message   arena.Buf // handshake bytes that are no whole message yet
	values    arena.Buf // what buffers hold; items say where
	items     [numItems]span
	certs     arena.Buf // the certificates of a Certificate message, each behind three bytes of length
}

type span struct{ from, to uint32 }

// item is a value kept in half.values. Those of many parts hold each behind two bytes of length.
type item uint8

const (
	itemSNI item = iota
	itemALPN
	itemSubject
	itemIssuer
	itemSerial
	itemFingerprint
	itemSAN
	itemJA3
	itemJA3Hash
	itemJA4
	numItems
)

// New makes a parser.
func New(cfg Config) *Parser {
	if cfg.Connections == 0 {
		cfg.Connections = cfg.Flows
	}
	if cfg.HandshakeLimit == 0 {
		cfg.HandshakeLimit = 1 << 16
	}
	return &Parser{cfg: cfg, arena: cfg.Arena, conns: proto.NewRecords[conn](cfg.Flows, cfg.Connections)}
}

// Stats returns the counters.
func (p *Parser) Stats() Stats { return p.stats }

// connOf returns the conn of flow, made if there is room.
func (p *Parser) connOf(flow uint32) *conn {
	c := p.conns.Get(flow)
	if c == nil {
		if c = p.conns.Make(flow); c == nil {
			p.stats.NoSlot++
		}
	}
	return c
}

// State lends what is known of a flow, nil if that is nothing.
func (p *Parser) State(flow uint32) *State {
	if c := p.conns.Get(flow); c != nil {
		return &c.State
	}
	return nil
}

// Forget drops all that is known of a flow.
func (p *Parser) Forget(flow uint32) {
	c := p.conns.Get(flow)
	if c == nil {
		return
	}
	for d := range c.half {
		h := &c.half[d]
		for _, b := range [...]*arena.Buf{&h.message, &h.values, &h.certs} {
			p.arena.Free(b)
		}
	}
	p.conns.Drop(flow)
}

// Gap says that n bytes of a direction were lost: its inspection ends.
func (p *Parser) Gap(flow uint32, dir proto.Dir, n uint64) bool {
	if c := p.connOf(flow); c != nil {
		p.done(c, dir)
	}
	return false
}

// done ends the inspection of a direction; what was begun is dropped.
func (p *Parser) done(c *conn, dir proto.Dir) {
	c.Done[dir] = true
	p.arena.Free(&c.half[dir].message)
	if c.Done[0] && c.Done[1] {
		c.Seen |= Encrypted
	}
}

// Record types (RFC 8446 section 5.1, RFC 6520).
const (
	changeCipherSpec = 20
	alert            = 21
	handshake        = 22
	applicationData  = 23
	heartbeat        = 24
)

// Feed takes the next bytes of a direction of flow. It reports false when that direction is not inspected any further.
func (p *Parser) Feed(flow uint32, dir proto.Dir, data []byte) bool {
	c := p.connOf(flow)
	if c == nil {
		return false
	}
	h := &c.half[dir]
	for len(data) > 0 && !c.Done[dir] {
		if h.left == 0 {
			n := copy(h.head[h.n:], data)
			h.n += uint8(n)
			data = data[n:]
			if h.n == 5 {
				h.n = 0
				p.record(c, h, dir)
			}
			continue
		}
		n := min(int(h.left), len(data))
		h.left -= uint32(n)
		if !h.skip {
			p.handshakeBytes(c, h, dir, data[:n])
		}
		data = data[n:]
	}
	return !c.Done[dir]
}

// record begins a record whose header is whole.
func (p *Parser) record(c *conn, h *half, dir proto.Dir) {
	first := !h.started
	h.started = true
	if first && dir == proto.ToServer && h.head[0]&0x80 != 0 && h.head[2] == 1 { // SSL 2.0: two bytes of length, of which three are read
		size := uint32(h.head[0]&0x7f)<<8 | uint32(h.head[1])
		c.Seen |= SSLv2 | ClientHello
		c.ClientVersion = binary.BigEndian.Uint16(h.head[3:])
		if size <= 3 {
			p.desync(c, dir)
			return
		}
		h.left, h.skip = size-3, true
		return
	}
	kind, version := h.head[0], binary.BigEndian.Uint16(h.head[1:])
	if version>>8 != 3 || kind < changeCipherSpec || kind > heartbeat {
		p.desync(c, dir)
		return
	}
	c.RecordVersion[dir] = version
	h.left, h.skip = uint32(binary.BigEndian.Uint16(h.head[3:])), kind != handshake
	switch kind {
	case changeCipherSpec, applicationData:
		if dir == proto.ToServer {
			c.Seen |= ClientCipher
		} else {
			c.Seen |= ServerCipher
		}
		p.done(c, dir)
	case alert:
		c.Seen |= Alert
	case heartbeat:
		c.Seen |= Heartbeat
	}
}

func (p *Parser) desync(c *conn, dir proto.Dir) {
	p.stats.Desync++
	p.done(c, dir)
}

// handshakeBytes takes bytes of handshake records and reads the messages that are whole (RFC 8446 section 4: a type, three bytes of length).
func (p *Parser) handshakeBytes(c *conn, h *half, dir proto.Dir, b []byte) {
	if !p.arena.Append(&h.message, b) {
		p.stats.NoMemory++
		p.done(c, dir)
		return
	}
	for !c.Done[dir] {
		m := p.arena.Bytes(h.message)
		if len(m) < 4 {
			break
		}
		size := 4 + (int(m[1])<<16 | int(m[2])<<8 | int(m[3]))
		if size > p.cfg.HandshakeLimit {
			p.desync(c, dir)
			return
		}
		if len(m) < size {
			break
		}
		p.messageWhole(c, h, dir, m[0], m[4:size])
		p.arena.Cut(&h.message, size)
	}
	if h.message.Len() == 0 {
		p.arena.Free(&h.message)
	}
}

// Handshake message types (RFC 8446 section 4, RFC 5246 section 7.4).
const (
	clientHello     = 1
	serverHello     = 2
	certificate     = 11
	serverHelloDone = 14
	clientKeyX      = 16
)

func (p *Parser) messageWhole(c *conn, h *half, dir proto.Dir, kind byte, m []byte) {
	switch kind {
	case clientHello:
		if dir == proto.ToServer && c.Seen&ClientHello == 0 {
			c.Seen |= ClientHello
			p.stats.Hellos++
			p.clientHello(c, h, m)
		}
	case serverHello:
		if dir == proto.ToClient && c.Seen&ServerHello == 0 {
			c.Seen |= ServerHello
			p.stats.Hellos++
			p.serverHello(c, h, m)
		}
	case certificate:
		seen := ServerCert
		if dir == proto.ToServer {
			seen = ClientCert
		}
		if c.Seen&seen == 0 {
			p.certificates(c, h, dir, m)
			c.Seen |= seen
		}
	case serverHelloDone:
		c.Seen |= ServerDone
	case clientKeyX:
		c.Seen |= ClientKeyX
	}
}

// keep makes v the value of an item.
func (p *Parser) keep(h *half, i item, v []byte) {
	from := h.values.Len()
	if len(v) == 0 {
		return
	}
	if !p.arena.Append(&h.values, v) {
		p.stats.NoMemory++
		return
	}
	h.items[i] = span{uint32(from), uint32(from + len(v))}
}
