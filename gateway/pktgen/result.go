package pktgen

import "time"

// Result is what a trial came to: a direction each, From TX to RX first.
type Result struct {
	Directions []Direction `json:"directions"`
}

// Direction is what became of the frames of one end. Bits are of frames with their FCS; wire bits with preamble and gap, too,
// which is what a link's rate is counted in.
type Direction struct {
	From       string  `json:"from"`
	To         string  `json:"to"`
	Flows      int     `json:"flows"`
	MeanFrame  float64 `json:"mean_frame_bytes"`
	Seconds    float64 `json:"seconds"`     // of sending
	OfferedPPS float64 `json:"offered_pps"` // that the sender's interface took
	Sent       uint64  `json:"sent"`
	Received   uint64  `json:"received"`
	Lost       uint64  `json:"lost"`
	LossRatio  float64 `json:"loss_ratio"`
	Reordered  uint64  `json:"reordered"`
	Duplicated uint64  `json:"duplicated"`
	Foreign    uint64  `json:"foreign"` // frames on the receiving link that are not of this trial
	PPS        float64 `json:"received_pps"`
	BPS        float64 `json:"received_bps"`
	WireBPS    float64 `json:"received_wire_bps"`
	Delay      Delay   `json:"delay"`
}

// Delay is one way, from the moment before a frame was given to the kernel to the moment it was taken from it again; in JSON ns.
// A percentile is at most 1/32 too high.
type Delay struct {
	Min  time.Duration `json:"min_ns"`
	Mean time.Duration `json:"mean_ns"`
	P50  time.Duration `json:"p50_ns"`
	P99  time.Duration `json:"p99_ns"`
	P999 time.Duration `json:"p999_ns"`
	Max  time.Duration `json:"max_ns"`
}

func direction(from, to *end, fromName, toName string) Direction {
	d := Direction{From: fromName, To: toName, Flows: int(from.flows), Sent: from.sent, Received: to.got.received,
		Reordered: to.got.reordered, Duplicated: to.got.duplicated, Foreign: to.foreign}
	if from.sent > 0 {
		d.MeanFrame = float64(from.sentBytes) / float64(from.sent)
		d.Lost = from.sent - min(from.sent, to.got.received)
		d.LossRatio = float64(d.Lost) / float64(from.sent)
	}
	if s := float64(from.lastSent-from.firstSent) / 1e9; s > 0 {
		d.Seconds = s
		d.OfferedPPS = float64(from.sent) / s
	}
	if s := float64(to.lastRecv-to.firstRecv) / 1e9; s > 0 {
		d.PPS = float64(to.got.received) / s
		d.BPS = float64(to.gotBytes) * 8 / s
		d.WireBPS = float64(to.gotBytes+wireGap*to.got.received) * 8 / s
	}
	h := &to.delay
	if h.count > 0 {
		d.Delay = Delay{Min: time.Duration(h.min), Mean: h.mean(), P50: h.quantile(0.5), P99: h.quantile(0.99), P999: h.quantile(0.999), Max: time.Duration(h.max)}
	}
	return d
}
