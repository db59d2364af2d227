package stream

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// follow runs frames through a tracker and returns all that is handed out, with "~" for gaps, and all payloads as they are afterwards.
func follow(tr *Tracker, flows *state.Table, all []nftest.Packet, collect bool) (streams, payloads string) {
	var c Chunk
	var out, pay strings.Builder
	drain := func(flow uint32) {
		for d := proto.ToServer; d <= proto.ToClient; d++ {
			for tr.Next(flow, d, &c) {
				if collect {
					out.Write(c.Data)
					if c.Gap > 0 {
						out.WriteByte('~')
					}
				}
			}
			if _, _, _, due := tr.Raw(flow, d); due {
				tr.RawDone(flow, d)
			}
		}
	}
	for _, c := range all {
		data := c.Data
		var in packet.Info
		var k packet.Key
		packet.Parse(data, int(c.Wire), &in)
		if in.Kind == packet.NotIP {
			continue
		}
		var s Segment
		if rev := in.Key(data, &k); !s.Read(&in, data, rev, 0) {
			continue
		}
		flow, _ := flows.Get((*[6]uint64)(&k), 0)
		var r Result
		tr.Packet(flow, &s, &r)
		drain(flow)
		if collect {
			pay.Write(s.Payload)
		}
	}
	for flow := range uint32(flows.Cap()) {
		tr.Flush(flow)
		drain(flow)
		tr.Forget(flow)
	}
	return out.String(), pay.String()
}

// TestCorpus checks what the cases' rules expect of the stream itself.
func TestCorpus(t *testing.T) {
	for _, c := range []struct {
		name          string
		inline        bool
		has, hasNot   string // of the streams
		inPay, notPay string // of the payloads afterwards
	}{
		{"eve-overlap-payload-01", false, "GOOD", "EVIL", "EVIL", ""},
		{"eve-overlap-payload-03-ips", true, "GOOD", "EVIL", "GOOD", "EVIL"},
		{"eve-overlap-payload-04-partial-overlap", false, "GOOD", "EVIL", "GOODXXX", ""},
		{"eve-overlap-payload-05-gap", false, "VERY~DATA", "GOOD", "DATA", ""},
		{"eve-payload-01-tcp-exact-overlap", false, "GOOD", "EVIL", "EVIL", ""},
		{"eve-payload-03-tcp-exact-overlap-ips", true, "GOOD", "EVIL", "GOOD", "EVIL"},
		{"eve-payload-04-partial-overlap", false, "GOOD", "EVIL", "GOODXXX", ""},
		{"tcp-fastopen-05", true, "Hello!", "", "Hello!", ""},
		{"tcp-fastopen-06", false, "/etc/passwd", "", "", ""},
		{"tcp-fastopen-08", false, "d2d3", "", "", ""},
		{"tcp-fastopen-13", true, "GET", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := New(Config{Flows: 64, Arena: arena.New(1 << 20), Inline: c.inline, Raw: true})
			streams, payloads := follow(tr, state.NewTable(64, 1<<62, 1), nftest.ReadPCAP(t, filepath.Join(corpus.Larger(t, "ids"), c.name, "input.pcap")), true)
			if !strings.Contains(streams, c.has) || c.hasNot != "" && strings.Contains(streams, c.hasNot) {
				t.Errorf("streams %.300q, want %q in them and not %q", streams, c.has, c.hasNot)
			}
			if !strings.Contains(payloads, c.inPay) || c.notPay != "" && strings.Contains(payloads, c.notPay) {
				t.Errorf("payloads %.300q, want %q in them and not %q", payloads, c.inPay, c.notPay)
			}
		})
	}
}

// TestAllCaptures: no capture of the corpora makes the tracker panic, leak or allocate.
func TestAllCaptures(t *testing.T) {
	a := arena.New(8 << 20)
	flows := state.NewTable(256, 1<<62, 1)
	for i, glob := range []string{"traffic/*.pcap", "malformed/*.pcap", "ids/*/input.pcap"} {
		files, _ := filepath.Glob(filepath.Join(corpus.Larger(t, ""), glob))
		if len(files) == 0 {
			t.Fatalf("no capture matches %s", glob)
		}
		tr := New(Config{Flows: 256, Arena: a, Inline: i == 1, Midstream: true, Raw: true})
		for _, f := range files {
			all := nftest.ReadPCAP(t, f)
			if n := testing.AllocsPerRun(1, func() { follow(tr, flows, all, false) }); n != 0 {
				t.Errorf("%s: %v allocations", f, n)
			}
			if a.Used() != 0 {
				t.Fatalf("%s: %d bytes leaked", f, a.Used())
			}
		}
	}
}

// TestMemory: 50,000 flows with segments that wait in both directions stay well under 150 MB.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const flows = 50000
	tr := New(Config{Flows: flows, Arena: arena.New(64 << 20), Raw: true})
	var r Result
	data := make([]byte, 200)
	for f := range uint32(flows) {
		tr.Packet(f, &Segment{Flags: syn, Seq: 1, Window: 65535}, &r)
		tr.Packet(f, &Segment{Reverse: true, Flags: syn | ack, Seq: 1, Ack: 2, Window: 65535}, &r)
		tr.Packet(f, &Segment{Flags: ack, Seq: 2, Ack: 2, Window: 65535, Payload: data}, &r)
		tr.Packet(f, &Segment{Flags: ack, Seq: 302, Ack: 2, Window: 65535, Payload: data}, &r)
	}
	runtime.ReadMemStats(&after)
	if tr.Stats().NoMemory != 0 {
		t.Fatalf("%+v", tr.Stats())
	}
	if mb := (after.Sys - before.Sys) >> 20; mb > 120 {
		t.Fatalf("%d MB", mb)
	}
	runtime.KeepAlive(tr)
}
