package corpus

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

var writeCorpus = flag.Bool("write-corpus", false, "write the captures of testdata anew")

// ownCorpus makes the captures of testdata, by folder and name: what every machine tests with, where the shared corpus is not.
// `go test -run OwnCorpus -write-corpus` writes them.
func ownCorpus(t *testing.T) map[string][][]byte {
	t.Helper()
	v4, v6 := ownAddresses()
	text := bytes.Repeat([]byte("granule "), 200)
	tcp4 := ownTCP(t, nil, v4, text)
	return map[string][][]byte{
		"traffic/tcp.pcap":        tcp4,
		"traffic/udp.pcap":        ownUDP(t, nil, v4, 60, text),
		"traffic/vlan.pcap":       ownTCP(t, []uint16{100}, v4, text),
		"traffic/qinq.pcap":       ownUDP(t, []uint16{7, 100}, v4, 20, text),
		"traffic/ipv6.pcap":       append(ownTCP(t, nil, v6, text), ownExtensions(t, v6)...),
		"traffic/fragments.pcap":  append(ownFragments4(t, text), ownFragments6(t, text)...),
		"traffic/not-ip.pcap":     ownNotIP(t),
		"malformed/cut.pcap":      ownCut(tcp4, ownExtensions(t, v6), ownNotIP(t)),
		"malformed/lying.pcap":    ownLying(tcp4[3], ownTCP(t, nil, v6, text)[3]),
		"malformed/nonsense.pcap": ownNonsense(),
	}
}

// ownCapture is a capture with a frame every millisecond.
func ownCapture(t *testing.T, frames [][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		at := time.Unix(1_000_000_000, int64(i)*1e6).UTC()
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(f), Length: len(f)}, f); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// TestOwnCorpusIsCurrent: the files are what the generator makes.
func TestOwnCorpusIsCurrent(t *testing.T) {
	for name, want := range ownFiles(t) {
		path := filepath.Join("testdata", name)
		if *writeCorpus {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator makes (%v): write it anew with go test -run OwnCorpus -write-corpus", path, err)
		}
	}
}

// ownFiles are all files but the firewall's, whose verdicts a kernel gave.
func ownFiles(t *testing.T) map[string][]byte {
	files, manifests := map[string][]byte{}, map[string]*manifest{}
	corpus := ownCorpus(t)
	for _, name := range slices.Sorted(maps.Keys(corpus)) {
		frames := corpus[name]
		files[name] = ownCapture(t, frames)
		folder, file := filepath.Split(name)
		m := manifests[folder]
		if m == nil {
			m = &manifest{}
			manifests[folder] = m
		}
		m.Files = append(m.Files, count(file, frames))
	}
	for folder, m := range manifests {
		files[folder+"manifest.json"] = text(t, m)
	}
	for name, c := range idsCases(t) {
		files["ids/"+name+"/input.pcap"] = ownCapture(t, c.frames)
		files["ids/"+name+"/test.rules"] = []byte(c.rules)
		files["ids/"+name+"/expect.json"] = text(t, map[string]any{
			"tier": c.tier, "source": "made here", "alerts": c.alerts, "exact": true, "not_alerts": c.not, "at_least": []int{}, "unchecked": []int{},
			"options": map[string]any{"mode": "ids", "checksum": "off", "midstream": false},
			"vars":    map[string]any{"address": map[string]string{}, "port": map[string]string{}}, "link": "EN10MB", "packets": len(c.frames),
		})
	}
	return files
}

func text(t *testing.T, v any) []byte {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// ownPair is a network layer from inside to outside, and the one that answers.
type ownPair [2]gopacket.SerializableLayer

func ownAddresses() (v4, v6 func(layers.IPProtocol) ownPair) {
	a, b := net.IPv4(192, 0, 2, 1).To4(), net.IPv4(198, 51, 100, 2).To4()
	c, d := net.ParseIP("2001:db8::1"), net.ParseIP("2001:db8:1::2")
	v4 = func(p layers.IPProtocol) ownPair {
		return ownPair{&layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: a, DstIP: b}, &layers.IPv4{Version: 4, TTL: 64, Protocol: p, SrcIP: b, DstIP: a}}
	}
	v6 = func(p layers.IPProtocol) ownPair {
		return ownPair{&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: p, SrcIP: c, DstIP: d}, &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: p, SrcIP: d, DstIP: c}}
	}
	return v4, v6
}

