package tls

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// stateVersion is the first byte of an exported flow; a change of what follows changes it.
const stateVersion = 1

// headState is the length of what stands before the two directions.
const headState = 1 + 6 + 16 + 4

// AppendState appends what is known of flow, as versioned bytes, to b; nothing if nothing is known. It is at most two handshake
// messages with their certificates twice.
func (p *Parser) AppendState(flow uint32, b []byte) []byte {
	c := p.conns.Get(flow)
	if c == nil {
		return b
	}
	le := binary.LittleEndian
	b = append(b, stateVersion)
	b = le.AppendUint16(b, uint16(c.Seen))
	b = le.AppendUint16(le.AppendUint16(b, c.ClientVersion), c.ServerVersion)
	b = le.AppendUint64(le.AppendUint64(b, uint64(c.NotBefore)), uint64(c.NotAfter))
	b = le.AppendUint32(b, uint32(c.Chain))
	for d := range c.half {
		h := &c.half[d]
		b = le.AppendUint16(b, c.RecordVersion[d])
		b = append(b, flag(c.Done[d])|flag(h.started)<<1|flag(h.skip)<<2|flag(h.hasRandom)<<3, h.n)
		b = append(append(b, h.head[:]...), h.random[:]...)
		b = le.AppendUint32(b, h.left)
		for _, s := range h.items {
			b = le.AppendUint32(le.AppendUint32(b, s.from), s.to)
		}
		for _, v := range [...][]byte{p.arena.Bytes(h.message), p.arena.Bytes(h.values), p.arena.Bytes(h.certs)} {
			b = append(le.AppendUint32(b, uint32(len(v))), v...)
		}
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// ApplyState replaces what is known of flow by what AppendState wrote, and reports whether that was well-formed and fitted.
func (p *Parser) ApplyState(flow uint32, state []byte) bool {
	p.Forget(flow)
	if len(state) < headState || state[0] != stateVersion {
		return false
	}
	c := p.connOf(flow)
	if c == nil || !p.apply(c, state[1:]) {
		p.Forget(flow)
		return false
	}
	return true
}

func (p *Parser) apply(c *conn, b []byte) bool {
	le := binary.LittleEndian
	c.Seen, c.ClientVersion, c.ServerVersion = Seen(le.Uint16(b)), le.Uint16(b[2:]), le.Uint16(b[4:])
	c.NotBefore, c.NotAfter = int64(le.Uint64(b[6:])), int64(le.Uint64(b[14:]))
	c.Chain = int(le.Uint32(b[22:]))
	b = b[headState-1:]
	for d := range c.half {
		h := &c.half[d]
		const fixed = 2 + 2 + 5 + 32 + 4 + 8*int(numItems)
		if len(b) < fixed {
			return false
		}
		c.RecordVersion[d] = le.Uint16(b)
		c.Done[d], h.started, h.skip, h.hasRandom = b[2]&1 != 0, b[2]&2 != 0, b[2]&4 != 0, b[2]&8 != 0
		h.n = b[3]
		copy(h.head[:], b[4:9])
		copy(h.random[:], b[9:41])
		h.left = le.Uint32(b[41:])
		for i := range h.items {
			h.items[i] = span{le.Uint32(b[45+8*i:]), le.Uint32(b[49+8*i:])}
		}
		b = b[fixed:]
		if h.n > 4 || h.left > 1<<16 {
			return false
		}
		for i := range 3 {
			if len(b) < 4 || uint64(le.Uint32(b)) > uint64(len(b)-4) {
				return false
			}
			n := le.Uint32(b)
			if !p.arena.Append([...]*arena.Buf{&h.message, &h.values, &h.certs}[i], b[4:4+n]) {
				return false
			}
			b = b[4+n:]
		}
		for _, s := range h.items {
			if s.from > s.to || int(s.to) > h.values.Len() {
				return false
			}
		}
	}
	return len(b) == 0
}
