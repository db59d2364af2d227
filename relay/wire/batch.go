package wire

// Sizes of a Batch's parts.
const (
	DescriptorSize = 8
	batchPrefix    = HeaderSize + 8                          // header and base time
	dataStart      = batchPrefix + MaxPackets*DescriptorSize // where a builder puts the packets' bytes
)

// MaxSpan is how much time, in ns, a batch spans at most when it is built. A descriptor could tell 65 ms; but flows expire and
// are limited between batches, so one that spans more than a burst would be judged differently than its packets one by one.
const MaxSpan = int64(10e6)

// UpperSize is how many bytes say what the first fragment of a datagram said of its upper layer.
const UpperSize = 8

// Upper is that: protocol, flags (1: there are ports, 2: there are ICMP type and code), source and destination port in network order, ICMP type and
// code. Of an ICMP echo the ports are its identifier.
type Upper [UpperSize]byte

// Flags of a packet's descriptor, in the four high bits of its first field.
const (
	descOutside = 1 << 12 // it arrived on the outside port
	descWhole   = 1 << 13 // all its bytes are carried
	descUpper   = 1 << 14 // UpperSize bytes stand before what is carried
	descSpare   = 1 << 15
)

// BatchBuilder makes one Batch frame at a time in memory of its own.
//
// Descriptors grow from the front and bytes from dataStart; sealing moves the descriptors, at most 2 KiB, up to the bytes.
type BatchBuilder struct {
	buf  []byte
	n    int
	end  int
	base int64
}

// NewBatchBuilder returns an empty builder.
func NewBatchBuilder() *BatchBuilder {
	// One byte more than a frame needs: the record layer puts its content type behind the last one for a moment.
	return &BatchBuilder{buf: make([]byte, dataStart+MaxBatch+1), end: dataStart}
}

// Len returns the number of packets in the batch.
func (b *BatchBuilder) Len() int { return b.n }

// Size returns the size of the frame so far; 0 while it is empty.
func (b *BatchBuilder) Size() int {
	if b.n == 0 {
		return 0
	}
	return batchPrefix + b.n*DescriptorSize + b.end - dataStart
}

// Full reports whether no packet of any size fits any more.
func (b *BatchBuilder) Full() bool { return b.n == MaxPackets || !b.fits(64) }

// Fits reports whether a packet of which carried bytes go along, received at now (ns since the Unix epoch), belongs
// into this batch. An empty batch takes every packet up to MaxPacket.
func (b *BatchBuilder) Fits(carried int, now int64) bool {
	if b.n == 0 {
		return carried <= MaxPacket
	}
	return b.n < MaxPackets && b.fits(carried) && now >= b.base && now-b.base <= MaxSpan
}

func (b *BatchBuilder) fits(carried int) bool {
	return batchPrefix+(b.n+1)*DescriptorSize+b.end-dataStart+carried <= MaxBatch
}

// Add copies a packet into the batch. Fits was asked before. wire is its length on the wire, at most MaxPacket and not
// below len(carried); whole says that carried is all of it.
func (b *BatchBuilder) Add(subflow uint16, outside bool, wire int, carried []byte, whole bool, now int64) {
	b.add(subflow, outside, wire, nil, carried, whole, now)
}

// AddFragment is Add for a fragment, with what its datagram's first one said. Fits was asked about UpperSize bytes more.
func (b *BatchBuilder) AddFragment(subflow uint16, outside bool, wire int, upper *Upper, carried []byte, whole bool, now int64) {
	b.add(subflow, outside, wire, upper[:], carried, whole, now)
}

