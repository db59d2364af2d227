package dataplane

import "slices"

// Reason says why a packet was dropped. The values from FirstVerdict on are verdicts of workers: byte v of a result is
// Reason FirstVerdict+v.
type Reason uint8

// The gateway's own reasons. Every one has a name and a counter, and a test that it does.
const (
	Unmatched       Reason = iota // no chain wants the flow, or it is no IP packet, and `unmatched: drop`
	Malformed                     // headers contradict each other and --malformed drop
	NoWorker                      // waited --max-delay for a worker to have the sub-flow, and --on-worker-failure closed
	Overload                      // waited --max-delay for room on its worker's connection, and --on-overload drop
	NoVerdict                     // no verdict within --max-delay, and --on-worker-failure closed
	TxFull                        // the other port took nothing for --max-delay
	RewriteTooLong                // a worker made the packet longer than the other port's MTU or its frame
	InjectTxFull                  // no room on the port for a frame a worker made
	Shutdown                      // in flight when the gateway stopped
	Poison                        // --max-deaths workers were lost while they had it, and --on-worker-failure closed
	RewriteTooShort               // a worker made the packet shorter than an Ethernet header
	InjectTooShort                // a frame a worker made is shorter than an Ethernet header
	InjectTooLong                 // a frame a worker made is longer than the port's MTU
	FragmentTimeout               // the first fragment of its datagram did not come in time
	FragmentOverlap               // its bytes had been seen, or another fragment of its datagram contradicted them
	FragmentLimit                 // too many fragments wait for the first of their datagram
	RxFull                        // the port had no room for it: the kernel dropped it before the gateway had it
	numOwn
)

// FirstVerdict is where workers' verdicts begin.
const FirstVerdict Reason = 32

// maxVerdict is the highest verdict that has a counter.
const maxVerdict = 95

// NumReasons is how many counters of drops there are.
const NumReasons = int(FirstVerdict) + maxVerdict + 1

var ownNames = [numOwn]string{
	"unmatched", "malformed", "no_worker", "overload", "no_verdict", "tx_full", "rewrite_too_long", "inject_tx_full", "shutdown", "poison",
	"rewrite_too_short", "inject_too_short", "inject_too_long",
	"fragment_timeout", "fragment_overlap", "fragment_limit", "rx_full",
}

// ReasonNames returns the name of every reason that can occur, by value, given the names of the functions' verdicts
// (the first of which, pass, drops nothing). Values that can't occur have no name. No two are called the same: the metrics and
// the ledger go by names, so a function's reason that is named like one of ours says that it is the function's.
func ReasonNames(verdicts []string) [NumReasons]string {
	var names [NumReasons]string
	copy(names[:], ownNames[:])
	for v := 1; v < len(verdicts); v++ {
		name := verdicts[v]
		if slices.Contains(ownNames[:], name) {
			name = "nf_" + name
		}
		names[int(FirstVerdict)+v] = name
	}
	return names
}
