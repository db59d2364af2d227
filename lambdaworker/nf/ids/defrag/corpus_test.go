package defrag

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// corpus returns the folder of the test corpora, or skips.
func corpus(t testing.TB) string {
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus at %s; set GRANULE_CORPUS", dir)
	}
	return dir
}

// each calls f for every frame of a capture file.
func each(t testing.TB, file string, f func(frame []byte, wire int)) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xa1 {
		o = binary.BigEndian
	}
	raw := o.Uint32(b[20:]) != 1 // no link header: the tests give it one
	for b = b[24:]; len(b) >= 16; {
		n := int(o.Uint32(b[8:]))
		if 16+n > len(b) {
			return
		}
		data, wire := b[16:16+n], int(o.Uint32(b[12:]))
		if raw && n > 0 {
			link := []byte{12: 8, 13: 0}
			if data[0]>>4 == 6 {
				link[12], link[13] = 0x86, 0xdd
			}
			data, wire = append(link, data...), wire+14
		}
		f(data, wire)
		b = b[16+n:]
	}
}

// TestSegmentInFragments: the rule of this case wants a TCP payload of 1000 bytes.
func TestSegmentInFragments(t *testing.T) {
	d := New(Config{Arena: arena.New(1 << 20)})
	got := 0
	each(t, filepath.Join(corpus(t), "ids/defrag__bug-6887-defrag-ipv6-tcp/input.pcap"), func(frame []byte, wire int) {
		var in packet.Info
		packet.Parse(frame, wire, &in)
		if !in.Frag {
			return
		}
		if whole, info, ok := d.Add(&in, frame, 0); ok {
			got = len(info.Bytes(whole))
			if info.Proto != packet.ProtoTCP || info.Problem != packet.OK {
				t.Fatalf("%+v", *info)
			}
		}
	})
	if got != 1000 {
		t.Fatalf("payload of %d bytes", got)
	}
}

// TestAllCaptures: no capture of the corpora makes the defragmenter panic or leak.
func TestAllCaptures(t *testing.T) {
	for _, glob := range []string{"traffic/*.pcap", "malformed/*.pcap", "ids/*/input.pcap"} {
		files, _ := filepath.Glob(filepath.Join(corpus(t), glob))
		if len(files) == 0 {
			t.Fatalf("no capture matches %s", glob)
		}
		a := arena.New(1 << 20)
		d := New(Config{Arena: a})
		for _, f := range files {
			each(t, f, func(frame []byte, wire int) {
				var in packet.Info
				if packet.Parse(frame, wire, &in); in.Frag {
					if whole, info, ok := d.Add(&in, frame, 0); ok && (info.Kind != in.Kind || len(whole) < 34) {
						t.Errorf("%s: %+v", f, *info)
					}
				}
			})
		}
		for d.oldest != 0 {
			d.drop(d.oldest)
		}
		if a.Used() != 0 {
			t.Fatalf("%d bytes leaked", a.Used())
		}
	}
}
