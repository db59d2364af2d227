package gatewaytest

import (
	"fmt"
	"testing"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/ingress/packet"
)

// Lanes reads a capture as each flow and direction's frames in order; frames that are not IP are one lane.
func Lanes(t testing.TB, path string) (lanes map[string][]string, frames int) {
	t.Helper()
	port, err := capture.Open(capture.Config{Read: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = port.Close() }()
	lanes = map[string][]string{}
	var batch [64]ingress.Frame
	for !port.Done() {
		n := port.Receive(batch[:])
		for _, f := range batch[:n] {
			name := LaneOf(f.Data, int(f.Wire))
			lanes[name] = append(lanes[name], fmt.Sprint(f.Time, f.Wire, string(f.Data)))
			port.Release([]uint32{f.ID})
			frames++
		}
	}
	return lanes, frames
}

// LaneOf names the flow and direction of a frame.
func LaneOf(frame []byte, onWire int) string {
	var in packet.Info
	packet.Parse(frame, onWire, &in)
	if in.Kind == packet.NotIP {
		return "other"
	}
	var k packet.Key
	return fmt.Sprint(in.Key(frame, &k), k)
}