var ownMACs = [2]net.HardwareAddr{{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}}

// ownFrame puts Ethernet and VLAN tags, the outermost first, before what is in it.
func ownFrame(t *testing.T, back int, tags []uint16, kind layers.EthernetType, in ...gopacket.SerializableLayer) []byte {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: ownMACs[back], DstMAC: ownMACs[1-back], EthernetType: kind}
	all := []gopacket.SerializableLayer{eth}
	for i, id := range tags {
		tag := &layers.Dot1Q{VLANIdentifier: id, Priority: 3, Type: kind}
		eth.EthernetType = layers.EthernetTypeDot1Q
		if len(tags) == 2 {
			eth.EthernetType = layers.EthernetTypeQinQ
			if i == 0 {
				tag.Type = layers.EthernetTypeDot1Q
			}
		}
		all = append(all, tag)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(all, in...)...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

func ownKind(n gopacket.SerializableLayer) layers.EthernetType {
	if n.LayerType() == layers.LayerTypeIPv6 {
		return layers.EthernetTypeIPv6
	}
	return layers.EthernetTypeIPv4
}

// ownTCP is a connection from its first packet to its last, with data both ways.
func ownTCP(t *testing.T, tags []uint16, net func(layers.IPProtocol) ownPair, text []byte) (frames [][]byte) {
	t.Helper()
	pair, seq := net(layers.IPProtocolTCP), [2]uint32{1000, 2000}
	send := func(back int, s layers.TCP, data []byte) {
		s.SrcPort, s.DstPort = 40000, 80
		if back == 1 {
			s.SrcPort, s.DstPort = 80, 40000
		}
		s.Seq, s.Ack, s.Window = seq[back], seq[1-back], 65535
		if err := s.SetNetworkLayerForChecksum(pair[back].(gopacket.NetworkLayer)); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, ownFrame(t, back, tags, ownKind(pair[back]), pair[back], &s, gopacket.Payload(data)))
		seq[back] += uint32(len(data))
		if s.SYN || s.FIN {
			seq[back]++
		}
	}
	send(0, layers.TCP{SYN: true, Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 180}}}}, nil)
	send(1, layers.TCP{SYN: true, ACK: true}, nil)
	send(0, layers.TCP{ACK: true}, nil)
	for n := range 20 {
		send(0, layers.TCP{ACK: true, PSH: true}, text[:n*70%1400+1])
		send(1, layers.TCP{ACK: true}, text[:n*31%500])
	}
	send(0, layers.TCP{ACK: true, FIN: true}, nil)
	send(1, layers.TCP{ACK: true, FIN: true}, nil)
	send(0, layers.TCP{ACK: true}, nil)
	return frames
}

// ownUDP is five flows, n datagrams of all sizes, every third of them an answer.
func ownUDP(t *testing.T, tags []uint16, net func(layers.IPProtocol) ownPair, n int, text []byte) (frames [][]byte) {
	t.Helper()
	pair := net(layers.IPProtocolUDP)
	for i := range n {
		u, back := &layers.UDP{SrcPort: layers.UDPPort(5000 + i%5), DstPort: 53}, 0
		if i%3 == 2 {
			back, u.SrcPort, u.DstPort = 1, u.DstPort, u.SrcPort
		}
		if err := u.SetNetworkLayerForChecksum(pair[back].(gopacket.NetworkLayer)); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, ownFrame(t, back, tags, ownKind(pair[back]), pair[back], u, gopacket.Payload(text[:i*23%1400])))
	}
	return frames
}

// ownExtensions are IPv6 packets with extension headers before TCP and UDP: hop by hop, destination options, routing, all of them.
func ownExtensions(t *testing.T, v6 func(layers.IPProtocol) ownPair) (frames [][]byte) {
	t.Helper()
	pad := []byte{1, 4, 0, 0, 0, 0}
	for _, chain := range [][]layers.IPProtocol{
		{layers.IPProtocolIPv6HopByHop}, {layers.IPProtocolIPv6Destination}, {layers.IPProtocolIPv6Routing},
		{layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Destination},
	} {
		var headers []byte
		for i := range chain {
			next := layers.IPProtocolUDP
			if i+1 < len(chain) {
				next = chain[i+1]
			}
			headers = append(append(headers, byte(next), 0), pad...)
			if chain[i] == layers.IPProtocolIPv6Routing {
				copy(headers[len(headers)-6:], []byte{253, 0, 0, 0, 0, 0}) // a type for experiments, no segments left
			}
		}
		udp := []byte{0x13, 0x88, 0, 53, 0, 12, 0, 0, 'g', 'r', 'a', 'n'}
		frames = append(frames, ownFrame(t, 0, nil, layers.EthernetTypeIPv6, v6(chain[0])[0], gopacket.Payload(append(headers, udp...))))
	}
	return frames
}

