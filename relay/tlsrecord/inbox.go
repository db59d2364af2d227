package tlsrecord

// Inbox is the memory between a socket and whoever reads frames. Records are decrypted from one buffer into the other,
// where the content of one joins up with that of the next, so frames are read in place whatever records they came in.
//
//	for { n := read(fd, in.Space()); in.Filled(n); for whole frames in in.Bytes() { ...; in.Consume(size) } }
type Inbox struct {
	open     *Opener
	raw      []byte // as it came from the socket; nil where there is no TLS
	rawStart int
	rawEnd   int
	plain    []byte
	start    int
	end      int
	received uint64
	records  uint64
}

// NewInbox makes an inbox for frames of up to frame bytes, longer ones once Need was called, read from the socket in gulps
// of up to gulp bytes.
func NewInbox(o *Opener, frame, gulp int) *Inbox {
	gulp = max(gulp, 2*maxRecord)
	b := &Inbox{open: o, plain: make([]byte, frame+gulp)}
	if o.aead != nil {
		b.raw = make([]byte, gulp)
	}
	return b
}

// Need makes room for a frame of n bytes, of which the beginning is in Bytes. Bytes is another slice afterwards. It
// allocates, once, if there never was a frame as long.
func (b *Inbox) Need(n int) {
	gulp := len(b.raw)
	if b.raw == nil {
		gulp = 2 * maxRecord
	}
	if len(b.plain) >= n+gulp {
		return
	}
	plain := make([]byte, n+gulp)
	b.end = copy(plain, b.plain[b.start:b.end])
	b.start = 0
	b.plain = plain
}

// Space returns where the next bytes from the socket go; it is never empty if every whole frame has been consumed.
// What Bytes returned before is no longer valid.
func (b *Inbox) Space() []byte {
	if b.start > 0 {
		// Less than a frame is left over, mostly nothing.
		b.end = copy(b.plain, b.plain[b.start:b.end])
		b.start = 0
	}
	if b.raw == nil {
		return b.plain[b.end:]
	}
	if b.rawStart > 0 {
		b.rawEnd = copy(b.raw, b.raw[b.rawStart:b.rawEnd])
		b.rawStart = 0
	}
	return b.raw[b.rawEnd:]
}

// Filled tells that n bytes were read into Space, and opens the records that are complete. What was opened before a
// fault is there to be read.
func (b *Inbox) Filled(n int) Fault {
	b.received += uint64(n)
	if b.raw == nil {
		b.end += n
		return FaultNone
	}
	b.rawEnd += n
	for {
		raw := b.raw[b.rawStart:b.rawEnd]
		size, fault := b.open.size(raw)
		if fault != FaultNone {
			return fault
		}
		if size == 0 || size > len(raw) {
			return FaultNone
		}
		if size > cap(b.plain)-b.end {
			return FaultLength // the caller left frames unread; never with one that follows the rule of Space
		}
		out, fault := b.open.open(b.plain[:b.end], raw[:size])
		if fault != FaultNone {
			return fault
		}
		b.end = len(out)
		b.records++
		b.rawStart += size
	}
}

// Bytes returns what has been received and not consumed. It may be changed in place.
func (b *Inbox) Bytes() []byte { return b.plain[b.start:b.end] }

// Consume drops the first n of Bytes.
func (b *Inbox) Consume(n int) { b.start += n }

// Records returns the number of records that were opened.
func (b *Inbox) Records() uint64 { return b.records }

// Received returns the number of bytes that came from the socket.
func (b *Inbox) Received() uint64 { return b.received }
