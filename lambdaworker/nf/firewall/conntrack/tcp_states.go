package conntrack

// tcpState is a state of a TCP connection as Linux's conntrack has them.
type tcpState uint8

const (
	tcpNone tcpState = iota
	synSent
	synRecv
	tcpEstablished
	finWait
	closeWait
	lastAck
	timeWait
	tcpClose
	synSent2 // simultaneous open
	numTCPStates
	tcpInvalid tcpState = 0xfe
	tcpIgnore  tcpState = 0xff
)

// segmentKind is what of a segment's flags moves the state.
type segmentKind uint8

const (
	segSYN segmentKind = iota
	segSYNACK
	segFIN
	segACK
	segRST
	segNone
	numSegmentKinds
)

// transitions[direction][kind] are the states that follow each state, in the order of the constants: `-` is invalid, `i`
// leaves the state as it is and trusts the end hosts. They are those of the table in the kernel's
// nf_conntrack_proto_tcp.c, whose comments give the reason for each.
//
//	N none  S syn-sent  R syn-recv  E established  F fin-wait  C close-wait  L last-ack  T time-wait  X close  2 syn-sent2
var transitions = parseTransitions([2][numSegmentKinds]string{
	{
		// NSREFCLTX2
		"SSiiiiiSS2", // SYN
		"--R------R", // SYN-ACK
		"--FFLLLTX-", // FIN
		"E-EECCTTX-", // ACK
		"-XXXXXXXXX", // RST
		"----------",
	},
	{
		"-2-----S-2", // SYN
		"-RiiiiiiiR", // SYN-ACK
		"--FFLLLTX-", // FIN
		"-iRECCTTXi", // ACK
		"-XXXXXXXXX", // RST
		"----------",
	},
})

func parseTransitions(text [2][numSegmentKinds]string) (t [2][numSegmentKinds][numTCPStates]tcpState) {
	const letters = "NSREFCLTX2"
	for d := range text {
		for k, line := range text[d] {
			for s := range line {
				switch line[s] {
				case '-':
					t[d][k][s] = tcpInvalid
				case 'i':
					t[d][k][s] = tcpIgnore
				default:
					for i := range letters {
						if letters[i] == line[s] {
							t[d][k][s] = tcpState(i)
						}
					}
				}
			}
		}
	}
	return t
}

// kindOf classes a segment by its flags; invalid ones were refused before.
func kindOf(flags uint8) segmentKind {
	switch {
	case flags&4 != 0:
		return segRST
	case flags&0x12 == 0x12:
		return segSYNACK
	case flags&2 != 0:
		return segSYN
	case flags&1 != 0:
		return segFIN
	case flags&16 != 0:
		return segACK
	}
	return segNone
}

// validFlags are the combinations of FIN, SYN, RST, ACK and URG that a sane sender makes.
var validFlags = func() (v [64]bool) {
	for _, f := range []uint8{0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30} {
		v[f] = true
	}
	return v
}()
