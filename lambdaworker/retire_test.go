package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// lastWords raises an event when no packet will come any more.
type lastWords struct{ obedient }

func (*lastWords) Flush(b *nf.Batch) {
	b.Events.Commit(append(b.Events.Room(), `{"event_type":"alert","last":"words"}`...))
}

func init() {
	nf.Register(nf.Type{Name: "test-last-words", Doc: "says something at the end", New: func(nf.Setup) (nf.NF, error) { return &lastWords{}, nil }})
}

// TestRetiredWorkerFlushes: what flows' end brings to light is said before the worker's Bye, if it had any packets.
func TestRetiredWorkerFlushes(t *testing.T) {
	for _, packets := range []int{0, 2} {
		l, gateway := bareLink(t, nf.BundleNF{Name: "test-last-words"})
		var say []byte
		if packets > 0 {
			say = batchOf(1, make([]byte, 60), make([]byte, 60))
		}
		if _, err := gateway.Write(wire.AppendRetire(say)); err != nil {
			t.Fatal(err)
		}
		l.serve()
		gateway.SetReadDeadline(time.Now().Add(5 * time.Second))
		said, err := io.ReadAll(gateway)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(said), `"last":"words"`); got != packets/2 {
			t.Errorf("after %d packets the worker leaves with %d events", packets, got)
		}
	}
}
