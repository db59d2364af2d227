package detect

import (
	"encoding/binary"
	"errors"
)

var errShort = errors.New("ids: state is cut short or contradicts itself")

// Append appends the flowbits of a flow.
func (b *Bits) Append(dst []byte) []byte {
	dst = append(dst, b.N)
	for _, id := range b.IDs[:b.N] {
		dst = binary.LittleEndian.AppendUint32(dst, id)
	}
	return dst
}

// Apply replaces the flowbits by what Append wrote at the beginning of data, and returns what follows.
func (b *Bits) Apply(data []byte) (rest []byte, err error) {
	*b = Bits{}
	if len(data) < 1 || data[0] > MaxBits || len(data) < 1+4*int(data[0]) {
		return data, errShort
	}
	b.N = data[0]
	for i := range b.IDs[:b.N] {
		b.IDs[i] = binary.LittleEndian.Uint32(data[1+4*i:])
	}
	return data[1+4*int(b.N):], nil
}

// AppendTx appends what is remembered of a transaction. Rules stand there by their ids, so that an engine with other rules can
// read it.
func (e *Engine) AppendTx(dst []byte, t *TxState) []byte {
	for d := range 2 {
		f := byte(0)
		for i, b := range [3]bool{t.started[d], t.Triggered[d], t.Done[d]} {
			if b {
				f |= 1 << i
			}
		}
		dst = binary.LittleEndian.AppendUint64(append(dst, f), t.scanned[d])
		at, n := len(dst), uint16(0)
		dst = append(dst, 0, 0)
		for i := t.head[d]; i > 0; i = e.records.all[i-1].next {
			r := &e.records.all[i-1]
			s := e.sigs[r.sig].Rule
			dst = binary.LittleEndian.AppendUint32(dst, s.GID)
			dst = binary.LittleEndian.AppendUint32(dst, s.SID)
			dst = binary.LittleEndian.AppendUint32(dst, r.mask)
			dst = append(dst, r.state)
			if n++; n == 1<<16-1 {
				break
			}
		}
		binary.LittleEndian.PutUint16(dst[at:], n)
	}
	return dst
}

// recordBytes is the size of one record as AppendTx writes it.
const recordBytes = 13

// ApplyTx replaces what is remembered of a transaction by what AppendTx wrote at the beginning of data, and returns what
// follows. Rules that this engine doesn't have are left out.
func (e *Engine) ApplyTx(data []byte, t *TxState) (rest []byte, err error) {
	e.Release(t)
	for d := range 2 {
		if len(data) < 11 {
			e.Release(t)
			return data, errShort
		}
		f := data[0]
		t.started[d], t.Triggered[d], t.Done[d] = f&1 != 0, f&2 != 0, f&4 != 0
		t.scanned[d] = binary.LittleEndian.Uint64(data[1:])
		n := int(binary.LittleEndian.Uint16(data[9:]))
		data = data[11:]
		if len(data) < n*recordBytes {
			e.Release(t)
			return data, errShort
		}
		for ; n > 0; n-- {
			num, ok := e.byID[uint64(binary.LittleEndian.Uint32(data))<<32|uint64(binary.LittleEndian.Uint32(data[4:]))]
			mask, state := binary.LittleEndian.Uint32(data[8:]), data[12]
			data = data[recordBytes:]
			if !ok || state > dead {
				continue
			}
			i := e.records.get()
			if i < 0 {
				e.stats.RecordsFull++
				continue
			}
			e.records.all[i] = record{sig: num, mask: mask, state: state, next: t.head[d]}
			t.head[d] = i + 1
		}
	}
	return data, nil
}

// tellTicks is how much work of a rule others are not told of: it travels when it is more, or with the rule's next match.
const tellTicks = 1_000_000

// AppendCounts appends the rules' counters, as far as they changed since the last call.
func (e *Engine) AppendCounts(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.counted)))
	for _, num := range e.counted {
		s := e.sigs[num]
		for _, v := range [...]uint64{
			uint64(s.Rule.GID), uint64(s.Rule.SID), s.Matches - s.sent[0], s.Bytes - s.sent[1],
			s.Work.Evaluations - s.told.Evaluations, s.Work.Ticks - s.told.Ticks, s.Work.Exhausted - s.told.Exhausted,
		} {
			dst = binary.AppendUvarint(dst, v)
		}
		s.sent, s.told, s.counted = [2]uint64{s.Matches, s.Bytes}, s.Work, false
	}
	e.counted = e.counted[:0]
	return dst
}

// ApplyCounts adds counters that another engine appended, and returns what follows.
func (e *Engine) ApplyCounts(data []byte) (rest []byte, err error) {
	n, k := binary.Uvarint(data)
	if k <= 0 || n > uint64(len(data)) {
		return data, errShort
	}
	data = data[k:]
	for ; n > 0; n-- {
		var v [7]uint64
		for i := range v {
			if v[i], k = binary.Uvarint(data); k <= 0 {
				return data, errShort
			}
			data = data[k:]
		}
		num, ok := e.byID[v[0]<<32|v[1]&0xffffffff]
		if !ok {
			continue
		}
		s := e.sigs[num]
		s.Matches, s.Bytes = s.Matches+v[2], s.Bytes+v[3]
		s.sent[0], s.sent[1] = s.sent[0]+v[2], s.sent[1]+v[3]
		for _, w := range [...]*Work{&s.Work, &s.told} {
			w.Evaluations, w.Ticks, w.Exhausted = w.Evaluations+v[4], w.Ticks+v[5], w.Exhausted+v[6]
		}
	}
	return data, nil
}

// count notes a match that counts.
func (e *Engine) count(s *Signature, bytes uint32) {
	s.Matches++
	s.Bytes += uint64(bytes)
	e.worked(s)
}

// worked has the counters of s travel.
func (e *Engine) worked(s *Signature) {
	if !s.counted {
		s.counted = true
		e.counted = append(e.counted, s.num)
	}
}
