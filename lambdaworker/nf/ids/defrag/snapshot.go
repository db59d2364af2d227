package defrag

import "encoding/binary"

// stateVersion is the first byte of what AppendState writes; a change of what follows changes it.
const stateVersion = 1

// maxState is how many bytes of a flow's datagrams move. Two hosts with more than that under way lose the oldest.
const maxState = 128 << 10

// A datagram's bytes, little-endian: addresses, id, VLAN ids, flags (1 IPv6, 2 has a head), protocol, time of the first fragment,
// length + 1, l3, next, patch, length of the head, number of fragments; the head; each fragment's from and to with those of its bytes that
// no fragment before it had.
const datagramState = 16 + 16 + 4 + 4 + 1 + 1 + 8 + 4 + 2 + 1 + 2 + 2 + 2

// AppendState appends what is known of the datagrams of flow, as versioned bytes, to b; nothing if none waits.
func (d *Defragmenter) AppendState(flow uint32, b []byte) []byte {
	i := d.of[flow]
	if i == 0 {
		return b
	}
	b = append(b, stateVersion)
	size := d.size(i)
	for d.all[i-1].below != 0 && size+d.size(d.all[i-1].below) <= maxState {
		i = d.all[i-1].below
		size += d.size(i)
	}
	for ; i != 0; i = d.all[i-1].above {
		b = d.appendDatagram(&d.all[i-1], b)
	}
	return b
}

// size is an upper bound of the bytes that record i - 1 takes.
func (d *Defragmenter) size(i uint32) int {
	g := &d.all[i-1]
	return datagramState + g.head.Len() + 4*g.count + g.data.Len()
}

func (d *Defragmenter) appendDatagram(g *datagram, b []byte) []byte {
	le := binary.LittleEndian
	b = append(append(b, g.key.a[:]...), g.key.b[:]...)
	b = le.AppendUint32(b, g.key.id)
	b = le.AppendUint16(le.AppendUint16(b, g.key.vlan[0]), g.key.vlan[1])
	flags := byte(0)
	if g.key.v6 {
		flags |= 1
	}
	if g.hasHead {
		flags |= 2
	}
	b = append(b, flags, g.key.prot)
	b = le.AppendUint64(b, uint64(g.began))
	b = le.AppendUint32(b, uint32(g.total+1))
	b = append(le.AppendUint16(b, g.l3), g.next)
	b = le.AppendUint16(b, g.patch)
	b = le.AppendUint16(b, uint16(g.head.Len()))
	b = le.AppendUint16(b, uint16(g.count))
	b = append(b, d.arena.Bytes(g.head)...)
	data, edge := d.arena.Bytes(g.data), 0
	for k := g.first; k != 0; k = d.pool[k-1].next {
		f := &d.pool[k-1]
		b = le.AppendUint16(le.AppendUint16(b, uint16(f.from)), uint16(f.to))
		if f.to > edge {
			b = append(b, data[max(edge, f.from):f.to]...)
			edge = f.to
		}
	}
	return b
}

// ApplyState replaces the datagrams of flow by those that AppendState wrote. It reports false, and forgets them all, if state is not
// well-formed or there is no room.
func (d *Defragmenter) ApplyState(flow uint32, state []byte) bool {
	d.Forget(flow)
	if len(state) < 2 || state[0] != stateVersion {
		return false
	}
	ok := true
	for state = state[1:]; ok && len(state) > 0; {
		state, ok = d.applyDatagram(flow, state)
	}
	if !ok {
		d.Forget(flow)
	}
	return ok
}

func (d *Defragmenter) applyDatagram(flow uint32, b []byte) (rest []byte, ok bool) {
	if len(b) < datagramState {
		return b, false
	}
	le := binary.LittleEndian
	var k key
	copy(k.a[:], b)
	copy(k.b[:], b[16:])
	k.id, k.vlan = le.Uint32(b[32:]), [2]uint16{le.Uint16(b[36:]), le.Uint16(b[38:])}
	k.v6, k.prot = b[40]&1 != 0, b[41]
	if i := d.find(&k); i != 0 {
		d.drop(i)
	}
	i := d.begin(flow, &k, int64(le.Uint64(b[42:])))
	g := &d.all[i-1]
	g.hasHead, g.total = b[40]&2 != 0, int(le.Uint32(b[50:]))-1
	g.l3, g.next, g.patch = le.Uint16(b[54:]), b[56], le.Uint16(b[57:])
	head, count := int(le.Uint16(b[59:])), int(le.Uint16(b[61:]))
	b = b[datagramState:]
	if head > len(b) || g.total > 0xffff || count > maxPerDatagram || !g.soundHead(b[:head]) || !d.arena.Append(&g.head, b[:head]) {
		return b, false
	}
	b = b[head:]
	last, edge := uint32(0), 0
	for from := 0; count > 0; count-- {
		if len(b) < 4 || d.freeFragment == 0 {
			return b, false
		}
		to, before := int(le.Uint16(b[2:])), from
		from = int(le.Uint16(b))
		b = b[4:]
		if from < before || from >= to || g.total >= 0 && to > g.total {
			return b, false
		}
		if to > edge {
			at := max(edge, from)
			if to-at > len(b) || !d.arena.Resize(&g.data, to) {
				return b, false
			}
			b = b[copy(d.arena.Bytes(g.data)[at:], b[:to-at]):]
			edge = to
		}
		last = d.link(g, last, from, to)
	}
	return b, true
}

// soundHead reports whether b can be the head of g: whole slices by what g says of it.
func (g *datagram) soundHead(b []byte) bool {
	if !g.hasHead {
		return len(b) == 0
	}
	at := int(g.l3)
	if g.key.v6 {
		return at+40 <= len(b) && int(g.patch) < len(b)
	}
	return at+20 <= len(b) && int(b[at]&15) >= 5 && at+int(b[at]&15)*4 <= len(b)
}
