package nf

// Events collects EVE JSON lines between two batches. It is bounded: what does not fit is lost, and counted.
type Events struct {
	buf    []byte
	lost   uint64
	only   EventSet
	alerts uint64 // lines of type alert so far
}

// NewEvents makes room for size bytes of lines.
func NewEvents(size int) *Events { return &Events{buf: make([]byte, 0, size)} }

// Room returns the spare buffer to append one line to; give the result to Commit. A line that outgrows the spare
// room moves to memory of its own and is lost at Commit.
func (e *Events) Room() []byte { return e.buf[len(e.buf):] }

// Commit keeps line, which was appended to Room, and ends it with a newline.
func (e *Events) Commit(line []byte) {
	switch kind := kindOf(line); {
	case !e.only.Has(kind):
		return // nobody wants it, so it is not lost
	case kind == EventAlert:
		e.alerts++
	}
	n := len(e.buf)
	if n+len(line)+1 > cap(e.buf) {
		e.lost++
		return
	}
	e.buf = e.buf[:n+len(line)]
	copy(e.buf[n:], line) // no-op where line was built in Room
	e.buf = append(e.buf, '\n')
}

// Only has lines left out, uncounted, whose type is not in the set.
func (e *Events) Only(set EventSet) { e.only = set }

// Alerts returns how many alerts were raised so far, and Mark where the next line will stand; Since returns the lines from there.
func (e *Events) Alerts() uint64 { return e.alerts }

// Mark is for Since.
func (e *Events) Mark() int { return len(e.buf) }

// Since returns the lines committed since Mark, unless they were taken.
func (e *Events) Since(mark int) []byte { return e.buf[min(mark, len(e.buf)):] }

// Take returns the lines collected and the number lost since the last Take, and empties the buffer; the bytes are valid
// until the next line.
func (e *Events) Take() (lines []byte, lost uint64) {
	lines, lost = e.buf, e.lost
	e.buf, e.lost = e.buf[:0], 0
	return lines, lost
}
