package ids

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const evasionRules = `alert http any any -> any any (flow:to_server; http.uri; content:"/evil"; sid:1;)
alert http any any -> any any (flow:to_server; http.user_agent; content:"evilua"; sid:2;)
alert http any any -> any any (http.request_body; content:"EVILBODY"; sid:3;)
alert http any any -> any any (flow:to_client; file.data; content:"EVILDATA"; sid:4;)
alert tls any any -> any any (tls.sni; content:"evil.example"; sid:5;)
alert http any any -> any any (http.host; content:"evil.example"; sid:6;)
alert http any any -> any any (flow:to_client; http.stat_code; content:"200"; sid:7;)
`

const (
	evilHead = " /evil HTTP/1.1\r\nHost: h\r\nUser-Agent: evilua\r\n\r\n"
	fine     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	agreed   = "HTTP/1.1 200 Connection established\r\n\r\n"
	refused  = "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"
	connect  = "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n"
	inner    = "GET /evil HTTP/1.1\r\nHost: evil.example\r\nUser-Agent: evilua\r\n\r\n"
)

// helloTo is a ClientHello that names a server.
func helloTo(name string) string {
	n := len(name)
	ext := "\x00\x00" + string([]byte{0, byte(n + 5), 0, byte(n + 3), 0, 0, byte(n)}) + name
	body := "\x03\x03" + strings.Repeat("R", 32) + "\x00\x00\x02\x13\x01\x01\x00" + string([]byte{0, byte(len(ext))}) + ext
	return "\x16\x03\x01" + string([]byte{0, byte(len(body) + 4), 1, 0, 0, byte(len(body))}) + body
}

func compressed(text string) (gz, bare string) {
	var a, b bytes.Buffer
	z := gzip.NewWriter(&a)
	z.Write([]byte(text))
	z.Close()
	f, _ := flate.NewWriter(&b, 9)
	f.Write([]byte(text))
	f.Close()
	return a.String(), b.String()
}

type evasion struct {
	name  string
	parts []string // the client's and the server's in turns
	want  string   // alerts by sid
}

func evasions() (all []evasion) {
	for _, first := range []string{"GET", "\r\nGET", "\nGET", " GET", "\r\n\r\n get", "get", "SUBSCRIBE", "SEARCH", "NOTIFY", "BITS_POST", "RPC_IN_DATA", "FOO", "x"} {
		all = append(all, evasion{fmt.Sprintf("first request %q", first), []string{first + evilHead, fine}, "map[1:1 2:1 7:1]"})
	}
	all = append(all,
		evasion{"method and reply in any case", []string{"foo" + evilHead, "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, "map[1:1 2:1 7:1]"},
		evasion{"long unknown request", []string{"FOO /evil HTTP/1.1\r\nContent-Length: 5008\r\n\r\n" + strings.Repeat("x", 5000) + "EVILBODY", fine}, "map[1:1 3:1 7:1]"},
		evasion{"tunnel of TLS", []string{connect, agreed, helloTo("evil.example"), "x"}, "map[5:1 7:1]"},
		evasion{"tunnel of HTTP", []string{connect, agreed, inner, fine}, "map[1:1 2:1 6:1 7:2]"},
		evasion{"tunnel within a tunnel", []string{connect, agreed, connect, agreed, helloTo("evil.example"), "x"}, "map[5:1 7:2]"},
		evasion{"tunnel that is not waited for", []string{connect + helloTo("evil.example"), agreed, "", "x"}, "map[5:1 7:1]"},
		evasion{"tunnel at the second attempt", []string{connect, refused, connect, agreed, helloTo("evil.example"), "x"}, "map[5:1 7:1]"},
		evasion{"refused tunnel", []string{connect, refused, inner, fine}, "map[1:1 2:1 6:1 7:1]"},
		evasion{"refused tunnel that was not waited for", []string{connect + inner, refused + fine}, "map[1:1 2:1 6:1 7:1]"},
		evasion{"tunnel to a path", []string{"CONNECT /evil.example:443 HTTP/1.1\r\n\r\n", refused}, "map[6:1]"},
		evasion{"tunnel to what looks like a URL", []string{"CONNECT evil.example/?#:443 HTTP/1.1\r\n\r\n", refused}, "map[6:1]"},
		evasion{"more body than was promised", []string{"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcEVILBODY", fine}, "map[3:1 7:1]"},
		evasion{"lines of no method", []string{"GET /x HTTP/1.1\r\nHost: h\r\n\r\na\nEVILBODY\n", fine}, "map[3:1 7:1]"},
		evasion{"a request behind a request", []string{"GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET" + evilHead, fine + fine}, "map[1:1 2:1 7:2]"},
		evasion{"an unknown method later", []string{"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", fine, "FOO" + evilHead, fine}, "map[1:1 2:1 7:2]"},
	)
	gz, bare := compressed(strings.Repeat("nothing but EVILDATA ", 40))
	for _, encoding := range []string{"gzip", "deflate"} {
		for _, body := range []string{`{"a":"EVILDATA"}`, "EVILDATA", "[1,2,\"EVILDATA\"]", "<html>EVILDATA</html>", "x^EVILDATA", "\x00\x05\x00EVILDATA",
			strings.Repeat(`{"id":1,"name":"n"},`, 80) + "EVILDATA", gz, bare, gz[:len(gz)-12], bare[:len(bare)-2], bare + "junk"} {
			all = append(all, evasion{fmt.Sprintf("%s over %.20q (%d)", encoding, body, len(body)),
				[]string{"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", encoding, len(body), body)}, "map[4:1 7:1]"})
		}
	}
	for _, end := range []string{"\n\r", "\n", "\r\n", "\n\r\r"} {
		all = append(all, evasion{fmt.Sprintf("status line that ends in %q", end),
			[]string{"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK" + end + "Transfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n4\r\nDATA\r\n0\r\n\r\n"}, "map[4:1 7:1]"})
	}
	return all
}

// TestEvasions: ways to hide from an inspection that are known from HTTP servers and proxies. Each is tried as a watcher and
// inline, some of them with a successor that takes over in between.
func TestEvasions(t *testing.T) {
	for m, mode := range []string{"ids", "ips"} {
		s := stageOf(evasionRules, "memory: 4, mode: "+mode)
		s.Flows = 64
		for i, c := range evasions() {
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				whole := nftest.Packets(nftest.Connection(client, server, c.parts...)...)
				if got := fmt.Sprint(count(replay(t, s, whole, 64))); got != c.want {
					t.Errorf("alerts by sid: %s, want %s", got, c.want)
				}
				if i%4 == m { // many instances are made
					nftest.HandOff(t, s, whole, "memory_used")
				}
			})
		}
	}
}

