package main

import (
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// port is the client's port of dialogue i, by which its alerts are known.
func port(i int) uint16 { return uint16(1024 + i) }

const maxDialogues = 60000

// capture writes the dialogues as connections, one after the other.
type capture struct {
	w   *pcapgo.Writer
	now time.Time
	err error
}

func writeCapture(file string, all []dialogue, rng *rand.Rand) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	c := capture{w: pcapgo.NewWriter(f), now: time.Unix(1_700_000_000, 0)}
	c.err = c.w.WriteFileHeader(65536, layers.LinkTypeEthernet)
	for i := range all {
		c.connection(port(i), all[i].said, rng)
	}
	if c.err != nil {
		return c.err
	}
	return f.Close()
}

// connection writes a handshake, what both sides say in segments that are cut, repeated and swapped at random, and the end.
func (c *capture) connection(client uint16, said [][]byte, rng *rand.Rand) {
	seq := [2]uint32{1000, 5000}
	send := func(side int, t layers.TCP, at uint32, data []byte) {
		t.Seq, t.Window = at, 65000
		if t.ACK {
			t.Ack = seq[1-side]
		}
		c.segment(client, side, t, data)
	}
	send(0, layers.TCP{SYN: true}, seq[0], nil)
	seq[0]++
	send(1, layers.TCP{SYN: true, ACK: true}, seq[1], nil)
	seq[1]++
	send(0, layers.TCP{ACK: true}, seq[0], nil)
	for turn, text := range said {
		side := turn % 2
		type piece struct{ from, to int }
		var pieces []piece
		for at := 0; at < len(text); {
			n := min(1+rng.IntN(pick(rng, 20, 400, 1400)), len(text)-at)
			pieces = append(pieces, piece{at, at + n})
			at += n
		}
		for i := range pieces {
			switch rng.IntN(20) {
			case 0:
				k := rng.IntN(i + 1)
				pieces[i], pieces[k] = pieces[k], pieces[i]
			case 1:
				pieces = append(pieces, pieces[i])
			}
		}
		for _, p := range pieces {
			send(side, layers.TCP{ACK: true, PSH: true}, seq[side]+uint32(p.from), text[p.from:p.to])
		}
		seq[side] += uint32(len(text))
		send(1-side, layers.TCP{ACK: true}, seq[1-side], nil)
	}
	for side := range 2 {
		send(side, layers.TCP{ACK: true, FIN: true}, seq[side], nil)
		seq[side]++
	}
	send(0, layers.TCP{ACK: true}, seq[0], nil)
}

func (c *capture) segment(client uint16, side int, t layers.TCP, data []byte) {
	ends := [2]net.IP{{192, 168, 5, 10}, {203, 0, 113, 80}}
	ports := [2]layers.TCPPort{layers.TCPPort(client), 80}
	macs := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: ends[side], DstIP: ends[1-side]}
	t.SrcPort, t.DstPort = ports[side], ports[1-side]
	_ = t.SetNetworkLayerForChecksum(&ip) // an IPv4 layer is one
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: macs[side], DstMAC: macs[1-side], EthernetType: layers.EthernetTypeIPv4}, &ip, &t, gopacket.Payload(data))
	c.now = c.now.Add(100 * time.Microsecond)
	if err == nil {
		err = c.w.WritePacket(gopacket.CaptureInfo{Timestamp: c.now, CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}, b.Bytes())
	}
	if c.err == nil {
		c.err = err
	}
}
