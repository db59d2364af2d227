package wire

// Sizes of a Result's parts.
const (
	runSize   = 4 // verdict, zero, count
	entrySize = 6 // index, length, what or side, zero
)

// What of a packet was rewritten.
const (
	RewroteHeaders = 1 // as many bytes as were carried, from the front of the frame
	RewroteWhole   = 2 // all of the frame, of any length
)

// Sides of the gateway, as a Result names them.
const (
	Inside  = 0
	Outside = 1
)

// ResultWriter appends one Result frame to a buffer. Its methods are called in the order in which they stand here.
type ResultWriter struct {
	buf       []byte
	start     int
	head      Header
	verdict   uint8
	run       uint16 // length of the last run
	rewritten int    // where the section's count stands; 0 while there is none
	injected  int
}

// Begin starts the answer to the batch of that sequence at the end of dst.
func (w *ResultWriter) Begin(dst []byte, sequence, credit uint32) {
	*w = ResultWriter{start: len(dst), head: Header{Type: TypeResult, Sequence: sequence, Credit: credit}}
	w.buf = w.head.Append(dst)
}

// BeginState returns the buffer for the state delta to be appended to; EndState takes it back. A delta of no bytes
// leaves no trace in the frame.
func (w *ResultWriter) BeginState() []byte {
	w.buf = append(w.buf, 0, 0, 0, 0)
	return w.buf
}

// EndState ends the state delta: buf is what BeginState returned, with the delta behind it.
func (w *ResultWriter) EndState(buf []byte) {
	at := w.start + HeaderSize
	w.buf = buf
	size := len(buf) - at - 4
	if size == 0 {
		w.buf = buf[:at]
		return
	}
	le.PutUint32(buf[at:], uint32(size))
	w.head.Flags |= FlagState
}

// Verdict answers the next packet of the batch.
func (w *ResultWriter) Verdict(v uint8) {
	if w.run > 0 && v == w.verdict {
		w.run++
		le.PutUint16(w.buf[len(w.buf)-2:], w.run)
		return
	}
	w.verdict, w.run = v, 1
	w.head.Count++
	w.buf = append(w.buf, v, 0, 1, 0)
}

// Rewritten says what packet index looks like now. Indices ascend.
func (w *ResultWriter) Rewritten(index uint16, what uint8, data []byte) {
	if w.rewritten == 0 {
		w.rewritten = len(w.buf)
		w.head.Flags |= FlagRewritten
		w.buf = append(w.buf, 0, 0)
	}
	w.entry(w.rewritten, index, what, data)
}

// Injected sends frame out of side when the fate of packet cause is carried out. Causes never descend.
func (w *ResultWriter) Injected(cause uint16, side uint8, frame []byte) {
	if w.injected == 0 {
		w.injected = len(w.buf)
		w.head.Flags |= FlagInjected
		w.buf = append(w.buf, 0, 0)
	}
	w.entry(w.injected, cause, side, frame)
}

func (w *ResultWriter) entry(section int, index uint16, what uint8, data []byte) {
	n := len(data)
	le.PutUint16(w.buf[section:], le.Uint16(w.buf[section:])+1)
	w.buf = append(w.buf, byte(index), byte(index>>8), byte(n), byte(n>>8), what, 0)
	w.buf = append(w.buf, data...)
}

// End completes the frame and returns the buffer. It reports false, and the buffer without the frame, where the frame
// would be longer than MaxFrame.
func (w *ResultWriter) End() ([]byte, bool) {
	size := len(w.buf) - w.start
	if size > MaxFrame {
		return w.buf[:w.start], false
	}
	w.head.Length = uint32(size - HeaderSize)
	w.head.put(w.buf[w.start:])
	return w.buf, true
}

// Result walks a Result frame in place.
type Result struct {
	Sequence  uint32
	State     []byte // the state delta; to be applied before any verdict is
	runs      []byte
	rewritten []byte
	injected  []byte
}

