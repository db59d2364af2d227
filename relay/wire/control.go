package wire

const (
	byeSize  = 4
	loadSize = 24
)

// AppendEvents appends an Events frame: EVE JSON lines, each ended by a newline, and how many were lost before them for
// want of room. Lines that do not fit into one frame are the caller's to split at a newline.
func AppendEvents(dst, lines []byte, lost, credit uint32) []byte {
	dst = Header{Type: TypeEvents, Length: uint32(4 + len(lines)), Credit: credit}.Append(dst)
	dst = le.AppendUint32(dst, lost)
	return append(dst, lines...)
}

// ParseEvents returns what AppendEvents was given. ParseHeader has checked the length.
func ParseEvents(body []byte) (lines []byte, lost uint32, fault Fault) {
	if len(body) < 4 {
		return nil, 0, FaultShort
	}
	return body[4:], le.Uint32(body), FaultNone
}

// AppendReportRequest appends a request for a Report, which will carry the same sequence.
func AppendReportRequest(dst []byte, sequence uint32) []byte {
	return Header{Type: TypeReportRequest, Sequence: sequence}.Append(dst)
}

// AppendReport appends a Report: one JSON value.
func AppendReport(dst, json []byte, sequence, credit uint32) []byte {
	dst = Header{Type: TypeReport, Length: uint32(len(json)), Sequence: sequence, Credit: credit}.Append(dst)
	return append(dst, json...)
}

// AppendTime appends a frame whose body is one point in time, ns since the Unix epoch: Ping (now), Pong (that of the Ping)
// or Drain (when the worker will be gone).
func AppendTime(dst []byte, t Type, ns int64, credit uint32) []byte {
	dst = Header{Type: t, Length: 8, Credit: credit}.Append(dst)
	return le.AppendUint64(dst, uint64(ns))
}

// ParseTime returns the time of a Ping, Pong or Drain.
func ParseTime(body []byte) (ns int64, fault Fault) {
	if len(body) != 8 {
		return 0, FaultShort
	}
	return int64(le.Uint64(body)), FaultNone
}

// AppendRetire appends a Retire frame.
func AppendRetire(dst []byte) []byte { return Header{Type: TypeRetire}.Append(dst) }

// AppendState appends a State frame: entries that the worker takes over when the frame comes. more says that the last of them goes on in
// the next State frame.
func AppendState(dst, part []byte, more bool) []byte {
	h := Header{Type: TypeState, Length: uint32(len(part))}
	if more {
		h.Flags = FlagMore
	}
	return append(h.Append(dst), part...)
}

// AppendUnseen appends a State frame that says that packets have passed unseen, and nothing else.
func AppendUnseen(dst []byte) []byte { return Header{Type: TypeState, Flags: FlagUnseen}.Append(dst) }

// AppendRelease appends a Release frame.
func AppendRelease(dst []byte, subflows []uint16) []byte {
	dst = Header{Type: TypeRelease, Length: uint32(2 * len(subflows))}.Append(dst)
	for _, s := range subflows {
		dst = le.AppendUint16(dst, s)
	}
	return dst
}

// ParseRelease calls f for each sub-flow of a Release, after having checked all of them.
func ParseRelease(body []byte, f func(subflow uint16)) Fault {
	if len(body)%2 != 0 {
		return FaultShort
	}
	for at := 0; at < len(body); at += 2 {
		if le.Uint16(body[at:]) >= Subflows {
			return FaultIndex
		}
	}
	for at := 0; at < len(body); at += 2 {
		f(le.Uint16(body[at:]))
	}
	return FaultNone
}

// Load is how busy a worker has been since the join.
type Load struct {
	Packets   uint64 // that came on this connection
	BusyNS    uint64 // in which it did not wait for this connection
	ProcessNS uint64 // processor time of the whole worker
}

// AppendLoad appends a Load frame.
func AppendLoad(dst []byte, l Load, credit uint32) []byte {
	dst = Header{Type: TypeLoad, Length: loadSize, Credit: credit}.Append(dst)
	dst = le.AppendUint64(dst, l.Packets)
	dst = le.AppendUint64(dst, l.BusyNS)
	return le.AppendUint64(dst, l.ProcessNS)
}

// ParseLoad returns what AppendLoad was given.
func ParseLoad(body []byte) (Load, Fault) {
	if len(body) != loadSize {
		return Load{}, FaultShort
	}
	return Load{le.Uint64(body), le.Uint64(body[8:]), le.Uint64(body[16:])}, FaultNone
}

// ByeReason is why a side closes the connection.
type ByeReason uint8

// Reasons.
const (
	ByeDone     ByeReason = iota // everything was answered
	ByeRefused                   // the join was refused
	ByeVersion                   // the join was of another version
	ByeFormat                    // the peer broke the format
	ByeIdle                      // the peer was silent for too long
	ByeDeadline                  // the worker's time is over
	ByeInternal                  // the side failed by itself
	NumByes
)

var byeNames = [NumByes]string{"done", "refused", "version", "format", "idle", "deadline", "internal"}

// String returns the reason's name.
func (r ByeReason) String() string {
	if r < NumByes {
		return byeNames[r]
	}
	return "unknown"
}

// AppendBye appends a Bye frame. fault is for ByeFormat.
func AppendBye(dst []byte, reason ByeReason, fault Fault) []byte {
	dst = Header{Type: TypeBye, Length: byeSize}.Append(dst)
	return append(dst, byte(reason), byte(fault), 0, 0)
}

// ParseBye returns what AppendBye was given.
func ParseBye(body []byte) (reason ByeReason, theirs Fault, fault Fault) {
	if len(body) != byeSize {
		return 0, 0, FaultShort
	}
	return ByeReason(body[0]), Fault(body[1]), FaultNone
}
