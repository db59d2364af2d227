package counter

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
)

// A delta is a version byte and five sections of unsigned varints:
//
//	cells      number, then index, packets, bytes of each
//	VLANs      number, then id, packets, bytes of each
//	sizes      seven numbers
//	rates      end of the running step; its packets and bytes by side; four averages as IEEE 754 doubles, bit-reversed
//	           so that round numbers are short; thresholds passed now, and to be cleared; how many were raised
//	top        number, then six words of the key, packets, bytes, error of each
const sharedVersion = 2

// topEvery is how often deltas carry the biggest flows, in ns of packet time. They are a ranking, and would otherwise double
// what a batch sends back; when a worker dies a second of them is lost. Everything else rides with every batch.
const topEvery = int64(1e9)

var errShared = errors.New("not a delta of this counter")

// AppendShared appends what was counted since the last call.
func (c *Counter) AppendShared(dst []byte) []byte {
	if len(c.cells.touched) == 0 {
		return dst
	}
	dst = append(dst, sharedVersion)
	dst = put(dst, uint64(len(c.cells.touched)))
	for _, i := range c.cells.touched {
		dst = putCount(dst, uint64(i), c.cells.pending[i])
		c.cells.total[i].add(c.cells.pending[i])
		c.cells.pending[i] = count{}
	}
	c.cells.touched = c.cells.touched[:0]
	if c.vlans == nil {
		dst = put(dst, 0)
	} else {
		dst = put(dst, uint64(len(c.vlans.touched)))
		for _, id := range c.vlans.touched {
			dst = putCount(dst, uint64(id), c.vlans.pending[id])
			c.vlans.total[id].add(c.vlans.pending[id])
			c.vlans.pending[id] = count{}
		}
		c.vlans.touched = c.vlans.touched[:0]
	}
	for i := range c.sizes.pending {
		dst = put(dst, c.sizes.pending[i])
		c.sizes.total[i] += c.sizes.pending[i]
		c.sizes.pending[i] = 0
	}
	r := &c.rate
	now := r.step()
	var avg [4]float64
	for i := range avg {
		avg[i] = r.avg[i] - r.sent[i]
		now[i] -= r.sentStep[i]
	}
	r.sent, r.sentStep = r.avg, r.step()
	dst = putRate(dst, r.next, now, avg)
	dst = put(put(put(dst, c.limits.passed&^c.limits.sent), c.limits.sent&^c.limits.passed), c.limits.unsentRaised())
	c.limits.sent, c.limits.sentRaised = c.limits.passed, c.limits.raised
	if c.top == nil || r.next < c.top.nextOut {
		return put(dst, 0)
	}
	c.top.nextOut = r.next + topEvery
	dst = put(dst, uint64(len(c.top.dirty)))
	for _, n := range c.top.dirty {
		e := &c.top.entries[n]
		dst = putTop(dst, &e.key, count{e.packets - e.sent.Packets, e.bytes - e.sent.Bytes}, 0)
		e.sent, e.listed = count{e.packets, e.bytes}, false
	}
	c.top.dirty = c.top.dirty[:0]
	return dst
}

// ApplyShared adds what another instance counted. Data that is cut or out of range is refused before any of it counts.
func (c *Counter) ApplyShared(data []byte) error {
	dry := reader{data: data}
	if !c.read(&dry, false) {
		return errShared
	}
	wet := reader{data: data}
	c.read(&wet, true)
	return nil
}

// read goes through a delta, and adds it if add is set.
func (c *Counter) read(r *reader, add bool) bool {
	if len(r.data) == 0 || r.data[0] != sharedVersion {
		return false
	}
	r.data = r.data[1:]
	for n := r.get(); n > 0 && !r.bad; n-- {
		i, x := r.get(), count{r.get(), r.get()}
		if i >= numCells || i>>8&3 > uint64(packet.IPv6) {
			return false
		}
		if add {
			c.cells.total[i].add(x)
			c.limits.seen.add(x)
		}
	}
	for n := r.get(); n > 0 && !r.bad; n-- {
		id, x := r.get(), count{r.get(), r.get()}
		if id >= 4096 {
			return false
		}
		if add {
			if c.vlans == nil {
				c.vlans = new(vlans)
			}
			c.vlans.total[id].add(x)
		}
	}
	for i := range c.sizes.total {
		if x := r.get(); add {
			c.sizes.total[i] += x
		}
	}
	next := int64(r.get())
	var now [4]uint64
	var avg [4]float64
	for i := range now {
		now[i] = r.get()
	}
	for i := range avg {
		avg[i] = math.Float64frombits(bits.Reverse64(r.get()))
		if math.IsNaN(avg[i]) || math.Abs(avg[i]) > 1e18 {
			return false
		}
	}
	if next < 0 || next%step != 0 {
		return false
	}
	set, cleared, raised := r.get(), r.get(), r.get()
	if add && next > 0 {
		c.rate.merge(next, avg, now)
	}
	if add {
		c.limits.passed = c.limits.passed&^cleared | set
		c.limits.sent = c.limits.passed
		c.limits.raised += raised
		c.limits.sentRaised += raised
	}
	for n := r.get(); n > 0 && !r.bad; n-- {
		var k packet.Key
		for i := range k {
			k[i] = r.get()
		}
		x, e := count{r.get(), r.get()}, r.get()
		if add && c.top != nil && x.Packets > 0 {
			c.top.merge(&k, x, e)
		}
	}
	return !r.bad && len(r.data) == 0
}

func (t *top) merge(key *packet.Key, x count, err uint64) {
	e := &t.entries[t.find(key)]
	e.bytes += x.Bytes
	e.packets += x.Packets
	e.sent.add(x)
	e.err += err
}

func put(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func putCount(dst []byte, i uint64, c count) []byte {
	return put(put(put(dst, i), c.Packets), c.Bytes)
}

func putRate(dst []byte, next int64, now [4]uint64, avg [4]float64) []byte {
	dst = put(dst, uint64(next))
	for _, x := range now {
		dst = put(dst, x)
	}
	for _, x := range avg {
		dst = put(dst, bits.Reverse64(math.Float64bits(x)))
	}
	return dst
}

func putTop(dst []byte, key *packet.Key, c count, err uint64) []byte {
	for _, w := range key {
		dst = put(dst, w)
	}
	return put(put(put(dst, c.Packets), c.Bytes), err)
}

// reader takes varints; past the end it gives zeros and is bad.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) get() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad = true
		r.data = nil
		return 0
	}
	r.data = r.data[n:]
	return v
}
