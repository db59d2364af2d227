package ids

import (
	"encoding/binary"
	"errors"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// stateVersion changes with the encoding of a flow.
const stateVersion = 6

// ofFragments stands in place of a flow's flags where datagrams follow that wait for fragments: they are all there is to a flow
// of fragments, whose key has no ports.
const ofFragments = 1 << 15

// strikesAt is where three bits of the flags begin.
const strikesAt = 11

var errState = errors.New("ids: the state of a flow is cut short or contradicts itself")

// StateVersion implements nf.FlowState.
func (n *IDS) StateVersion() uint16 { return stateVersion }

// AppendFlow implements nf.FlowState: the flow's record, the stream, the parser, the transactions' rules.
func (n *IDS) AppendFlow(dst []byte, handle uint32) []byte {
	f := &n.flows[handle]
	if !f.used {
		head := len(dst)
		dst = binary.LittleEndian.AppendUint16(dst, ofFragments)
		body := len(dst)
		if dst = n.frags.AppendState(handle, dst); len(dst) == body {
			return dst[:head]
		}
		return dst
	}
	dst = binary.LittleEndian.AppendUint16(dst, f.flags())
	dst = binary.LittleEndian.AppendUint64(dst, f.txs)
	dst = f.app.AppendState(dst)
	dst = f.bits.Append(dst)
	dst = f.ints.Append(dst)
	dst = f.counts.Append(dst)
	dst, at := begin(dst)
	dst = n.streams.AppendState(handle, dst)
	end(dst, at)
	dst, at = begin(dst)
	switch f.app.Proto {
	case proto.HTTP:
		dst = n.http.AppendState(handle, dst)
	case proto.TLS:
		dst = n.tls.AppendState(handle, dst)
	case proto.DNS:
		dst = n.dns.AppendState(handle, dst)
	}
	end(dst, at)
	switch f.app.Proto {
	case proto.HTTP:
		for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
			dst = n.engine.AppendTx(dst, n.httpState(slot))
		}
	case proto.TLS:
		dst = n.engine.AppendTx(dst, &n.tlsTx[handle])
	}
	return dst
}

// begin leaves room for the length of what follows, and end fills it in.
func begin(dst []byte) ([]byte, int) { return append(dst, 0, 0, 0, 0), len(dst) }

func end(dst []byte, at int) { binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) }

func (f *flow) flags() (x uint16) {
	for i, b := range [...]bool{f.reverse, f.dropped, f.passed, f.seen[0], f.seen[1], f.first[0], f.first[1], f.tracked, f.closed, f.known[0], f.known[1]} {
		if b {
			x |= 1 << i
		}
	}
	return x | uint16(f.strikes)<<strikesAt
}

func (f *flow) setFlags(x uint16) {
	for i, b := range [...]*bool{&f.reverse, &f.dropped, &f.passed, &f.seen[0], &f.seen[1], &f.first[0], &f.first[1], &f.tracked, &f.closed, &f.known[0], &f.known[1]} {
		*b = x>>i&1 != 0
	}
	f.strikes = min(uint8(x>>strikesAt&7), detect.MaxStrikes)
}

// ApplyFlow implements nf.FlowState.
func (n *IDS) ApplyFlow(handle uint32, data []byte) error {
	n.forget(handle)
	if len(data) == 0 {
		return nil
	}
	if err := n.applyFlow(handle, data); err != nil {
		n.flows[handle].used = true
		n.forget(handle)
		return err
	}
	return nil
}

func (n *IDS) applyFlow(handle uint32, data []byte) (err error) {
	if len(data) >= 2 && binary.LittleEndian.Uint16(data) == ofFragments {
		if !n.frags.ApplyState(handle, data[2:]) {
			return errState
		}
		return nil
	}
	if len(data) < 10 {
		return errState
	}
	f := n.newFlow(handle)
	f.txs = binary.LittleEndian.Uint64(data[2:])
	f.setFlags(binary.LittleEndian.Uint16(data))
	if f.tracked && !n.inline {
		f.last = n.table.Seen(handle)
		n.quiet.spoke(handle)
	}
	var ok bool
	if data, ok = f.app.ApplyState(data[10:]); !ok {
		return errState
	}
	if data, err = f.bits.Apply(data); err != nil {
		return err
	}
	if data, err = f.ints.Apply(data); err != nil {
		return err
	}
	if data, err = f.counts.Apply(data); err != nil {
		return err
	}
	stream, data, ok := part(data)
	if !ok || len(stream) > 0 && !n.streams.ApplyState(handle, stream) {
		return errState
	}
	parser, data, ok := part(data)
	if !ok {
		return errState
	}
	if len(parser) > 0 {
		switch f.app.Proto {
		case proto.HTTP:
			ok = n.http.ApplyState(handle, parser)
		case proto.TLS:
			ok = n.tls.ApplyState(handle, parser)
		case proto.DNS:
			ok = n.dns.ApplyState(handle, parser)
		default:
			ok = false
		}
		if !ok {
			return errState
		}
	}
	return n.applyTxs(handle, f, data)
}

func (n *IDS) applyTxs(handle uint32, f *flow, data []byte) (err error) {
	switch f.app.Proto {
	case proto.HTTP:
		for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
			if data, err = n.engine.ApplyTx(data, n.httpState(slot)); err != nil {
				return err
			}
		}
	case proto.TLS:
		data, err = n.engine.ApplyTx(data, &n.tlsTx[handle])
	}
	if err == nil && len(data) > 0 {
		err = errState
	}
	return err
}

// part cuts what begin and end enclosed off the beginning of data.
func part(data []byte) (inner, rest []byte, ok bool) {
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, data, false
	}
	k := 4 + int(binary.LittleEndian.Uint32(data))
	return data[4:k], data[k:], true
}

// ForgetFlow implements nf.FlowState.
func (n *IDS) ForgetFlow(handle uint32) { n.forget(handle) }

// AppendShared implements nf.SharedState: counters, rules' counters, thresholds.
func (n *IDS) AppendShared(dst []byte) []byte {
	start := len(dst)
	total := n.totals()
	for i, v := range total {
		dst = binary.AppendUvarint(dst, v-n.sent[i])
		n.sent[i] = v
	}
	empty := len(dst)-start == len(total) && !nonZero(dst[start:])
	counts := len(dst)
	dst = n.engine.AppendCounts(dst)
	dst = n.engine.AppendXBits(dst)
	limits := len(dst)
	dst = n.engine.AppendLimits(dst)
	if empty && limits-counts == 2 && len(dst) == limits {
		return dst[:start]
	}
	return dst
}

func nonZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}

// ApplyShared implements nf.SharedState.
func (n *IDS) ApplyShared(data []byte) error {
	var add counters
	for i := range add {
		v, k := binary.Uvarint(data)
		if k <= 0 {
			return errState
		}
		add[i], data = v, data[k:]
	}
	data, err := n.engine.ApplyCounts(data)
	if err != nil {
		return err
	}
	if data, err = n.engine.ApplyXBits(data); err != nil {
		return err
	}
	if err := n.engine.ApplyLimits(data); err != nil {
		return err
	}
	for i, v := range add {
		n.inherited[i] += v
		n.sent[i] += v // whoever counted it has told the others
	}
	return nil
}