// ownFragments4 is a datagram in three fragments, in order, and the same again from behind.
func ownFragments4(t *testing.T, text []byte) (frames [][]byte) {
	t.Helper()
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}} {
		for _, i := range order {
			ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, Id: 77, FragOffset: uint16(i * 50),
				SrcIP: net.IPv4(192, 0, 2, 1).To4(), DstIP: net.IPv4(198, 51, 100, 2).To4()}
			if i < 2 {
				ip.Flags = layers.IPv4MoreFragments
			}
			frames = append(frames, ownFrame(t, 0, nil, layers.EthernetTypeIPv4, ip, gopacket.Payload(text[i*400:(i+1)*400])))
		}
	}
	return frames
}

func ownFragments6(t *testing.T, text []byte) (frames [][]byte) {
	t.Helper()
	_, v6 := ownAddresses()
	for i := range 3 {
		header := []byte{byte(layers.IPProtocolUDP), 0, 0, 0, 0, 0, 0, 9}
		at := uint16(i*50) << 3
		if i < 2 {
			at |= 1
		}
		binary.BigEndian.PutUint16(header[2:], at)
		frames = append(frames, ownFrame(t, 0, nil, layers.EthernetTypeIPv6, v6(layers.IPProtocolIPv6Fragment)[0],
			gopacket.Payload(append(header, text[i*400:(i+1)*400]...))))
	}
	return frames
}

// ownNotIP is what crosses at layer 2: ARP, LLDP, PPPoE, an experimental EtherType in all sizes.
func ownNotIP(t *testing.T) (frames [][]byte) {
	t.Helper()
	arp := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 20)...)
	frames = append(frames,
		ownFrame(t, 0, nil, layers.EthernetTypeARP, gopacket.Payload(arp)),
		ownFrame(t, 0, nil, layers.EthernetTypeLinkLayerDiscovery, gopacket.Payload([]byte{2, 7, 4, 2, 0, 0, 0, 1, 1, 4, 3, 5, 'e', 't', 'h', '0', 6, 2, 0, 120, 0, 0})),
		ownFrame(t, 0, nil, layers.EthernetTypePPPoEDiscovery, gopacket.Payload([]byte{0x11, 9, 0, 0, 0, 0})))
	for size := 0; size <= 1500; size += 100 {
		frames = append(frames, ownFrame(t, 0, nil, 0x88b5, gopacket.Payload(bytes.Repeat([]byte{byte(size)}, size))))
	}
	return frames
}

// ownCut is a frame of each kind, cut at every length that leaves something of its headers.
func ownCut(kinds ...[][]byte) (frames [][]byte) {
	for _, k := range kinds {
		whole := k[0]
		for n := 14; n < min(len(whole), 80); n++ {
			frames = append(frames, bytes.Clone(whole[:n]))
		}
	}
	return frames
}

// ownLying are an IPv4 and an IPv6 TCP segment in which one byte after the other of the headers says something else.
func ownLying(v4, v6 []byte) (frames [][]byte) {
	for _, f := range [][]byte{v4, v6} {
		for i := 12; i < min(len(f), 74); i++ {
			for _, b := range []byte{0, 0xff, f[i] ^ 0x40} {
				lie := bytes.Clone(f)
				lie[i] = b
				frames = append(frames, lie)
			}
		}
	}
	return frames
}

// ownNonsense is noise that says it is IPv4, IPv6 or tagged; the same noise each time.
func ownNonsense() (frames [][]byte) {
	state := uint32(1)
	for _, kind := range []uint16{0x0800, 0x86dd, 0x8100, 0x88a8} {
		for n := range 40 {
			f := make([]byte, 14+n*7)
			copy(f, append(append([]byte{}, ownMACs[1]...), ownMACs[0]...))
			binary.BigEndian.PutUint16(f[12:], kind)
			for i := 14; i < len(f); i++ {
				state = state*1664525 + 1013904223
				f[i] = byte(state >> 24)
			}
			frames = append(frames, f)
		}
	}
	return frames
}
