package console

import (
	"encoding/json"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/locallambda/confine"
	"github.com/granule-nf/granule/ingress"
)

// Status is everything that a running gateway shows of itself.
type Status struct {
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Time     time.Time `json:"time"`
	Ready    bool      `json:"ready"`
	NotReady []string  `json:"not_ready,omitempty"` // why
	Degraded []string  `json:"degraded,omitempty"`  // ready, but not as it should be

	Configuration Configuration `json:"configuration"`

	Ledger      Ledger                       `json:"ledger"`
	Packets     Packets                      `json:"packets"`
	Ports       map[string]ingress.PortStats `json:"ports"`    // by side
	Links       map[string]Link              `json:"links"`    // of ports that are interfaces, by side
	Attached    map[string]any               `json:"attached"` // how each port is attached, by side
	Workers     []coordinator.Worker         `json:"workers"`
	Stages      []coordinator.Stage          `json:"stages,omitempty"`
	Fleet       coordinator.Counters         `json:"fleet"`
	Confinement *confine.Report              `json:"confinement,omitempty"` // of the local worker that was started last; none: they run as the gateway does
	Refused     map[string]uint64            `json:"refused"`               // worker connections refused, by reason
	Events      EventCounters                `json:"events"`
	Reports     map[uint32]json.RawMessage   `json:"reports"` // newest counters of each worker's functions, by worker
	Memory      Memory                       `json:"memory"`
	Shards      int                          `json:"shards"`
}

// Link is how a port's interface stands, as the kernel has it now.
type Link struct {
	Interface string            `json:"interface"`
	Present   bool              `json:"present"`
	Up        bool              `json:"up"`
	Changes   uint64            `json:"changes"` // of up, present, name, MTU or queues since the start
	MTU       int               `json:"mtu"`
	Queues    int               `json:"rx_queues"`
	Served    int               `json:"rx_queues_served"`
	XDP       map[string]uint64 `json:"xdp"` // frames by what the XDP program did with them
}

// Configuration says which reading of the configuration judges packets. Generation 1 is that of the start; SIGHUP has it read again.
type Configuration struct {
	Generation uint64    `json:"generation"`
	Since      time.Time `json:"since"`
	Rolling    uint64    `json:"rolling,omitempty"` // generation whose workers are being started
	Refused    []string  `json:"refused,omitempty"` // what was wrong with the last reading, with its place; the generation stays
	Waiting    []string  `json:"waiting,omitempty"` // settings that were changed and need a restart
	Reloads    uint64    `json:"reloads"`           // readings since the start
	Failures   uint64    `json:"failures"`          // of them, those refused or given up
}

// Ledger is the packet ledger, in all and by port. At every moment
// received + injected = forwarded + bypassed + dropped + in_flight.
type Ledger struct {
	Account
	Ports map[string]Account `json:"ports"` // by side: the port a packet came in on, or an injected one leaves on
}

// Account is one column of the ledger, in packets.
type Account struct {
	Received  uint64            `json:"received"`
	Injected  uint64            `json:"injected"`
	Forwarded uint64            `json:"forwarded"`
	Bypassed  uint64            `json:"bypassed"`
	Dropped   map[string]uint64 `json:"dropped"` // by reason; reasons that did not occur are left out
	InFlight  uint64            `json:"in_flight"`

	ReceivedBytes  uint64 `json:"received_bytes"`
	ForwardedBytes uint64 `json:"forwarded_bytes"`
}

// Packets are counts beside the ledger.
type Packets struct {
	Malformed             map[string]uint64 `json:"malformed"` // by what is wrong; they are in the ledger too
	Layer2                map[string]uint64 `json:"layer2"`    // crossed unjudged, by protocol; they are in the ledger as bypassed
	FailOpen              map[string]uint64 `json:"fail_open"` // forwarded without a verdict, by cause
	Late                  uint64            `json:"late_verdicts"`
	Gaps                  uint64            `json:"gaps"`         // times in which the gateway stood still and the XDP program spoke for it
	Redispatched          uint64            `json:"redispatched"` // sent to another worker because the first was lost
	FlowTableFull         uint64            `json:"flow_table_full"`
	Steered               uint64            `json:"steered"`         // from the shard on whose queue they arrived to the owner of their sub-flow
	StateTransfers        uint64            `json:"state_transfers"` // sub-flows that went with their state from one worker to another
	StateTransferredBytes uint64            `json:"state_transferred_bytes"`
	StateTransfersFailed  uint64            `json:"state_transfers_failed"` // the successor was lost meanwhile, or another one chosen
	Batches               uint64            `json:"batches"`
	BatchPackets          uint64            `json:"batch_packets"`

	DelayP50  time.Duration `json:"delay_p50_ns"` // upper bounds of powers of two, from receive to retire
	DelayP99  time.Duration `json:"delay_p99_ns"`
	DelayMean time.Duration `json:"delay_mean_ns"`

	Delays [24]uint64 `json:"delays"` // histogram: element i counts delays below 2^i microseconds
	sumNS  uint64
}

