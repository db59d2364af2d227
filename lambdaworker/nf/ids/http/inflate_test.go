package http

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"testing"
)

func deflated(t testing.TB, data []byte, level int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func inflateAll(z *inflater, in []byte, cut int) []byte {
	var out []byte
	for len(in) > 0 {
		n := min(cut, len(in))
		piece := in[:n]
		in = in[n:]
		for {
			rest, made := z.write(piece)
			out = append(out, made...)
			if len(made) == 0 {
				break
			}
			piece = rest
		}
	}
	return out
}

func TestInflateAgainstFlate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var z inflater
	for _, size := range []int{0, 1, 100, 5000, 32768, 200000} {
		for _, kind := range []string{"text", "noise", "zeros"} {
			data := make([]byte, size)
			for i := range data {
				switch kind {
				case "text":
					data[i] = "the quick brown fox "[rng.IntN(20)]
				case "noise":
					data[i] = byte(rng.Uint32())
				}
			}
			for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
				in := deflated(t, data, level)
				for _, cut := range []int{1, 7, 1400, 1 << 20} {
					z.reset()
					if out := inflateAll(&z, in, cut); !bytes.Equal(out, data) || z.state != inflated {
						t.Fatalf("%s of %d bytes, level %d, pieces of %d: %d bytes, state %d", kind, size, level, cut, len(out), z.state)
					}
				}
			}
		}
	}
}

// FuzzInflate: whatever flate makes of a stream, so does the inflater, up to where flate sees an error.
func FuzzInflate(f *testing.F) {
	f.Add(deflated(f, []byte("hello hello hello"), 9))
	var z inflater
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			return
		}
		var want bytes.Buffer
		_, err := want.ReadFrom(flate.NewReader(bytes.NewReader(in)))
		z.reset()
		whole := bytes.Clone(inflateAll(&z, in, len(in)+1))
		z.reset()
		if parts := inflateAll(&z, in, 1); !bytes.Equal(parts, whole) {
			t.Fatal("the result depends on how the bytes are cut")
		}
		if err == nil && !bytes.Equal(whole, want.Bytes()) {
			t.Fatalf("%d bytes, flate makes %d", len(whole), want.Len())
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	data := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog; "), 2000)
	for i := range data {
		data[i] ^= byte(i>>7) & 3
	}
	in := deflated(b, data, 6)
	var z inflater
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		z.reset()
		for rest, out := z.write(in); len(out) > 0; rest, out = z.write(rest) {
		}
	}
}
