package xdpprog

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Outcome is what the program did with a frame. Every frame has exactly one.
type Outcome uint8

// The outcomes, in the order of enum outcome in relay.c.
const (
	ToSocket        = Outcome(relayOutcomeTO_SOCKET)         // to the queue's socket: the gateway is alive
	RelayedStale    = Outcome(relayOutcomeRELAYED_STALE)     // to the other port: the heartbeat is too old
	RelayedNoSocket = Outcome(relayOutcomeRELAYED_NO_SOCKET) // to the other port: nobody serves the queue, nor any other
	DroppedStale    = Outcome(relayOutcomeDROPPED_STALE)     // dropped: the heartbeat is too old
	DroppedNoSocket = Outcome(relayOutcomeDROPPED_NO_SOCKET) // dropped: nobody serves the queue, and the gateway lives or the policy is closed
	Outcomes        = int(relayOutcomeOUTCOMES)              // how many there are
)

// String returns the outcome's name as a metric label has it.
func (o Outcome) String() string {
	switch o {
	case ToSocket:
		return "to_socket"
	case RelayedStale:
		return "relayed_stale"
	case RelayedNoSocket:
		return "relayed_no_socket"
	case DroppedStale:
		return "dropped_stale"
	case DroppedNoSocket:
		return "dropped_no_socket"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Tally counts frames. Bytes are those of a frame's first buffer, so a jumbo counts with its first 4 KiB at most.
type Tally struct {
	Packets, Bytes uint64
}

// readTallies sums the per-CPU counters of one program. They go on counting while no gateway runs.
func readTallies(m *ebpf.Map) ([Outcomes]Tally, error) {
	var sums [Outcomes]Tally
	var perCPU []relayTally
	for o := range Outcomes {
		if err := m.Lookup(uint32(o), &perCPU); err != nil {
			return sums, fmt.Errorf("read counter %s of the XDP program: %w", Outcome(o), err)
		}
		for _, t := range perCPU {
			sums[o].Packets += t.Packets
			sums[o].Bytes += t.Bytes
		}
	}
	return sums, nil
}
