package packet

import (
	"fmt"
	"testing"
)

func keyOf(t *testing.T, text string) (k Key, reverse bool) {
	t.Helper()
	frame := bytesOf(t, text)
	var in Info
	Parse(frame, len(frame), &in)
	reverse = in.Key(frame, &k)
	return k, reverse
}

func TestKeysOfOneFlow(t *testing.T) {
	ip := macs + "0800 4500001c 00010000 4011 0000 "
	there := ip + a4 + b4 + "0035 1388 0008 0000"
	quote := "4500001c 00010000 0111 0000 " + a4 + b4 + "0035 1388 0008 0000"
	quote6 := "60000000 0008 11 01 " + a6 + b6 + "0035 1388 0008 0000"
	for _, tt := range []struct {
		name, a, b string
		same       bool
		opposite   bool
	}{
		{"reply", there, ip + b4 + a4 + "1388 0035 0008 0000", true, true},
		{"another port", there, ip + b4 + a4 + "1389 0035 0008 0000", false, false},
		{"another protocol", there, macs + "0800 4500001c 00010000 4088 0000 " + a4 + b4 + "0035 1388 0008 0000", false, false},
		{"another VLAN", there, macs + "8100 0001 0800 4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0008 0000", false, false},
		{"VLAN priority does not count", macs + "8100 0001 0800 4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0008 0000",
			macs + "8100 e001 0800 4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0008 0000", true, false},
		{"within one host, by port", ip + a4 + a4 + "0035 1388 0008 0000", ip + a4 + a4 + "1388 0035 0008 0000", true, true},
		{"echo and its reply", macs + "0800 4500001c 00010000 4001 0000 " + a4 + b4 + "0800 0000 0005 0006",
			macs + "0800 4500001c 00010000 4001 0000 " + b4 + a4 + "0000 0000 0005 0007", true, true},
		{"echo of another identifier", macs + "0800 4500001c 00010000 4001 0000 " + a4 + b4 + "0800 0000 0005 0006",
			macs + "0800 4500001c 00010000 4001 0000 " + b4 + a4 + "0000 0000 0006 0006", false, false},
		{"first and later fragment", macs + "0800 4500001c 00012000 4011 0000 " + a4 + b4 + "0035 1388 0100 0000",
			macs + "0800 4500001c 00010003 4011 0000 " + a4 + b4 + "aaaa bbbb cccc dddd", true, false},
		{"fragment and whole", there, macs + "0800 4500001c 00012000 4011 0000 " + a4 + b4 + "0035 1388 0100 0000", false, false},
		{"ICMP error and the packet it quotes", there, macs + "0800 45000038 00010000 4001 0000 cb007101" + a4 + "0b00 0000 00000000" + quote, true, true},
		{"ICMPv6 error and the packet it quotes", macs + "86dd 60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000",
			macs + "86dd 60000000 0038 3a 40 20010db8000000000000000000000099" + a6 + "0300 0000 00000000" + quote6, true, true},
		{"quotation cut to the ports", there, macs + "0800 45000034 00010000 4001 0000 cb007101" + a4 + "0b00 0000 00000000" + quote[:len(quote)-10], true, true},
		{"padding is no quotation", there, macs + "0800 45000020 00010000 4001 0000 cb007101" + a4 + "0b00 0000 00000000" + quote, false, false},
		{"ICMP echo holding a packet", there, macs + "0800 45000038 00010000 4001 0000 cb007101" + a4 + "0800 0000 00000000" + quote, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ka, ra := keyOf(t, tt.a)
			kb, rb := keyOf(t, tt.b)
			if (ka == kb) != tt.same {
				t.Errorf("keys %x and %x: same %v, want %v", ka, kb, ka == kb, tt.same)
			}
			if tt.same && (ra != rb) != tt.opposite {
				t.Errorf("reverse is %v and %v, want opposite: %v", ra, rb, tt.opposite)
			}
			if tt.same && ka.Hash(9) != kb.Hash(9) {
				t.Error("one key has two hashes")
			}
			if ka.Hash(9) == ka.Hash(10) {
				t.Error("the seed makes no difference")
			}
		})
	}
}

// Keys that differ in one bit spread over the buckets of a table as random ones would, whatever bit it is.
func TestHashSpreads(t *testing.T) {
	const buckets = 1024
	for word := range 6 {
		for _, part := range []func(uint64) int{
			func(h uint64) int { return int(h % buckets) },
			func(h uint64) int { return int(h >> 54) },
			func(h uint64) int { return int(h >> 32) },
		} {
			var count [buckets]int
			for i := range uint64(16 * buckets) {
				k := Key{1, 2, 3, 4, 5, 6}
				k[word] ^= i << (word * 8)
				count[part(k.Hash(42))%buckets]++
			}
			for b, n := range count {
				if n > 48 { // mean 16, deviation 4
					t.Fatalf("word %d: bucket %d got %d of %d keys, 16 expected", word, b, n, 16*buckets)
				}
			}
		}
	}
}

func TestEndpoints(t *testing.T) {
	for frame, want := range map[string]string{
		macs + "0800 4500001c 00010000 4011 0000 " + b4 + a4 + "0035 1388 0008 0000":                         "192.0.2.1:5000 198.51.100.2:53 17 [0 0] 0",
		macs + "8100 e007 86dd 60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000":                       "[2001:db8::1]:53 [2001:db8::2]:5000 17 [7 0] 1",
		macs + "88a8 0008 8100 0009 0800 45000018 00010000 4032 0000 " + a4 + b4 + "00000001":                "192.0.2.1:0 198.51.100.2:0 50 [8 9] 2",
		macs + "0800 4500001c 00012000 4011 0000 " + a4 + b4 + "0035 1388 0100 0000" /* a first fragment */ : "192.0.2.1:0 198.51.100.2:0 17 [0 0] 0",
	} {
		k, _ := keyOf(t, frame)
		lower, higher, proto := k.Endpoints()
		ids, n := k.VLANs()
		if got := fmt.Sprint(lower, higher, " ", proto, ids, " ", n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
