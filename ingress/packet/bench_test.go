package packet

import "testing"

func frames(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"tcp4": append(bytesOf(t, macs+"0800 450005dc 00010000 4006 0000 "+a4+b4+tcp), make([]byte, 1460)...),
		"udp6": bytesOf(t, macs+"86dd 60000000 0008 11 40 "+a6+b6+"0035 1388 0008 0000"),
		"vlan": bytesOf(t, macs+"8100 0001 0800 4500001c 00010000 4011 0000 "+a4+b4+"0035 1388 0008 0000"),
		"ext6": bytesOf(t, macs+"86dd 60000000 0018 00 40 "+a6+b6+"3c00 010400000000 1100 0000 00000000 0035 1388 0008 0000"),
		"icmp": bytesOf(t, macs+"0800 45000038 00010000 4001 0000 cb007101"+a4+"0b00 0000 00000000 4500001c 00010000 0111 0000 "+a4+b4+"0035 1388 0008 0000"),
		"arp":  bytesOf(t, macs+"0806 0001"),
	}
}

func TestNothingAllocates(t *testing.T) {
	for name, f := range frames(t) {
		if n := testing.AllocsPerRun(100, func() {
			var in Info
			var k Key
			Parse(f, len(f), &in)
			if in.Kind != NotIP {
				in.Key(f, &k)
				in.CheckL4(f)
				in.CheckIPv4(f)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, f := range frames(b) {
		b.Run(name, func(b *testing.B) {
			var in Info
			for range b.N {
				Parse(f, len(f), &in)
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	f := frames(b)["tcp4"]
	var in Info
	var k Key
	Parse(f, len(f), &in)
	b.Run("key", func(b *testing.B) {
		for range b.N {
			in.Key(f, &k)
		}
	})
	b.Run("hash", func(b *testing.B) {
		h := uint64(0)
		for range b.N {
			h += k.Hash(h)
		}
		_ = h
	})
}

func BenchmarkSum(b *testing.B) {
	f := make([]byte, 1500)
	b.SetBytes(1500)
	for range b.N {
		Sum(0, f)
	}
}

func BenchmarkUpdate(b *testing.B) {
	c := uint16(0)
	for range b.N {
		c = Update(c, 7, 9)
	}
	_ = c
}
