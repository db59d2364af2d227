package nf

// Events collects EVE JSON lines between two batches. It is bounded: what does not fit is lost, and counted.
type Events struct {
	buf  []byte
	lost uint64
}

// NewEvents makes room for size bytes of lines.
func NewEvents(size int) *Events { return &Events{buf: make([]byte, 0, size)} }

// Room returns the spare buffer to append one line to; give the result to Commit. A line that outgrows the spare
// room moves to memory of its own and is lost at Commit.
func (e *Events) Room() []byte { return e.buf[len(e.buf):] }

// Commit keeps line, which was appended to Room, and ends it with a newline.
func (e *Events) Commit(line []byte) {
	n := len(e.buf)
	if n+len(line)+1 > cap(e.buf) {
		e.lost++
		return
	}
	e.buf = e.buf[:n+len(line)]
	copy(e.buf[n:], line) // no-op where line was built in Room
	e.buf = append(e.buf, '\n')
}

// Take returns the lines collected and the number lost since the last Take, and empties the buffer; the bytes are valid
// until the next line.
func (e *Events) Take() (lines []byte, lost uint64) {
	lines, lost = e.buf, e.lost
	e.buf, e.lost = e.buf[:0], 0
	return lines, lost
}
