package nf

import "github.com/granule-nf/granule/ingress/packet"

// path is the way of packets through a stage. Functions stand like boxes on the wire: packets from inside meet them in their order, packets from
// outside in reverse (a symmetric chain, RFC 7665 section 2.2). Translators cut the stage into planes: a connection looks the same, in both
// directions, to all functions of a plane, and is another flow in the next one.
//
//	inside   plane 0   translator   plane 1   translator   plane 2   outside
type path struct {
	fixed bool    // packets from outside meet the functions in the same order as those from inside
	plane []uint8 // of each function; of a translator the one on its inside
	last  uint8   // the plane at the outside
	keyed []bool  // by plane: something wants Packet.Key there
	flows []bool  // by plane: something wants Packet.Flow there
	steps []bool  // by function: it is a translator
	noted uint8   // the plane whose flows the recorder tells
}

// newPath lays out functions with these needs.
func newPath(needs []Needs) path {
	w := path{plane: make([]uint8, len(needs)), steps: make([]bool, len(needs)), keyed: make([]bool, 1), flows: make([]bool, 1)}
	inspects, keeps := -1, -1
	for i, n := range needs {
		w.plane[i], w.steps[i] = w.last, n.Translates
		w.flows[w.last] = w.flows[w.last] || n.Flows
		if n.Translates {
			w.keyed[w.last] = w.keyed[w.last] || n.Flows
			w.last++
			w.keyed, w.flows = append(w.keyed, n.Flows), append(w.flows, n.Flows)
			continue
		}
		w.keyed[w.last] = w.keyed[w.last] || n.Flows
		if n.Flows && keeps < 0 {
			keeps = i
		}
		if n.Flows && n.Reads == Full && inspects < 0 {
			inspects = i
		}
	}
	// Flows are told as the function sees them that is most likely to have told of them before: alerts name a flow too.
	if inspects >= 0 {
		w.noted = w.plane[inspects]
	} else if keeps >= 0 {
		w.noted = w.plane[keeps]
	}
	return w
}

// note has the flows of the recorder's plane found.
func (w *path) note() { w.keyed[w.noted], w.flows[w.noted] = true, true }

// splits reports whether the two directions of a batch can't be judged together.
func (w *path) splits() bool { return !w.fixed && len(w.plane) > 1 }

// enters is the plane in which packets from that side arrive.
func (w *path) enters(from Side) uint8 {
	if from == Outside {
		return w.last
	}
	return 0
}

// Translator is implemented by functions that rewrite addresses. Frames that functions behind it make go through it, as packets do.
type Translator interface {
	// Translate rewrites one frame that comes from that side as it would a packet, without any effect on its state; false if nobody is to get it.
	Translate(frame []byte, in *packet.Info, from Side, now int64) bool
}

// carry takes a frame that function from made through the translators on its way out of port to; false if one of them keeps it.
func (p *Pipeline) carry(frame []byte, from int, to Side, now int64) bool {
	if p.way.last == 0 {
		return true
	}
	step, side := 1, Inside
	if to == Inside {
		step, side = -1, Outside
	}
	in := &p.made
	for i := from + step; i >= 0 && i < len(p.nfs); i += step {
		t, ok := p.nfs[i].(Translator)
		if !ok {
			continue
		}
		packet.Parse(frame, len(frame), in)
		if !t.Translate(frame, in, side, now) {
			return false
		}
	}
	return true
}
