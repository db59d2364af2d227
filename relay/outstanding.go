package relay

// outstanding holds what was given to a connection and has not been answered, in order: the caller's references, and
// which batch each belongs to. Both rings are of fixed size.
type outstanding struct {
	refs    []uint64 // ring of a power of two
	head    uint32   // oldest without a verdict
	tail    uint32   // where the next one goes
	sealed  uint32   // those before it are in a sealed batch
	batches []sentBatch
	first   uint32 // oldest sealed batch without a result
	next    uint32
	bytes   int // of the frames of sealed batches without a result
}

type sentBatch struct {
	sequence uint32
	packets  uint32
	bytes    uint32
	oldest   int64
}

func newOutstanding(refs, batches int) outstanding {
	return outstanding{refs: make([]uint64, refs), batches: make([]sentBatch, batches)}
}

func (o *outstanding) refMask() uint32   { return uint32(len(o.refs) - 1) }
func (o *outstanding) batchMask() uint32 { return uint32(len(o.batches) - 1) }

// room reports whether a packet, and the up to two batches that adding it may seal, can be noted.
func (o *outstanding) room() bool {
	return int(o.tail-o.head) < len(o.refs) && int(o.next-o.first)+2 <= len(o.batches)
}

func (o *outstanding) add(ref uint64) {
	o.refs[o.tail&o.refMask()] = ref
	o.tail++
}

// seal notes that the references added since the last seal went out as one batch.
func (o *outstanding) seal(sequence uint32, bytes int, oldest int64) {
	o.batches[o.next&o.batchMask()] = sentBatch{sequence, o.tail - o.sealed, uint32(bytes), oldest}
	o.next++
	o.sealed = o.tail
	o.bytes += bytes
}

// oldest returns the oldest batch without a result; nil if there is none.
func (o *outstanding) oldest() *sentBatch {
	if o.first == o.next {
		return nil
	}
	return &o.batches[o.first&o.batchMask()]
}

// run returns the next references without a verdict, n at most, as far as they stand in one piece.
func (o *outstanding) run(n int) []uint64 {
	at := int(o.head & o.refMask())
	return o.refs[at:min(at+n, len(o.refs))]
}

// answered forgets the n oldest references.
func (o *outstanding) answered(n int) { o.head += uint32(n) }

// completed forgets the oldest batch.
func (o *outstanding) completed() {
	o.bytes -= int(o.batches[o.first&o.batchMask()].bytes)
	o.first++
}

func (o *outstanding) each(f func(ref uint64)) {
	for i := o.head; i != o.tail; i++ {
		f(o.refs[i&o.refMask()])
	}
}
