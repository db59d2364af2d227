package wire

// Fault is a way in which a peer broke the format; FaultNone if it did not. A peer with a fault is disconnected.
type Fault uint8

// Faults.
const (
	FaultNone      Fault = iota
	FaultShort           // the frame ends before its fields do
	FaultTrailing        // the frame goes on after its fields have ended
	FaultLong            // the length is above what the frame's type allows
	FaultType            // no such type
	FaultFlags           // a flag that the type does not have
	FaultReserved        // a reserved field is not zero
	FaultDirection       // a type that only the other side may send, or not at this time
	FaultCount           // no packets, or more than MaxPackets
	FaultTime            // the base time is negative or no multiple of a microsecond
	FaultCarried         // more carried than was on the wire, or "whole" contradicts the lengths
	FaultPacket          // a packet longer than MaxPacket
	FaultSequence        // a result for something else than the oldest batch without one
	FaultRuns            // verdict runs do not add up to the packets of the batch
	FaultIndex           // an index beyond the batch, or out of order
	FaultExtent          // neither headers nor whole
	FaultSide            // neither inside nor outside
	FaultVersion         // another version of this protocol
	NumFaults
)

var faultNames = [NumFaults]string{
	"none", "short", "trailing", "long", "type", "flags", "reserved", "direction", "count", "time", "carried", "packet",
	"sequence", "runs", "index", "extent", "side", "version",
}

// String returns the fault's name as metrics and logs carry it.
func (f Fault) String() string {
	if f < NumFaults {
		return faultNames[f]
	}
	return "unknown"
}