// Entry is a rewritten packet or an injected frame.
type Entry struct {
	Index uint16 // of the packet in the batch
	What  uint8  // RewroteHeaders or RewroteWhole; the side of an injected frame
	Data  []byte // inside the frame
}

// Parse checks the whole frame with header h, which ParseHeader accepted, and body, as the answer to a batch of that
// many packets. Whether Sequence is that of the batch is the caller's to check.
func (r *Result) Parse(h Header, body []byte, packets int) Fault {
	*r = Result{Sequence: h.Sequence}
	if h.Flags&FlagState != 0 {
		if len(body) < 4 {
			return FaultShort
		}
		n := le.Uint32(body)
		body = body[4:]
		if uint64(n) > uint64(len(body)) {
			return FaultShort
		}
		r.State, body = body[:n:n], body[n:]
	}
	size := int(h.Count) * runSize
	if size > len(body) {
		return FaultShort
	}
	r.runs, body = body[:size], body[size:]
	sum := 0
	for b := r.runs; len(b) >= runSize; b = b[runSize:] {
		n := int(le.Uint16(b[2:]))
		if n == 0 {
			return FaultRuns
		}
		if b[1] != 0 {
			return FaultReserved
		}
		sum += n
	}
	if sum != packets {
		return FaultRuns
	}
	var fault Fault
	if h.Flags&FlagRewritten != 0 {
		if r.rewritten, body, fault = section(body, packets, true); fault != FaultNone {
			return fault
		}
	}
	if h.Flags&FlagInjected != 0 {
		if r.injected, body, fault = section(body, packets, false); fault != FaultNone {
			return fault
		}
	}
	if len(body) != 0 {
		return FaultTrailing
	}
	return FaultNone
}

// section checks one section of entries and returns it without its count, and what follows it.
func section(body []byte, packets int, rewritten bool) (entries, rest []byte, fault Fault) {
	if len(body) < 2 {
		return nil, nil, FaultShort
	}
	n := int(le.Uint16(body))
	body = body[2:]
	if n == 0 {
		return nil, nil, FaultCount
	}
	at, next := 0, 0 // next is the lowest index that may follow
	for range n {
		if len(body)-at < entrySize {
			return nil, nil, FaultShort
		}
		e := body[at : at+entrySize]
		index, size, what := int(le.Uint16(e)), int(le.Uint16(e[2:])), e[4]
		switch {
		case e[5] != 0:
			return nil, nil, FaultReserved
		case index < next || index >= packets:
			return nil, nil, FaultIndex
		case size > MaxPacket:
			return nil, nil, FaultPacket
		case rewritten && what != RewroteHeaders && what != RewroteWhole:
			return nil, nil, FaultExtent
		case !rewritten && what != Inside && what != Outside:
			return nil, nil, FaultSide
		case len(body)-at-entrySize < size:
			return nil, nil, FaultShort
		}
		next = index
		if rewritten {
			next++ // a packet is rewritten once, but may cause several frames
		}
		at += entrySize + size
	}
	return body[:at], body[at:], FaultNone
}

// NextRun reads the next run of equal verdicts; false when there are no more.
func (r *Result) NextRun() (verdict uint8, count int, ok bool) {
	if len(r.runs) < runSize {
		return 0, 0, false
	}
	verdict, count = r.runs[0], int(le.Uint16(r.runs[2:]))
	r.runs = r.runs[runSize:]
	return verdict, count, true
}

// NextRewritten reads the next rewritten packet; false when there are no more.
func (r *Result) NextRewritten(e *Entry) bool { return next(&r.rewritten, e) }

// NextInjected reads the next injected frame; false when there are no more.
func (r *Result) NextInjected(e *Entry) bool { return next(&r.injected, e) }

func next(entries *[]byte, e *Entry) bool {
	b := *entries
	if len(b) < entrySize {
		return false
	}
	n := int(le.Uint16(b[2:]))
	e.Index, e.What = le.Uint16(b), b[4]
	e.Data = b[entrySize : entrySize+n : entrySize+n]
	*entries = b[entrySize+n:]
	return true
}
