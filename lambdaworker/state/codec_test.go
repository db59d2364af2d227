package state

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestEntriesComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var want []Entry
	var buf []byte
	for range 2000 {
		e := Entry{Kind: Kind(1 + rng.IntN(3)), NF: uint8(rng.UintN(256)), Version: uint16(rng.UintN(1 << 16)), Data: make([]byte, rng.IntN(40))}
		if e.Kind != Shared {
			e.Seen, e.Sub = rng.Int64()-rng.Int64(), uint16(rng.UintN(4096))
			for i := range e.Key {
				switch rng.IntN(4) {
				case 0:
					e.Key[i] = rng.Uint64()
				case 1:
					e.Key[i] = uint64(rng.Uint32())
				case 2:
					e.Key[i] = uint64(rng.Uint32()) << 32
				}
			}
		}
		for i := range e.Data {
			e.Data[i] = byte(rng.UintN(256))
		}
		start := len(buf)
		buf = Append(buf, &e)
		r := Read(buf[start:])
		var one Entry
		if !r.Next(&one) || r.Offset() != len(buf)-start {
			t.Fatalf("entry %+v: %v, read to %d of %d", e, r.Err(), r.Offset(), len(buf)-start)
		}
		want = append(want, e)
	}
	r := Read(buf)
	for i := range want {
		var got Entry
		if !r.Next(&got) {
			t.Fatalf("entry %d: %v", i, r.Err())
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Fatalf("entry %d: got %+v, want %+v", i, got, want[i])
		}
	}
	var e Entry
	if r.Next(&e) || r.Err() != nil {
		t.Errorf("behind the last entry: %+v, %v", e, r.Err())
	}
}

func TestLayout(t *testing.T) {
	e := Entry{Kind: Flow, NF: 2, Version: 0x0304, Sub: 0x0abc, Key: [6]uint64{0, 0xc0000201, 0, 0xc6336402, 0x0050c3b0_00061000, 0}, Seen: 5, Data: []byte("ab")}
	want := []byte("\x21\x02\x04\x03\x02\x00\x00\x00" + "\x44\x03" + "\xbc\x0a" + "\x01\x02\x00\xc0" + "\x02\x64\x33\xc6" + "\x00\x10\x06\x00" + "\xb0\xc3\x50\x00" + "\x05\x00\x00\x00\x00\x00\x00\x00" + "ab")
	if got := Append(nil, &e); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	whole := Append(nil, &Entry{Kind: Flow, Key: [6]uint64{1, 2}, Data: []byte("abc")})
	for cut := 1; cut < len(whole); cut++ {
		refused(t, whole[:cut])
	}
	for _, b := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", "\x24\x00\x00\x00\x00\x00\x00\x00", "\x12\x00\x00\x00\x00\x00\x00\x00",
		"\x22\x00\x00\x00\x01\x00\x00\x01" + strings.Repeat("x", 100), "\x21\x00\x00\x00\x00\x00\x00\x00\x00\x10" + strings.Repeat("x", 100)} {
		refused(t, []byte(b))
	}
}

func refused(t *testing.T, b []byte) {
	t.Helper()
	r := Read(b)
	var e Entry
	if r.Next(&e) || !errors.Is(r.Err(), ErrFormat) || r.Next(&e) {
		t.Errorf("%x is an entry: %+v, %v", b, e, r.Err())
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Append(Append(nil, &Entry{Kind: Flow, Key: [6]uint64{1, 1 << 40, 3}, Seen: 9, Data: []byte("abc")}), &Entry{Kind: Shared, Data: []byte("d")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := Read(data)
		var e Entry
		var again []byte
		for r.Next(&e) {
			again = Append(again, &e)
		}
		// What was read and written again reads the same (a mask may have had bits for halves of zero).
		r, second := Read(data), Read(again)
		var f Entry
		for r.Next(&e) {
			if !second.Next(&f) || !reflect.DeepEqual(e, f) {
				t.Fatalf("%+v came back as %+v", e, f)
			}
		}
	})
}
