package main

import (
	"slices"
)

// results are all figures of a run: series of one value a round, in base units (bits a second, seconds, packets a second,
// objects or bytes a packet).
type results struct {
	Machine string                          `json:"machine"`
	Sender  string                          `json:"tcp_sender"`
	Rounds  int                             `json:"rounds"`
	Seconds float64                         `json:"seconds"`
	Series  map[string]map[string][]float64 `json:"series"` // by what is measured, by contestant
	Lost    uint64                          `json:"lost_at_light_load"`
	Flows   *flowFigures                    `json:"flow_table,omitempty"`

	SlotBytes int `json:"bytes_per_parked_packet,omitempty"`
	FlowBytes int `json:"bytes_per_flow_accounted,omitempty"`
}

func newResults(s settings, machine string) *results {
	return &results{Machine: machine, Sender: tcpSender(), Rounds: s.rounds, Seconds: s.seconds, Series: map[string]map[string][]float64{}}
}

func (r *results) add(what, who string, v float64) {
	if r.Series[what] == nil {
		r.Series[what] = map[string][]float64{}
	}
	r.Series[what][who] = append(r.Series[what][who], v)
}

// median of v; of an even number the mean of the middle two, of none 0.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// ratio is the median of the rounds' ratios: neighbours in time are compared, so that a slow minute of the machine cancels.
func (r *results) ratio(what, who, against string) (float64, bool) {
	a, b := r.Series[what][who], r.Series[what][against]
	var q []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			q = append(q, a[i]/b[i])
		}
	}
	return median(q), len(q) > 0
}
