package nftest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Packet is one packet of a capture.
type Packet struct {
	Data []byte
	Wire uint32
	From nf.Side
	Time int64 // ns since the Unix epoch
}

// Packets makes a capture. Packets without a time of their own come a microsecond after the one before.
func Packets(ps ...P) []Packet {
	all := make([]Packet, len(ps))
	last := time.Duration(0)
	for i, p := range ps {
		if p.Since == 0 && i > 0 {
			p.Since = last + time.Microsecond
		}
		last = p.Since
		all[i] = p.Packet()
	}
	return all
}

// Connection is a TCP connection of a client inside with a server outside: handshake, then the parts in turns, the client's
// first, then both FINs. A packet a millisecond.
func Connection(client, server string, parts ...string) []P {
	seq := [2]uint32{1000, 5000}
	at := time.Duration(0)
	var all []P
	add := func(side int, flags, payload string) {
		p := TCP(client, server, flags, payload)
		if side == 1 {
			p = TCP(server, client, flags, payload).Outside()
		}
		p.Seq, p.Ack = seq[side], seq[1-side]
		if p.Flags&packet.ACK == 0 {
			p.Ack = 0
		}
		at += time.Millisecond
		all = append(all, p.At(at))
		seq[side] += uint32(len(payload))
		if p.Flags&(packet.SYN|packet.FIN) != 0 {
			seq[side]++
		}
	}
	add(0, "S", "")
	add(1, "S.", "")
	add(0, ".", "")
	for i, part := range parts {
		add(i%2, "P.", part)
		add(1-i%2, ".", "")
	}
	add(0, "F.", "")
	add(1, "F.", "")
	add(0, ".", "")
	return all
}

// ReadPCAP reads a classic capture file. Packets without a link header get an Ethernet header. A packet comes from outside if its
// source is the corpus's outside host, or if its flow's first packet went the other way.
func ReadPCAP(t testing.TB, path string) []Packet {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parsePCAP(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return all
}

func parsePCAP(data []byte) (all []Packet, err error) {
	if len(data) < 24 {
		return nil, fmt.Errorf("%d bytes are no capture file", len(data))
	}
	var order binary.ByteOrder = binary.LittleEndian
	unit := int64(1000)
	switch magic := binary.LittleEndian.Uint32(data); magic {
	case 0xa1b2c3d4:
	case 0xa1b23c4d:
		unit = 1
	case 0xd4c3b2a1, 0x4d3cb2a1:
		order = binary.BigEndian
		if magic == 0x4d3cb2a1 {
			unit = 1
		}
	default:
		return nil, fmt.Errorf("magic %08x is not that of a classic capture file", magic)
	}
	link := order.Uint32(data[20:])
	first := map[packet.Key]bool{}
	for data = data[24:]; len(data) >= 16; {
		n := int(order.Uint32(data[8:]))
		if n > len(data)-16 {
			return nil, fmt.Errorf("packet %d of %d bytes in %d", len(all)+1, n, len(data)-16)
		}
		p := Packet{Data: data[16 : 16+n : 16+n], Wire: max(order.Uint32(data[12:]), uint32(n)),
			Time: int64(order.Uint32(data))*1e9 + int64(order.Uint32(data[4:]))*unit}
		data = data[16+n:]
		if link != 1 {
			p.Data, p.Wire = withEthernet(p.Data), p.Wire+14
		}
		p.From = side(&p, first)
		all = append(all, p)
	}
	return all, nil
}

func withEthernet(ip []byte) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 0}, ip...)
	if len(ip) > 0 && ip[0]>>4 == 6 {
		f[12], f[13] = 0x86, 0xdd
	}
	return f
}

func side(p *Packet, first map[packet.Key]bool) nf.Side {
	if len(p.Data) >= 12 && bytes.Equal(p.Data[6:11], []byte{2, 0, 0, 0, 0}) && p.Data[11] <= 2 {
		return nf.Side((p.Data[11] - 1) & 1)
	}
	var in packet.Info
	packet.Parse(p.Data, int(p.Wire), &in)
	if in.Kind == packet.NotIP {
		return nf.Inside
	}
	var k packet.Key
	reverse := in.Key(p.Data, &k)
	opener, known := first[k]
	if !known {
		first[k] = reverse
		return nf.Inside
	}
	if reverse != opener {
		return nf.Outside
	}
	return nf.Inside
}

// CorpusFiles returns the capture files of a corpus folder that has a manifest.
func CorpusFiles(t testing.TB, folder string) []string {
	t.Helper()
	dir := corpus.Folder(t, folder)
	var m struct {
		Files []struct {
			File string `json:"file"`
		} `json:"files"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range m.Files {
		if strings.HasSuffix(f.File, ".pcap") {
			paths = append(paths, filepath.Join(dir, f.File))
		}
	}
	return paths
}
