package firewall

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// talk makes TCP connections that mostly behave: two ends with their sequence numbers, and now and then a segment out of
// order, out of the window, sent again, reset, reopened, or seen in the middle; UDP and ICMP in between.
type talk struct {
	*generator
	conns []talker
}

type talker struct {
	seq    [2]uint32 // next of client, of server
	win    [2]uint16
	state  int // 0 nothing, 1 SYN sent, 2 answered, 3 established
	client string
	server string
}

// newTalk is of six connections, the last one's beginning not seen.
func newTalk(r *rand.Rand) *talk {
	k := &talk{generator: &generator{Rand: r}}
	for i := range 6 {
		c := talker{client: fmt.Sprintf("10.1.2.%d:40%02d", 1+i, i), server: fmt.Sprintf("192.0.2.1:%d", 80+i%2)}
		c.seq = [2]uint32{k.Uint32(), k.Uint32()}
		c.win = [2]uint16{uint16(k.IntN(60000) + 500), uint16(k.IntN(60000) + 500)}
		if i == 5 {
			c.state = 3
		}
		k.conns = append(k.conns, c)
	}
	return k
}

func (k *talk) segment() nftest.P {
	c := &k.conns[k.IntN(len(k.conns))]
	d := k.IntN(2)
	flags, data := "A", ""
	switch {
	case k.IntN(9) == 0: // anything
		flags = pick(k.generator, "S", "SA", "A", "FA", "R", "RA", "PA", "F", "SF", "", "SU", "FPU")
	case c.state == 0:
		d, flags, c.state = 0, "S", 1
	case c.state == 1:
		d, flags, c.state = 1, "SA", 2
	case c.state == 2:
		d, c.state = 0, 3
	case k.IntN(9) == 0:
		flags = pick(k.generator, "FA", "FA", "R", "RA")
	case k.IntN(25) == 0:
		c.state = 0
	default:
		data = string(make([]byte, pick(k.generator, 0, 0, 1, 100)))
	}
	seq, ack := c.seq[d], c.seq[1-d]
	switch k.IntN(14) {
	case 0:
		seq += uint32(pick(k.generator, 1, 1000, 1<<30))
	case 1:
		seq -= uint32(pick(k.generator, 1, 1000, 1<<30))
	case 2:
		ack += uint32(pick(k.generator, 1, 1000, 70000))
	case 3:
		ack -= uint32(pick(k.generator, 1, 1000, 70000))
	case 4:
		seq, ack = 0, 0
	default:
		c.seq[d] += uint32(len(data))
		for _, f := range flags {
			if f == 'S' || f == 'F' {
				c.seq[d]++
			}
		}
	}
	src, dst := c.client, c.server
	if d == 1 {
		src, dst = dst, src
	}
	p := nftest.TCP(src, dst, flags, data).Numbers(seq, ack)
	p.Window = pick(k.generator, c.win[d], c.win[d], 0, 500, 65535)
	if p.Window == 0 {
		p.Window = 1 // 0 would mean the default to the packet's maker
	}
	if flags == "S" || flags == "SA" {
		p.Options = pick(k.generator, nil, []byte{3, 3, 7, 1}, []byte{4, 2, 3, 3, 2, 0, 0, 0})
	} else if k.IntN(20) == 0 {
		p.Options = []byte{1, 1, 5, 10, byte(ack >> 24), byte(ack >> 16), byte(ack >> 8), byte(ack), byte((ack + 9) >> 24), byte((ack + 9) >> 16), byte((ack + 9) >> 8), byte(ack + 9)}
	}
	if d == 1 {
		p = p.Outside()
	}
	return p
}

func (k *talk) packet(i int) nftest.Packet {
	var p nftest.P
	a, b := fmt.Sprintf("10.1.2.%d", 1+k.IntN(3)), "192.0.2.1"
	switch k.IntN(12) {
	case 0:
		p = nftest.UDP(a+":99", b+":53", "q")
		if k.IntN(2) == 0 {
			p = nftest.UDP(b+":53", a+":99", "a").Outside()
		}
	case 1:
		p = nftest.Echo(a, b, uint16(k.IntN(3)), 1)
		switch k.IntN(4) {
		case 0, 1:
			p = nftest.EchoReply(b, a, uint16(k.IntN(3)), 1).Outside()
		case 2:
			p = nftest.Echo(b, a, uint16(k.IntN(3)), 1).Outside()
		}
	case 2:
		quoted := nftest.UDP(a+":99", b+":53", "q")
		switch k.IntN(4) {
		case 0:
			quoted = nftest.Echo(a, b, uint16(k.IntN(3)), 1)
		case 1:
			quoted = nftest.TCP(k.conns[0].client, k.conns[0].server, "S", "")
			a = k.conns[0].client[:len(k.conns[0].client)-5]
		}
		p = nftest.Unreachable("172.16.9.9", a, quoted.Frame()).Outside()
	default:
		p = k.segment()
	}
	p.IPID = uint16(i)
	p = p.At(time.Duration(i) * time.Millisecond)
	x := p.Packet()
	number(x.Data, i)
	return x
}

const trackRules = `table inet filter {
	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp flags & (syn | ack) == syn tcp dport 81 counter drop
		ct state established counter
		ct state related counter
		ct state invalid counter drop
		ct state untracked counter
		ct state new counter
		ct state new udp sport 53 drop
	}
}
`

// TestKernelConnections holds connection tracking against the kernel's: states of random but connection-like traffic.
func TestKernelConnections(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("GRANULE_KERNEL_ROUNDS")); err == nil {
		rounds = n
	}
	seeds := []int{38, 71, 80, 87, 99, 119, 260, 289, 311, 321, 359, 396} // each of which has found a difference
	for seed := range rounds {
		if !slices.Contains(seeds, seed) {
			seeds = append(seeds, seed)
		}
	}
	for _, seed := range seeds {
		k := newTalk(rand.New(rand.NewPCG(uint64(seed), 5)))
		ps := make([]nftest.Packet, 500)
		for i := range ps {
			ps[i] = k.packet(i)
		}
		w := newWire(t)
		w.compare(t, fmt.Sprintf("seed %d", seed), trackRules, ps)
		w.close()
	}
}
