package ids

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// upload is a form of a field and two files, the first of which is larger than what is kept of other bodies between two looks.
func upload() []nftest.Packet {
	form := "--XyZ\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nMZ in a field\r\n" +
		"--XyZ\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one.txt\"\r\n\r\n" + strings.Repeat("harmless ", 6000) + "\r\n" +
		"--XyZ\r\nContent-Disposition: form-data; name=\"b\"; filename=\"two.exe\"\r\n\r\nMZ and more\r\n--XyZ--\r\n"
	request := fmt.Sprintf("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Type: multipart/form-data; boundary=XyZ\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
	var parts []string
	for len(request) > 0 {
		n := min(len(request), 1400)
		parts = append(parts, request[:n], "")
		request = request[n:]
	}
	parts[len(parts)-1] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	return nftest.Packets(nftest.Connection(client, server, parts...)...)
}

// ofUploads: each file is tried by itself, with its name beside it.
const ofUploads = `alert http any any -> any any (flow:to_server; file.data; content:"MZ"; startswith; sid:1;)
alert http any any -> any any (flow:to_server; file.data; content:"MZ in"; sid:2;)
alert http any any -> any any (flow:to_server; file.name; content:".exe"; endswith; sid:3;)
alert http any any -> any any (flow:to_server; file.data; content:"harmless"; startswith; content:"MZ"; sid:4;)
alert http any any -> any any (flow:to_server; file.data; content:"MZ and more"; endswith; sid:5;)
alert http any any -> any any (http.request_body; content:"MZ in a field"; sid:6;)
`

func TestUpload(t *testing.T) {
	for _, mode := range []string{"ids", "ips"} {
		got := count(replay(t, stageOf(ofUploads, "mode: "+mode), upload(), 4))
		for sid, want := range map[string]int{"1": 1, "2": 0, "3": 1, "4": 0, "5": 1, "6": 1} {
			if got[sid] != want {
				t.Errorf("mode %s: %d alerts of rule %s, want %d", mode, got[sid], sid, want)
			}
		}
	}
}

func TestUploadHandOff(t *testing.T) {
	nftest.HandOff(t, stageOf(ofUploads, "mode: ids"), upload(), "memory_used")
}
