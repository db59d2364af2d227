package console

import (
	"sort"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/prometheus/client_golang/prometheus"
)

// metric is one family: its description and how its values are read from a Status. Label values that exist are always
// present, so that a series starts at 0 and a missing one is an error.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s *Status, emit func(v float64, labels ...string))
}

func family(kind prometheus.ValueType, name, help string, labels []string, read func(*Status, func(float64, ...string))) metric {
	return metric{prometheus.NewDesc("granule_"+name, help, labels, nil), kind, read}
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var sides = []string{ingress.Inside.String(), ingress.Outside.String()}

// families are the gateway's metrics, in base units.
func families(reasons, refusals []string) []metric {
	one := func(f func(*Status) float64) func(*Status, func(float64, ...string)) {
		return func(s *Status, emit func(float64, ...string)) { emit(f(s)) }
	}
	port := func(f func(Account) uint64) func(*Status, func(float64, ...string)) {
		return func(s *Status, emit func(float64, ...string)) {
			for _, side := range sides {
				emit(float64(f(s.Ledger.Ports[side])), side)
			}
		}
	}
	device := func(f func(ingress.PortStats) uint64) func(*Status, func(float64, ...string)) {
		return func(s *Status, emit func(float64, ...string)) {
			for _, side := range sides {
				emit(float64(f(s.Ports[side])), side)
			}
		}
	}
	bySide := []string{"port"}
	link := func(f func(Link) float64) func(*Status, func(float64, ...string)) {
		return func(s *Status, emit func(float64, ...string)) {
			for _, side := range sides {
				emit(f(s.Links[side]), side)
			}
		}
	}
	return []metric{
		family(counter, "received_packets_total", "Packets taken in, by the port they came in on.", bySide, port(func(a Account) uint64 { return a.Received })),
		family(counter, "received_bytes_total", "Bytes taken in, Ethernet headers included.", bySide, port(func(a Account) uint64 { return a.ReceivedBytes })),
		family(counter, "injected_packets_total", "Frames that functions made (RST, ICMP), by the port they leave on.", bySide, port(func(a Account) uint64 { return a.Injected })),
		family(counter, "forwarded_packets_total", "Packets sent out of the other port after a verdict.", bySide, port(func(a Account) uint64 { return a.Forwarded })),
		family(counter, "forwarded_bytes_total", "Bytes sent out of the other port after a verdict.", bySide, port(func(a Account) uint64 { return a.ForwardedBytes })),
		family(counter, "bypassed_packets_total", "Packets that crossed untouched: on the list layer2, or wanted by no chain.", bySide, port(func(a Account) uint64 { return a.Bypassed })),
		family(counter, "dropped_packets_total", "Packets dropped, by the port they came in on and the reason.", []string{"port", "reason"}, func(s *Status, emit func(float64, ...string)) {
			for _, side := range sides {
				for _, r := range reasons {
					emit(float64(s.Ledger.Ports[side].Dropped[r]), side, r)
				}
			}
		}),
		family(gauge, "in_flight_packets", "Packets parked in slots.", bySide, port(func(a Account) uint64 { return a.InFlight })),
		family(counter, "malformed_packets_total", "Packets whose headers contradict each other or the frame, by what is wrong.", []string{"problem"}, func(s *Status, emit func(float64, ...string)) {
			for _, p := range ProblemNames()[1:] {
				emit(float64(s.Packets.Malformed[p]), p)
			}
		}),
		family(counter, "layer2_packets_total", "Packets that crossed unjudged because they are on the list layer2, by protocol.", []string{"protocol"}, func(s *Status, emit func(float64, ...string)) {
			for name, n := range s.Packets.Layer2 {
				emit(float64(n), name)
			}
		}),
		family(counter, "fail_open_packets_total", "Packets forwarded without a verdict, because a policy is fail-open, by cause.", []string{"cause"}, func(s *Status, emit func(float64, ...string)) {
			for _, cause := range failOpenCauses {
				emit(float64(s.Packets.FailOpen[cause]), cause)
			}
		}),
		family(counter, "gaps_total", "Times in which the gateway stood still for longer than a second, and the XDP program spoke for it.", nil, one(func(s *Status) float64 { return float64(s.Packets.Gaps) })),
		family(counter, "redispatched_packets_total", "Packets sent to another worker because the first was lost or handed its sub-flow off.", nil, one(func(s *Status) float64 { return float64(s.Packets.Redispatched) })),
		family(counter, "late_verdicts_total", "Verdicts for packets that had been resolved by policy before.", nil, one(func(s *Status) float64 { return float64(s.Packets.Late) })),
		family(counter, "steered_packets_total", "Packets steered from the shard on whose queue they arrived to the one that owns their sub-flow.", nil, one(func(s *Status) float64 { return float64(s.Packets.Steered) })),
		family(counter, "state_transfers_total", "Sub-flows that went with their state from one worker to another.", nil, one(func(s *Status) float64 { return float64(s.Packets.StateTransfers) })),
		family(counter, "state_transferred_bytes_total", "Bytes of flow state transferred to successors.", nil, one(func(s *Status) float64 { return float64(s.Packets.StateTransferredBytes) })),
		family(counter, "state_transfers_failed_total", "Transfers of a sub-flow's state that were given up before their end.", nil, one(func(s *Status) float64 { return float64(s.Packets.StateTransfersFailed) })),
		family(gauge, "replica_bytes", "Memory in use for replicas of the workers' flow state.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Bytes) })),
		family(gauge, "replica_capacity_bytes", "Memory set aside for replicas of the workers' flow state.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Capacity) })),
		family(gauge, "replica_entries", "Entries of flow state in the replicas, one per flow and function.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Entries) })),
		family(counter, "replica_evicted_total", "Entries of flow state and deltas of shared state evicted for room.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Evicted) })),
		family(counter, "replica_damaged_total", "State deltas of workers that could not be decoded.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Damaged) })),
		family(counter, "replica_refused_total", "Entries of flow state from workers that have no say in the flow.", nil, one(func(s *Status) float64 { return float64(s.Memory.Replica.Refused) })),
		family(counter, "batches_total", "Batches sent to workers.", nil, one(func(s *Status) float64 { return float64(s.Packets.Batches) })),
		family(counter, "batch_packets_total", "Packets sent to workers.", nil, one(func(s *Status) float64 { return float64(s.Packets.BatchPackets) })),
		family(gauge, "flows", "Flows in the flow tables.", nil, one(func(s *Status) float64 { return float64(s.Memory.Flows) })),
		family(gauge, "flow_capacity", "Flows that the flow tables have room for.", nil, one(func(s *Status) float64 { return float64(s.Memory.FlowCapacity) })),
		family(counter, "flow_table_full_packets_total", "Packets whose flow had no place in the flow table.", nil, one(func(s *Status) float64 { return float64(s.Packets.FlowTableFull) })),
		family(gauge, "workers", "Workers, by state.", []string{"state"}, func(s *Status, emit func(float64, ...string)) {
			n := map[string]int{}
			for _, w := range s.Workers {
				n[w.State]++
			}
			for st := range coordinator.NumStates {
				emit(float64(n[st.String()]), st.String())
			}
		}),
		family(counter, "invocations_total", "Lambda invocations started.", nil, one(func(s *Status) float64 { return float64(s.Fleet.Invoked) })),
		family(counter, "invocation_failures_total", "Invocations that failed, by kind.", []string{"kind"}, func(s *Status, emit func(float64, ...string)) {
			emit(float64(s.Fleet.Throttled), "throttled")
			emit(float64(s.Fleet.Failed), "failed")
			emit(float64(s.Fleet.Late), "late")
			emit(float64(s.Fleet.Lost), "lost")
		}),
		family(gauge, "stage_workers_wanted", "Workers that a stage is to have for its load, those standing by not among them.", []string{"stage"}, stages(func(s *coordinator.Stage) float64 { return float64(s.Wanted) })),
		family(gauge, "stage_workers_active", "Workers of a stage that have sub-flows.", []string{"stage"}, stages(func(s *coordinator.Stage) float64 { return float64(s.Active) })),
		family(gauge, "stage_load", "Workers that a stage's load would keep busy all the time.", []string{"stage"}, stages(func(s *coordinator.Stage) float64 { return s.Load })),
		family(gauge, "stage_waiting_packets", "Packets of a stage for which there is no worker.", []string{"stage"}, stages(func(s *coordinator.Stage) float64 { return float64(s.Waiting) })),
		family(gauge, "worker_utilisation_max_ratio", "Load of a stage's busiest worker by what it can carry.", []string{"stage"}, busiest),
		family(counter, "hand_offs_total", "Assignments that passed from one worker to another.", nil, one(func(s *Status) float64 { return float64(s.Fleet.HandOffs) })),
		family(counter, "refused_connections_total", "Worker connections refused or broken off, by reason.", []string{"reason"}, func(s *Status, emit func(float64, ...string)) {
			for _, r := range refusals {
				emit(float64(s.Refused[r]), r)
			}
		}),
		family(counter, "events_total", "EVE events written.", nil, one(func(s *Status) float64 { return float64(s.Events.Written) })),
		family(counter, "events_worker_lost_total", "EVE events that workers say they had no room for.", nil, one(func(s *Status) float64 { return float64(s.Events.WorkerLost) })),
		family(counter, "events_lost_total", "EVE events lost: more came than a worker may send or the disk takes, or they were no JSON.", nil, one(func(s *Status) float64 { return float64(s.Events.Lost) })),
		family(counter, "port_rx_dropped_packets_total", "Packets the kernel dropped before the gateway had them: no buffer, ring full or too long.", bySide,
			device(func(p ingress.PortStats) uint64 { return p.RxDropped + p.RxRingFull + p.RxOversize })),
		family(counter, "port_tx_errors_total", "Frames that a port could not send.", bySide, device(func(p ingress.PortStats) uint64 { return p.TxErrors + p.TxInvalid + p.TxDropped })),
		family(gauge, "link_up", "1 if a port's interface is there and has carrier.", bySide, link(func(l Link) float64 { return one01(l.Present && l.Up) })),
		family(gauge, "link_mtu_bytes", "MTU of a port's interface.", bySide, link(func(l Link) float64 { return float64(l.MTU) })),
		family(gauge, "link_rx_queues", "RX queues of a port's interface that are in use.", bySide, link(func(l Link) float64 { return float64(l.Queues) })),
		family(gauge, "link_rx_queues_served", "RX queues of a port's interface that the gateway has a socket on.", bySide, link(func(l Link) float64 { return float64(l.Served) })),
		family(counter, "link_changes_total", "Changes of a port's interface since the start: carrier, existence, name, MTU, queues.", bySide, link(func(l Link) float64 { return float64(l.Changes) })),
		family(counter, "xdp_packets_total", "Frames by what the XDP program did with them; relayed ones crossed unjudged.", []string{"port", "outcome"}, func(s *Status, emit func(float64, ...string)) {
			for _, side := range sides {
				for outcome := range xdpprog.Outcomes {
					name := xdpprog.Outcome(outcome).String()
					emit(float64(s.Links[side].XDP[name]), side, name)
				}
			}
		}),
		family(gauge, "configuration_generation", "Generation of the configuration that judges packets; 1 is that of the start.", nil, one(func(s *Status) float64 { return float64(s.Configuration.Generation) })),
		family(counter, "configuration_reloads_total", "Times the configuration was read again.", nil, one(func(s *Status) float64 { return float64(s.Configuration.Reloads) })),
		family(counter, "configuration_reload_failures_total", "Readings of the configuration that were refused or could not be rolled out.", nil, one(func(s *Status) float64 { return float64(s.Configuration.Failures) })),
		family(gauge, "ready", "1 if the gateway is ready.", nil, one(func(s *Status) float64 {
			if s.Ready {
				return 1
			}
			return 0
		})),
		family(gauge, "start_time_seconds", "When the gateway started, seconds since the Unix epoch.", nil, one(func(s *Status) float64 { return float64(s.Started.UnixNano()) / 1e9 })),
	}
}

func one01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collector turns a Status into metrics at each scrape.
type collector struct {
	status func() *Status
	all    []metric
	delay  *prometheus.Desc
}

func newCollector(status func() *Status, reasons *[dataplane.NumReasons]string, refusals []string) *collector {
	var names []string
	for _, r := range reasons {
		if r != "" {
			names = append(names, r)
		}
	}
	sort.Strings(names)
	return &collector{status: status, all: append(families(names, refusals), functionFamilies()...),
		delay: prometheus.NewDesc("granule_delay_seconds", "Time from receive to retire of packets that went to a worker.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range c.all {
		ch <- c.all[i].desc
	}
	ch <- c.delay
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	for i := range c.all {
		m := &c.all[i]
		m.read(s, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
		})
	}
	buckets := map[float64]uint64{}
	sum := uint64(0)
	for i, n := range s.Packets.Delays {
		sum += n
		buckets[float64(uint64(1)<<i)/1e6] = sum
	}
	ch <- prometheus.MustNewConstHistogram(c.delay, sum, float64(s.Packets.sumNS)/1e9, buckets)
}

// ProblemNames returns the names of packet problems by value.
func ProblemNames() []string {
	names := make([]string, packet.NumProblems)
	for i := range names {
		names[i] = packet.Problem(i).String()
	}
	return names
}

// stages reads a value of each stage.
func stages(value func(*coordinator.Stage) float64) func(*Status, func(float64, ...string)) {
	return func(s *Status, emit func(float64, ...string)) {
		for i := range s.Stages {
			emit(value(&s.Stages[i]), s.Stages[i].Name)
		}
	}
}

func busiest(s *Status, emit func(float64, ...string)) {
	for i := range s.Stages {
		most := 0.0
		for _, w := range s.Workers {
			if w.Stage == s.Stages[i].Name {
				most = max(most, w.Utilisation)
			}
		}
		emit(most, s.Stages[i].Name)
	}
}
