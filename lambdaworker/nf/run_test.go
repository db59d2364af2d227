package nf_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// witness notes the packets that it is shown, by their port, and drops those of dropped.
type witness struct {
	name    string
	met     *[]string
	dropped map[uint16]bool
	fresh   []uint16
}

func (w *witness) Needs() nf.Needs { return nf.Needs{Reads: nf.Headers, Flows: true} }

func (w *witness) Report(*nf.Report) {}

func (w *witness) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		port := min(p.SrcPort, p.DstPort)
		if port == 53 {
			port = max(p.SrcPort, p.DstPort)
		}
		*w.met = append(*w.met, fmt.Sprint(w.name, port))
		if p.NewFlow {
			w.fresh = append(w.fresh, port)
		}
		if w.dropped[port] {
			b.Drop(i, nf.DropRule)
		}
	}
}

func out(port int) nftest.P {
	return nftest.UDP("10.0.0.2:53", fmt.Sprintf("10.0.0.1:%d", port), "").Outside()
}

// Packets from inside meet the functions in order, packets from outside in reverse; each function meets all of them in the order in which they came.
func TestBothDirectionsOfABatch(t *testing.T) {
	for _, batch := range []int{1, 2, 64} {
		var met []string
		p := nf.NewPipeline([]nf.NF{&witness{name: "a", met: &met}, &witness{name: "b", met: &met}}, state.NewTable(64, int64(time.Minute), 1), 0)
		nftest.Run(p, nftest.Packets(udp(1, ""), out(1), udp(1, ""), out(2), out(3), udp(4, "")), batch)
		by := map[string]string{}
		for _, m := range met {
			by[m[:1]] += m[1:]
		}
		if by["a"] != "111234" || by["b"] != "111234" {
			t.Errorf("batches of %d: the functions met %v", batch, by)
		}
		if met[0] != "a1" || met[1] != "b1" || met[2] != "b1" || met[3] != "a1" {
			t.Errorf("batches of %d: met in the order %v", batch, met)
		}
	}
}

// A flow is entered when a packet of it has passed: one whose packets are dropped is new each time, and pushes nobody out of a full table.
func TestDroppedPacketsEnterNothing(t *testing.T) {
	for _, batch := range []int{1, 3, 64} {
		var met []string
		first, last := &witness{name: "a", met: &met}, &witness{name: "b", met: &met, dropped: map[uint16]bool{7: true}}
		table := state.NewTable(64, int64(time.Hour), 1)
		p := nf.NewPipeline([]nf.NF{first, last}, table, 0)
		nftest.Run(p, nftest.Packets(udp(1, ""), udp(7, ""), udp(7, ""), udp(1, ""), udp(7, ""), udp(8, ""), udp(8, "")), batch)
		if got := fmt.Sprint(first.fresh); got != "[1 7 7 7 8]" {
			t.Errorf("batches of %d: new flows %s", batch, got)
		}
		if table.Len() != 2 {
			t.Errorf("batches of %d: %d flows are known, want 2", batch, table.Len())
		}
	}
}
