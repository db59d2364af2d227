package defrag

import (
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// TestSegmentInFragments: the rule of this case wants a TCP payload of 1000 bytes.
func TestSegmentInFragments(t *testing.T) {
	d := New(Config{Arena: arena.New(1 << 20)})
	got := 0
	for _, c := range nftest.ReadPCAP(t, filepath.Join(corpus.Larger(t, "ids/defrag__bug-6887-defrag-ipv6-tcp"), "input.pcap")) {
		var in packet.Info
		packet.Parse(c.Data, int(c.Wire), &in)
		if !in.Frag {
			continue
		}
		if whole, info, ok := d.Add(0, &in, c.Data, 0); ok {
			got = len(info.Bytes(whole))
			if info.Proto != packet.ProtoTCP || info.Problem != packet.OK {
				t.Fatalf("%+v", *info)
			}
		}
	}
	if got != 1000 {
		t.Fatalf("payload of %d bytes", got)
	}
}

// TestAllCaptures: no capture of the corpora makes the defragmenter panic or leak.
func TestAllCaptures(t *testing.T) {
	for _, glob := range []string{"traffic/*.pcap", "malformed/*.pcap", "ids/*/input.pcap"} {
		files, _ := filepath.Glob(filepath.Join(corpus.Larger(t, ""), glob))
		if len(files) == 0 {
			t.Fatalf("no capture matches %s", glob)
		}
		a := arena.New(1 << 20)
		d := New(Config{Arena: a})
		for _, f := range files {
			for _, c := range nftest.ReadPCAP(t, f) {
				var in packet.Info
				if packet.Parse(c.Data, int(c.Wire), &in); in.Frag {
					if whole, info, ok := d.Add(0, &in, c.Data, 0); ok && (info.Kind != in.Kind || len(whole) < 34) {
						t.Errorf("%s: %+v", f, *info)
					}
				}
			}
		}
		for d.oldest != 0 {
			d.drop(d.oldest)
		}
		if a.Used() != 0 {
			t.Fatalf("%d bytes leaked", a.Used())
		}
	}
}
