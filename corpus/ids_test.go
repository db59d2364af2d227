package corpus

import (
	"encoding/binary"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// idsCase is a capture of one connection or exchange, the rules that look at it, and how often each has to alert. Suricata 7.0.10 gave the
// same alerts (suricata -r input.pcap -S test.rules -k none --runmode single).
type idsCase struct {
	tier   string
	frames [][]byte
	rules  string
	alerts map[string]int
	not    []int
}

func idsCases(t *testing.T) map[string]idsCase {
	v4, v6 := ownAddresses()
	request := "GET /admin/secret.html?id=7 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n"
	reply := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 27\r\n\r\n<html>top secret page</html"
	return map[string]idsCase{
		"core-split": {"core", ownConversation(t, v4, 4000, "hello ev", "", "il world", "and back"), `alert tcp any any -> any 4000 (msg:"across segments"; flow:established,to_server; content:"evil"; sid:1;)
alert tcp any any -> any 4000 (msg:"expression"; flow:established,to_server; content:"evil"; pcre:"/\sw[o]rld$/R"; sid:2;)
alert tcp any 4000 -> any any (msg:"the other way"; flow:established,to_client; content:"back"; sid:3;)
alert tcp any any -> any 4000 (msg:"not there"; content:"good"; sid:4;)
alert tcp any any -> any 4000 (msg:"too far"; flow:to_server; content:"evil"; offset:7; sid:5;)
`, map[string]int{"1": 1, "2": 1, "3": 1}, []int{4, 5}},
		"http-plain": {"http", ownConversation(t, v6, 80, request, reply), `alert http any any -> any any (msg:"path"; http.uri; content:"/admin/"; startswith; sid:1;)
alert http any any -> any any (msg:"agent"; http.user_agent; content:"curl"; http.method; content:"GET"; sid:2;)
alert http any any -> any any (msg:"body"; flow:to_client; file.data; content:"secret page"; http.stat_code; content:"200"; sid:3;)
alert http any any -> any any (msg:"in the host, not in the path"; http.uri; content:"example"; sid:4;)
`, map[string]int{"1": 1, "2": 1, "3": 1}, []int{4}},
		"dns-query": {"dns", ownQuery(t, v4, "www.example.org"), `alert dns any any -> any any (msg:"name"; dns.query; content:"example.org"; endswith; sid:1;)
alert dns any any -> any any (msg:"another name"; dns.query; content:"example.com"; sid:2;)
alert dns any any -> any any (msg:"opcode"; flow:to_server; dns.opcode:0; sid:3;)
`, map[string]int{"1": 1, "3": 1}, []int{2}},
		"tls-name": {"tls", ownConversation(t, v4, 443, ownHello("bad.example")), `alert tls any any -> any any (msg:"name"; tls.sni; content:"bad.example"; bsize:11; sid:1;)
alert tls any any -> any any (msg:"another name"; tls.sni; content:"good.example"; sid:2;)
`, map[string]int{"1": 1}, []int{2}},
	}
}

// ownConversation is a TCP connection to port on which the two sides send texts in turn, the client first; each is acknowledged.
func ownConversation(t *testing.T, net func(layers.IPProtocol) ownPair, port uint16, texts ...string) (frames [][]byte) {
	t.Helper()
	pair, seq := net(layers.IPProtocolTCP), [2]uint32{1000, 2000}
	send := func(back int, s layers.TCP, text string) {
		s.SrcPort, s.DstPort = 40000, layers.TCPPort(port)
		if back == 1 {
			s.SrcPort, s.DstPort = s.DstPort, s.SrcPort
		}
		s.Seq, s.Ack, s.Window = seq[back], seq[1-back], 65535
		if err := s.SetNetworkLayerForChecksum(pair[back].(gopacket.NetworkLayer)); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, ownFrame(t, back, nil, ownKind(pair[back]), pair[back], &s, gopacket.Payload(text)))
		seq[back] += uint32(len(text))
		if s.SYN || s.FIN {
			seq[back]++
		}
	}
	send(0, layers.TCP{SYN: true}, "")
	send(1, layers.TCP{SYN: true, ACK: true}, "")
	send(0, layers.TCP{ACK: true}, "")
	for i, text := range texts {
		if text != "" {
			send(i%2, layers.TCP{ACK: true, PSH: true}, text)
			send(1-i%2, layers.TCP{ACK: true}, "")
		}
	}
	send(0, layers.TCP{ACK: true, FIN: true}, "")
	send(1, layers.TCP{ACK: true, FIN: true}, "")
	send(0, layers.TCP{ACK: true}, "")
	return frames
}

// ownQuery is a question for the A record of name and its answer.
func ownQuery(t *testing.T, net func(layers.IPProtocol) ownPair, name string) (frames [][]byte) {
	t.Helper()
	pair := net(layers.IPProtocolUDP)
	question := []layers.DNSQuestion{{Name: []byte(name), Type: layers.DNSTypeA, Class: layers.DNSClassIN}}
	for back, d := range []*layers.DNS{
		{ID: 77, RD: true, Questions: question},
		{ID: 77, QR: true, RD: true, RA: true, Questions: question, Answers: []layers.DNSResourceRecord{
			{Name: []byte(name), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 60, IP: []byte{203, 0, 113, 9}}}},
	} {
		u := &layers.UDP{SrcPort: 5353, DstPort: 53}
		if back == 1 {
			u.SrcPort, u.DstPort = u.DstPort, u.SrcPort
		}
		if err := u.SetNetworkLayerForChecksum(pair[back].(gopacket.NetworkLayer)); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, ownFrame(t, back, nil, ownKind(pair[back]), pair[back], u, d))
	}
	return frames
}

// ownHello is a TLS record with a ClientHello (RFC 8446 section 4.1.2) that names a server (RFC 6066 section 3) and nothing else.
func ownHello(name string) string {
	u16 := binary.BigEndian.AppendUint16
	sni := append(u16([]byte{0}, uint16(len(name))), name...)
	sni = append(u16(nil, uint16(len(sni))), sni...)
	extensions := append(u16(u16(nil, 0), uint16(len(sni))), sni...)
	body := append([]byte{3, 3}, make([]byte, 32)...) // version, random
	body = append(body, 0)                            // no session
	body = append(body, 0, 2, 0xc0, 0x2f)             // TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	body = append(body, 1, 0)                         // no compression
	body = append(u16(body, uint16(len(extensions))), extensions...)
	handshake := append([]byte{1, 0}, u16(nil, uint16(len(body)))...)
	handshake = append(handshake, body...)
	return string(append(u16([]byte{22, 3, 1}, uint16(len(handshake))), handshake...))
}