func (b *BatchBuilder) add(subflow uint16, outside bool, wire int, upper, carried []byte, whole bool, now int64) {
	if b.n == 0 {
		b.base = max(now, 0) / 1000 * 1000 // whole microseconds, so that every packet's time is exact to the microsecond
	}
	first := subflow & (Subflows - 1)
	if outside {
		first |= descOutside
	}
	if whole {
		first |= descWhole
	}
	if upper != nil {
		first |= descUpper
		b.end += copy(b.buf[b.end:], upper)
	}
	at := batchPrefix + b.n*DescriptorSize
	d := b.buf[at : at+DescriptorSize]
	le.PutUint64(d, uint64(first)|uint64(uint16(wire))<<16|uint64(uint16(len(carried)))<<32|uint64(uint16((max(now, 0)-b.base)/1000))<<48)
	b.end += copy(b.buf[b.end:], carried)
	b.n++
}

// Seal completes the frame and empties the builder. The frame is valid until the next Add, and the byte behind it may
// be written to by the owner of the builder.
func (b *BatchBuilder) Seal(sequence uint32) []byte {
	head := batchPrefix + b.n*DescriptorSize
	size := b.Size()
	Header{Type: TypeBatch, Count: uint16(b.n), Length: uint32(size - HeaderSize), Sequence: sequence}.put(b.buf)
	le.PutUint64(b.buf[HeaderSize:], uint64(b.base))
	start := dataStart - head
	copy(b.buf[start:dataStart], b.buf[:head])
	frame := b.buf[start:b.end]
	b.n, b.end = 0, dataStart
	return frame
}

// Batch walks a Batch frame in place.
type Batch struct {
	Sequence uint32
	Packets  int
	base     int64
	desc     []byte
	data     []byte
}

// BatchPacket is one packet of a Batch.
type BatchPacket struct {
	Data    []byte // the bytes carried, inside the frame
	Time    int64  // when the gateway received it, ns since the Unix epoch, exact to the microsecond
	Wire    int    // its length on the wire
	Subflow uint16
	Outside bool   // it arrived on the outside port
	Whole   bool   // Data is all of it
	Upper   []byte // of a fragment: an Upper, inside the frame; nil where nothing is known of its datagram
}

// Parse checks the whole frame with header h, which ParseHeader accepted, and body.
func (b *Batch) Parse(h Header, body []byte) Fault {
	n := int(h.Count)
	switch {
	case n == 0 || n > MaxPackets:
		return FaultCount
	case h.Credit != 0:
		return FaultReserved
	case len(body) < 8+n*DescriptorSize:
		return FaultShort
	}
	b.Sequence, b.Packets = h.Sequence, n
	b.base = int64(le.Uint64(body))
	if b.base < 0 || b.base%1000 != 0 {
		return FaultTime
	}
	b.desc = body[8 : 8+n*DescriptorSize]
	b.data = body[8+n*DescriptorSize:]
	total := 0
	for d := b.desc; len(d) >= DescriptorSize; d = d[DescriptorSize:] {
		v := le.Uint64(d)
		wire, carried := int(uint16(v>>16)), int(uint16(v>>32))
		switch {
		case v&descSpare != 0:
			return FaultReserved
		case wire > MaxPacket:
			return FaultPacket
		case carried > wire, v&descWhole != 0 && carried != wire:
			return FaultCarried
		}
		total += carried
		if v&descUpper != 0 {
			total += UpperSize
		}
	}
	switch {
	case total > len(b.data):
		return FaultShort
	case total < len(b.data):
		return FaultTrailing
	}
	return FaultNone
}

// Next reads the next packet; false when there are no more. It consumes b.
func (b *Batch) Next(p *BatchPacket) bool {
	if len(b.desc) < DescriptorSize {
		return false
	}
	v := le.Uint64(b.desc)
	b.desc = b.desc[DescriptorSize:]
	carried := int(uint16(v >> 32))
	p.Upper = nil
	if v&descUpper != 0 {
		p.Upper = b.data[:UpperSize:UpperSize]
		b.data = b.data[UpperSize:]
	}
	p.Data = b.data[:carried:carried]
	b.data = b.data[carried:]
	p.Time = b.base + int64(v>>48)*1000
	p.Wire = int(uint16(v >> 16))
	p.Subflow = uint16(v) & (Subflows - 1)
	p.Outside = v&descOutside != 0
	p.Whole = v&descWhole != 0
	return true
}
