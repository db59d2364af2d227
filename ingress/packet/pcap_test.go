package packet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

type record struct {
	frame []byte
	wire  int
}

// records reads a classic capture file. Packets without a link header get an Ethernet header of zeros.
func records(t testing.TB, path string) (all []record) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(data, []byte{0xa1, 0xb2}) {
		order = binary.BigEndian
	}
	link := order.Uint32(data[20:])
	for data = data[24:]; len(data) >= 16; {
		n, wire := int(order.Uint32(data[8:])), int(order.Uint32(data[12:]))
		frame := data[16 : 16+n]
		data = data[16+n:]
		if link != 1 {
			eth := make([]byte, 14, 14+n)
			if n > 0 && frame[0]>>4 == 6 {
				binary.BigEndian.PutUint16(eth[12:], EtherIPv6)
			} else {
				binary.BigEndian.PutUint16(eth[12:], EtherIPv4)
			}
			frame = append(eth, frame...)
			wire += 14
		}
		all = append(all, record{frame, wire})
	}
	return all
}

type manifestFile struct {
	File       string `json:"file"`
	Packets    int    `json:"packets"`
	TCPFlows   int    `json:"tcp_flows"`
	UDPFlows   int    `json:"udp_flows"`
	TCPPackets int    `json:"tcp_packets"`
	UDPPackets int    `json:"udp_packets"`
	IPv4       int    `json:"ipv4_packets"`
	IPv6       int    `json:"ipv6_packets"`
	Frags4     int    `json:"ipv4_fragments"`
	Frags6     int    `json:"ipv6_fragments"`
	VLAN       int    `json:"vlan_packets"`
	Other      int    `json:"other_packets"`
}

func manifest(t testing.TB, dir string) []manifestFile {
	t.Helper()
	var m struct {
		Files []manifestFile `json:"files"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Files
}