// TestAckAhead: an acknowledgement of what nobody has sent yet makes no gap; what then comes is inspected.
func TestAckAhead(t *testing.T) {
	for _, ahead := range []uint32{1, 300, 8000} {
		ps := nftest.Connection(client, server, "GET /ev", "", "il HTTP/1.1\r\nHost: h\r\n\r\n", fine)
		early := ps[4].At(ps[4].Since + 1)
		early.Ack += ahead
		ps = append(ps[:5:5], append([]nftest.P{early}, ps[5:]...)...)
		for _, mode := range []string{"ids", "ips"} {
			s := stageOf(evasionRules, "memory: 4, mode: "+mode)
			s.Flows = 64
			if got := fmt.Sprint(count(replay(t, s, nftest.Packets(ps...), 64))); got != "map[1:1 7:1]" {
				t.Errorf("mode %s, %d bytes ahead: alerts by sid: %s", mode, ahead, got)
			}
			nftest.HandOff(t, s, nftest.Packets(ps...), "memory_used")
		}
	}
}

// TestReports: cases that were reported of other engines, with Suricata's answers.
func TestReports(t *testing.T) {
	dir := corpus.Larger(t, "reports")
	tried := 0
	for _, kind := range []string{"frag6-*", "http-*", "stream-*", "tunnel-*"} {
		dirs, _ := filepath.Glob(filepath.Join(dir, kind))
		for _, d := range dirs {
			tried++
			t.Run(filepath.Base(d), func(t *testing.T) {
				rules, err := os.ReadFile(filepath.Join(d, "test.rules"))
				if err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile(filepath.Join(d, "expected.txt"))
				if err != nil {
					t.Fatal(err)
				}
				_, want, _ := strings.Cut(strings.SplitN(string(text), "\n", 2)[0], "): ")
				want = "map[" + strings.NewReplacer("{", "", "}", "", ": ", ":", ",", "").Replace(want) + "]"
				s := stageOf(string(rules), "mode: ids")
				s.Flows = 64
				if got := fmt.Sprint(count(replay(t, s, nftest.ReadPCAP(t, filepath.Join(d, "in.pcap")), 64))); got != want {
					t.Errorf("alerts by sid: %s, want %s", got, want)
				}
			})
		}
	}
	if tried < 12 {
		t.Errorf("only %d cases", tried)
	}
}
