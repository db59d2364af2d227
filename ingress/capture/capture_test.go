package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress"
)

// file builds a little-endian pcap file of the given records.
func file(linkType uint32, records ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xA1B2C3D4)
	b = append(b, 2, 0, 4, 0)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 65535)
	b = binary.LittleEndian.AppendUint32(b, linkType)
	for _, r := range records {
		b = append(b, r...)
	}
	return b
}

// record is one record captured at i seconds and i microseconds.
func record(i, wire int, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(i))
	b = binary.LittleEndian.AppendUint32(b, uint32(i))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(wire))
	return append(b, data...)
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// through copies a capture to another through two ports, in bursts, and returns what the reader had to say.
func through(t testing.TB, from, to string, frames int) (packets int, readErr error) {
	t.Helper()
	in, err := Open(Config{Read: from, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Open(Config{Write: to, LinkType: in.LinkType(), Nanos: in.Nanos()})
	if err != nil {
		t.Fatal(err)
	}
	burst, ids := make([]ingress.Frame, 7), []uint32{}
	for !in.Done() {
		n := in.Receive(burst)
		packets += n
		if taken := out.Transmit(burst[:n]); taken != n {
			t.Fatalf("wrote %d of %d", taken, n)
		}
		out.Flush()
		ids = ids[:0]
		for _, f := range burst[:n] {
			if f.Wire < uint32(len(f.Data)) {
				t.Fatalf("wire length %d below the %d captured", f.Wire, len(f.Data))
			}
			ids = append(ids, f.ID)
		}
		in.Release(ids)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	readErr = in.Err()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	return packets, readErr
}

// body is a pcap file without its header, whose snap length is no matter, and in little-endian order, which is what is
// written whatever was read.
func body(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b[0] != 0xA1 {
		return b[24:]
	}
	for at := 24; at+16 <= len(b); {
		head := b[at : at+16]
		at += 16 + int(binary.BigEndian.Uint32(head[8:]))
		for ; len(head) > 0; head = head[4:] {
			binary.LittleEndian.PutUint32(head, binary.BigEndian.Uint32(head))
		}
	}
	return b[24:]
}

// TestCorpus sends every capture of the corpus through: each packet that the manifest counts, its bytes, lengths and times.
func TestCorpus(t *testing.T) {
	for _, folder := range []string{"malformed", "traffic"} {
		dir := corpus.Folder(t, folder)
		var manifest struct {
			Files []struct {
				File    string
				Packets int
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &manifest); err != nil {
			t.Fatal(err)
		}
		for _, c := range manifest.Files {
			t.Run(folder+"/"+c.File, func(t *testing.T) {
				from, to := filepath.Join(dir, c.File), filepath.Join(t.TempDir(), "out.pcap")
				n, err := through(t, from, to, 16)
				if err != nil || n != c.Packets {
					t.Errorf("%d packets, expected %d (%v)", n, c.Packets, err)
				}
				if !bytes.Equal(body(t, from), body(t, to)) {
					t.Error("what was written differs from what was read")
				}
			})
		}
	}
}

func TestUnreadable(t *testing.T) {
	good := record(1, 60, make([]byte, 60))
	claims := func(captured, wire uint32) []byte {
		r := record(2, 60, make([]byte, 60))
		binary.LittleEndian.PutUint32(r[8:], captured)
		binary.LittleEndian.PutUint32(r[12:], wire)
		return r
	}
	for _, c := range []struct {
		name    string
		tail    []byte
		packets int
		err     string // "" for none
	}{
		{"nothing after it", nil, 1, ""},
		{"header cut short", good[:9], 1, "record 2 is unreadable"},
		{"data cut short", good[:50], 1, "record 2 is unreadable"},
		{"more captured than the file holds", claims(1000, 1000), 1, "record 2 is unreadable"},
		{"4 GiB captured", claims(0xffffffff, 0xffffffff), 1, "record 2 is unreadable"},
		{"data missing", good[:16], 1, "record 2 is unreadable"},
		{"more captured than was on the wire", append(claims(60, 40), good...), 3, ""},
		{"4 GiB on the wire", claims(60, 0xffffffff), 2, ""},
		{"empty record", record(3, 0, nil), 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := through(t, write(t, "in.pcap", file(1, good, c.tail)), filepath.Join(t.TempDir(), "out.pcap"), 16)
			if n != c.packets {
				t.Errorf("%d packets, expected %d", n, c.packets)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, expected %q", err, c.err)
			}
		})
	}
}

// A record that says it is longer than it was on the wire is read whole, in either byte order and of either unit of time, as tcpdump and
// tshark read it; through checks that it leaves with the length of its bytes.
func TestCapturedBeyondWire(t *testing.T) {
	for _, order := range []interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{0xA1B2C3D4, 0xA1B23C4D} {
			b := order.AppendUint32(nil, magic)
			b = order.AppendUint16(order.AppendUint16(b, 2), 4)
			b = order.AppendUint32(append(b, make([]byte, 8)...), 65535)
			b = order.AppendUint32(b, 1)
			for i, wire := range []uint32{60, 0, 59, 1500} {
				b = order.AppendUint32(order.AppendUint32(b, uint32(i)), 7)
				b = order.AppendUint32(order.AppendUint32(b, 60), wire)
				b = append(b, bytes.Repeat([]byte{byte(i)}, 60)...)
			}
			to := filepath.Join(t.TempDir(), "out.pcap")
			if n, err := through(t, write(t, "in.pcap", b), to, 16); n != 4 || err != nil {
				t.Errorf("%v, magic %x: %d packets, want 4 (%v)", order, magic, n, err)
			}
			out := body(t, to)
			for i, wire := range []uint32{60, 60, 60, 1500} {
				r := out[i*76 : (i+1)*76]
				if got := binary.LittleEndian.Uint32(r[12:]); got != wire || r[16] != byte(i) || r[75] != byte(i) {
					t.Errorf("%v, magic %x: record %d left with %d bytes on the wire, want %d, data %x", order, magic, i+1, got, wire, r[16:])
				}
			}
		}
	}
}

func TestRefusedAtOpen(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty": {}, "three bytes": {1, 2, 3}, "text": []byte("this is not a capture file, is it now?"),
		"header cut short": file(1)[:20], "Linux cooked": file(113), "pcapng cut short": {0x0A, 0x0D, 0x0D, 0x0A, 1},
	} {
		if _, err := Open(Config{Read: write(t, "x.pcap", content)}); err == nil || !strings.Contains(err.Error(), "x.pcap") {
			t.Errorf("%s: error %v, expected one that names the file", name, err)
		}
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("a port with no file was opened")
	}
}

// TestBareIP reads captures without link headers: frames have one, what is written has none.
func TestBareIP(t *testing.T) {
	v4, v6, odd := append([]byte{0x45}, make([]byte, 19)...), append([]byte{0x60}, make([]byte, 39)...), []byte{0x50, 1}
	for _, c := range []struct {
		link  LinkType
		types []uint16
	}{
		{Raw, []uint16{0x0800, 0x86DD, 0, 0}},
		{IPv4, []uint16{0x0800, 0x0800, 0x0800, 0x0800}},
		{IPv6, []uint16{0x86DD, 0x86DD, 0x86DD, 0x86DD}},
	} {
		content := file(uint32(c.link), record(0, 20, v4), record(1, 99, v6), record(2, 2, odd), record(3, 0, nil))
		path := write(t, "in.pcap", content)
		in, err := Open(Config{Read: path})
		if err != nil {
			t.Fatal(err)
		}
		frames := make([]ingress.Frame, 8)
		if n := in.Receive(frames); n != 4 {
			t.Fatalf("%v: %d frames, expected 4", c.link, n)
		}
		for i, want := range c.types {
			if got := binary.BigEndian.Uint16(frames[i].Data[12:]); got != want {
				t.Errorf("%v: frame %d has EtherType %#04x, expected %#04x", c.link, i, got, want)
			}
		}
		if frames[1].Wire != 99+etherLen || frames[1].Time != 1_000_001_000 {
			t.Errorf("%v: wire %d, time %d", c.link, frames[1].Wire, frames[1].Time)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.pcap")
		through(t, path, out, 16)
		if !bytes.Equal(body(t, out), content[24:]) {
			t.Errorf("%v: what was written differs from what was read", c.link)
		}
	}
}

// TestPcapng writes pcapng, reads it, and finds the same records.
func TestPcapng(t *testing.T) {
	content := file(1, record(7, 60, bytes.Repeat([]byte{7}, 60)), record(8, 3000, bytes.Repeat([]byte{8}, 61)))
	ng, back := filepath.Join(t.TempDir(), "a.pcapng"), filepath.Join(t.TempDir(), "b.pcap")
	if n, err := through(t, write(t, "in.pcap", content), ng, 16); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	in, err := Open(Config{Read: ng})
	if err != nil {
		t.Fatal(err)
	}
	if !in.Nanos() {
		t.Error("pcapng has times in ns")
	}
	out, err := Open(Config{Write: back})
	if err != nil {
		t.Fatal(err)
	}
	frames := make([]ingress.Frame, 4)
	out.Transmit(frames[:in.Receive(frames)])
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body(t, back), content[24:]) {
		t.Error("pcap to pcapng to pcap changed the records")
	}
	whole, err := os.ReadFile(ng)
	if err != nil {
		t.Fatal(err)
	}
	// Cut at each byte: what is whole is read, and a file that does not end with a block is said to be cut.
	for cut := range len(whole) {
		p, err := Open(Config{Read: write(t, "cut.pcapng", whole[:cut])})
		if err != nil {
			continue
		}
		n := p.Receive(frames)
		p.Receive(frames)
		if !p.Done() {
			t.Fatalf("cut at %d: not done after %d frames", cut, n)
		}
		if p.Err() == nil && n == 2 {
			t.Fatalf("cut at %d of %d: nothing was missed", cut, len(whole))
		}
	}
}

// TestHoldAll parks as many frames as there are buffers: Receive waits for a release instead of losing one.
func TestHoldAll(t *testing.T) {
	var records [][]byte
	for i := range 10 {
		records = append(records, record(i, 60, bytes.Repeat([]byte{byte(i)}, 60)))
	}
	in, err := Open(Config{Read: write(t, "in.pcap", file(1, records...)), Frames: 4})
	if err != nil {
		t.Fatal(err)
	}
	frames, got := make([]ingress.Frame, 10), 0
	for !in.Done() {
		n := in.Receive(frames)
		if n > 4 {
			t.Fatalf("%d frames out of 4 buffers", n)
		}
		if again := in.Receive(frames[n:]); n == 4 && again != 0 {
			t.Fatal("a frame out of no buffer")
		}
		for i := n - 1; i >= 0; i-- { // in any order
			if frames[i].Data[0] != byte(got+i) {
				t.Fatalf("frame %d holds %d", got+i, frames[i].Data[0])
			}
			in.Release([]uint32{frames[i].ID})
		}
		got += n
	}
	if got != 10 {
		t.Errorf("%d frames, expected 10", got)
	}
}

func TestWriteFailureIsTold(t *testing.T) {
	p, err := Open(Config{Write: filepath.Join(t.TempDir(), "out.pcap")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.out.file.Close(); err != nil {
		t.Fatal(err)
	}
	p.Transmit([]ingress.Frame{{Data: make([]byte, 60), Wire: 60}})
	p.Flush()
	p.Transmit([]ingress.Frame{{Data: make([]byte, 60), Wire: 60}})
	var s ingress.PortStats
	p.Stats(&s)
	if p.Err() == nil || s.TxErrors != 1 {
		t.Errorf("error %v, stats %+v", p.Err(), s)
	}
}

func TestNoAllocation(t *testing.T) {
	var records [][]byte
	for i := range 4000 {
		records = append(records, record(i, 1400, make([]byte, 1400)))
	}
	in, err := Open(Config{Read: write(t, "in.pcap", file(1, records...))})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Open(Config{Write: filepath.Join(t.TempDir(), "out.pcap")})
	if err != nil {
		t.Fatal(err)
	}
	frames, ids := make([]ingress.Frame, 16), make([]uint32, 0, 16)
	if allocs := testing.AllocsPerRun(100, func() {
		n := in.Receive(frames)
		out.Transmit(frames[:n])
		out.Flush()
		ids = ids[:0]
		for _, f := range frames[:n] {
			ids = append(ids, f.ID)
		}
		in.Release(ids)
	}); allocs != 0 {
		t.Errorf("%v allocations a burst, expected 0", allocs)
	}
}

// FuzzRead reads anything: no panic, no endless loop, no frame that claims to be shorter than it is.
func FuzzRead(f *testing.F) {
	f.Add(file(1, record(1, 60, make([]byte, 60)), record(2, 70, make([]byte, 64))))
	f.Add(file(101, record(1, 20, append([]byte{0x45}, make([]byte, 19)...))))
	var ng bytes.Buffer
	w, err := pcapgo.NewNgWriter(&ng, Ethernet)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 2), CaptureLength: 14, Length: 20}, make([]byte, 14)); err != nil {
		f.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		f.Fatal(err)
	}
	f.Add(ng.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			return // gzip, which pcapgo unpacks: bounded by disk alone
		}
		r, err := newReader(nopCloser{bytes.NewReader(content)}, 8)
		if err != nil {
			return
		}
		frames := make([]ingress.Frame, 4)
		for range len(content) + 2 {
			n := r.receive(frames)
			for _, fr := range frames[:n] {
				if fr.Wire < uint32(len(fr.Data)) || len(fr.Data) > maxRecord+etherLen {
					t.Fatalf("frame of %d bytes, %d on the wire", len(fr.Data), fr.Wire)
				}
				r.buffers.give(fr.ID)
			}
			if r.done {
				return
			}
		}
		t.Fatal("never done")
	})
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }
