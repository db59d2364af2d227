package settings

import "fmt"

// Memory is what a gateway takes by its settings, in bytes. Workers are processes of their own, and so is what compiles the configuration.
type Memory struct {
	Heap    int64 `json:"heap_bytes"`    // the limit of the Go heap, as GOMEMLIMIT would say it
	Frames  int64 `json:"frames_bytes"`  // of parked packets, beside the heap
	Replica int64 `json:"replica_bytes"` // mapped, beside the heap
	Queues  int   `json:"queues"`        // of each port, for which this holds
}

// What the parts of a gateway take.
const (
	frameBytes   = 4096
	slotBytes    = 64 + 40  // a slot and its frame's descriptor
	flowBytes    = 96 + 16  // an entry and its two places in a table that is half full
	overflows    = 4096     // flows' entries beside those of Config.Flows
	laneBytes    = 4 << 20  // an event lane
	controlBytes = 96 << 20 // console, coordinator, Lambda's client and the runtime
	bundleCopies = 12       // of what workers are handed: two generations, and encoded for several that start at once
	txFrames     = 2048     // of a port's TX ring
)

// Memory is what the gateway takes with so many queues a port.
func (g *Gateway) Memory(queues int) Memory {
	payload := 0
	for i := range g.Plan.Bundles {
		payload += g.Plan.Bundles[i].Payload()
	}
	return memoryOf(queues, g.Dataplane.Flows, g.Ports.Parked, g.ReplicaMB, payload)
}

func memoryOf(queues, flows, parked, replicaMiB, payload int) Memory {
	perQueue := int64(flows+overflows)*flowBytes + 2*int64(parked)*slotBytes + laneBytes
	return Memory{Queues: queues, Heap: controlBytes + bundleCopies*int64(payload) + int64(queues)*perQueue,
		Frames: 2 * int64(queues) * int64(parked+txFrames) * frameBytes, Replica: int64(replicaMiB) << 20}
}

// String says it for a person.
func (m Memory) String() string {
	return fmt.Sprintf("%s of heap at most (GOMEMLIMIT), %s for parked packets, %s for the replica", size(m.Heap), size(m.Frames), size(m.Replica))
}
