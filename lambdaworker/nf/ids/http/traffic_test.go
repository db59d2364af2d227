package http

import (
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// TestTraffic compares with tshark's count of requests and responses in TCP. tshark leaves out responses whose end it did
// not see.
func TestTraffic(t *testing.T) {
	for _, c := range []struct {
		capture             string
		requests, responses int
	}{
		{"traffic/android.pcap", 4, 4},
		{"traffic/anyconnect-vpn.pcap", 9, 9},
		{"traffic/gnutella.pcap", 3, 1},
		{"traffic/hls.pcap", 1, 1},
		{"traffic/instagram.pcap", 8, 0},
		{"traffic/ocsp.pcap", 18, 18},
		{"traffic/sites.pcap", 5, 5},
		{"traffic/starcraft_battle.pcap", 20, 13},
		{"traffic/webex.pcap", 2, 2},
		{"ids/http-async/input.pcap", 2, 2},
		{"ids/decode-sll2-02/input.pcap", 1, 1},
		{"ids/bug-5578-http-dsize-drop/input.pcap", 1, 1},
	} {
		t.Run(c.capture, func(t *testing.T) {
			p := capture(t, filepath.Join(corpus.Larger(t, ""), c.capture), Config{PerFlow: 4096, Transactions: 20000}, true, true)
			requests, responses := 0, 0
			for i := range p.txs {
				if v, _ := p.Buffer(&p.txs[i], proto.ToServer, Method); len(v) > 0 {
					requests++
				}
				if p.txs[i].Status != 0 {
					responses++
				}
			}
			if requests != c.requests || responses < c.responses {
				t.Errorf("%d requests and %d responses, tshark has %d and %d", requests, responses, c.requests, c.responses)
			}
		})
	}
}

// TestAllCaptures: nothing in any capture of the corpora makes the tracker or the parser panic.
func TestAllCaptures(t *testing.T) {
	for _, glob := range []string{"traffic/*.pcap", "malformed/*.pcap", "ids/*/input.pcap"} {
		files, _ := filepath.Glob(filepath.Join(corpus.Larger(t, ""), glob))
		if len(files) == 0 {
			t.Fatalf("no capture matches %s", glob)
		}
		for _, f := range files {
			p := capture(t, f, Config{}, len(f)%2 == 0, true)
			for flow := range uint32(512) {
				p.Forget(flow)
			}
		}
	}
}