// Memory says what the gateway's tables cost.
type Memory struct {
	Slots        int `json:"slots"`
	SlotBytes    int `json:"bytes_per_slot"` // with the frame
	Flows        int `json:"flows"`
	FlowCapacity int `json:"flow_capacity"`
	FlowBytes    int `json:"bytes_per_flow"`

	Replica Replica `json:"replica"`
}

// Replica is the gateway's copy of the workers' flow state.
type Replica struct {
	Bytes    uint64 `json:"bytes"` // in use
	Capacity uint64 `json:"capacity_bytes"`
	Entries  uint64 `json:"entries"` // of flows, one a function
	Evicted  uint64 `json:"evicted"` // given up for room
	Damaged  uint64 `json:"damaged"` // deltas that could not be read to their end
	Refused  uint64 `json:"refused"` // entries of flows that their worker has no say in
}

// SetLedger fills s from the shards' ledgers, already added up.
func (s *Status) SetLedger(l *dataplane.Ledger, reasons *[dataplane.NumReasons]string, problems []string) {
	s.Ledger.Ports = map[string]Account{}
	s.Ledger.Dropped = map[string]uint64{}
	for side := range l.Ports {
		p := &l.Ports[side]
		a := Account{Received: p.Received, Injected: p.Injected, Forwarded: p.Forwarded, Bypassed: p.Bypassed, InFlight: p.InFlight,
			ReceivedBytes: p.ReceivedBytes, ForwardedBytes: p.ForwardedBytes, Dropped: map[string]uint64{}}
		for r, n := range p.Dropped {
			if n > 0 {
				a.Dropped[reasons[r]] = n
				s.Ledger.Dropped[reasons[r]] += n
			}
		}
		s.Ledger.Ports[ingress.Side(side).String()] = a
		s.Ledger.Received += a.Received
		s.Ledger.Injected += a.Injected
		s.Ledger.Forwarded += a.Forwarded
		s.Ledger.Bypassed += a.Bypassed
		s.Ledger.InFlight += a.InFlight
		s.Ledger.ReceivedBytes += a.ReceivedBytes
		s.Ledger.ForwardedBytes += a.ForwardedBytes
	}
	s.Packets = Packets{Malformed: map[string]uint64{}, FailOpen: failOpen(l),
		Late: l.Late, Redispatched: l.Replayed, Gaps: l.Gaps, FlowTableFull: l.FlowTableFull, Steered: l.Crossed,
		StateTransfers: l.Handoffs, StateTransferredBytes: l.ImportedBytes, StateTransfersFailed: l.HandoffsFailed, Batches: l.Batches, BatchPackets: l.BatchPackets,
		Delays: l.Delay, sumNS: l.DelayNS}
	r := &s.Memory.Replica
	r.Bytes, r.Entries, r.Evicted, r.Damaged, r.Refused = l.ReplicaBytes, l.ReplicaEntries, l.ReplicaEvicted, l.ReplicaDamaged, l.ReplicaRefused
	for i, n := range l.Problems {
		if n > 0 {
			s.Packets.Malformed[problems[i]] = n
		}
	}
	s.Packets.DelayP50 = quantile(&l.Delay, 0.5)
	s.Packets.DelayP99 = quantile(&l.Delay, 0.99)
	if n := total(&l.Delay); n > 0 {
		s.Packets.DelayMean = time.Duration(l.DelayNS / n)
	}
}

// failOpenCauses are why packets are forwarded without a verdict.
var failOpenCauses = []string{"no_worker", "overload", "no_verdict", "poison"}

func failOpen(l *dataplane.Ledger) map[string]uint64 {
	return map[string]uint64{"no_worker": l.OpenNoWorker, "overload": l.OpenOverload, "no_verdict": l.OpenNoVerdict, "poison": l.OpenPoison}
}

func total(h *[24]uint64) (n uint64) {
	for _, v := range h {
		n += v
	}
	return n
}

// quantile returns the upper bound of the bucket in which the q-th part of h lies; 0 for an empty histogram.
func quantile(h *[24]uint64, q float64) time.Duration {
	n := total(h)
	if n == 0 {
		return 0
	}
	rank := uint64(float64(n) * q)
	for i, v := range h {
		if rank < v {
			return time.Microsecond << i
		}
		rank -= v
	}
	return time.Microsecond << (len(h) - 1)
}

// DelaySince returns the median and the 99th percentile of delays between two looks at one gateway.
func (s *Status) DelaySince(last *Status) (p50, p99 time.Duration) {
	h := s.Packets.Delays
	for i := range h {
		h[i] -= last.Packets.Delays[i]
	}
	return quantile(&h, 0.5), quantile(&h, 0.99)
}
