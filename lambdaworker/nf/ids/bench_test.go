package ids

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// contentRules makes n rules in the proportions of a real set: HTTP 56 %, DNS 15 %, TCP 14 %, TLS 11 %, UDP the rest;
// contents of 4 to 24 bytes with a median of 15, half of them without case.
func contentRules(n int) string {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	words := strings.Fields("admin login upload shell config backup setup update check gate panel report stat image script query token session user cmd exec load data file index view post send recv proxy agent loader bot mail bank secure verify account")
	text := func() string {
		var b strings.Builder
		for b.Len() < 4+r.IntN(20) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteString([]string{"/", "-", "_", ".", "=", ""}[r.IntN(6)])
			fmt.Fprint(&b, r.IntN(100))
		}
		return b.String()
	}
	var out strings.Builder
	for i := range n {
		c := fmt.Sprintf("content:%q;", text())
		if r.IntN(2) == 0 {
			c += " nocase;"
		}
		switch k := r.IntN(100); {
		case k < 24:
			fmt.Fprintf(&out, "alert http any any -> any any (flow:established,to_server; http.uri; %s sid:%d;)\n", c, i+1)
		case k < 34:
			fmt.Fprintf(&out, "alert http any any -> any any (flow:established,to_server; http.header; %s sid:%d;)\n", c, i+1)
		case k < 42:
			fmt.Fprintf(&out, "alert http any any -> any any (flow:established,to_server; http.user_agent; %s sid:%d;)\n", c, i+1)
		case k < 56:
			fmt.Fprintf(&out, "alert http any any -> any any (flow:established,to_client; file.data; %s sid:%d;)\n", c, i+1)
		case k < 71:
			fmt.Fprintf(&out, "alert dns any any -> any any (dns.query; dotprefix; content:\".%s.com\"; endswith; sid:%d;)\n", text(), i+1)
		case k < 85:
			fmt.Fprintf(&out, "alert tcp any any -> any any (flow:established; %s sid:%d;)\n", c, i+1)
		case k < 96:
			fmt.Fprintf(&out, "alert tls any any -> any any (flow:established,to_server; tls.sni; %s sid:%d;)\n", c, i+1)
		default:
			fmt.Fprintf(&out, "alert udp any any -> any any (%s sid:%d;)\n", c, i+1)
		}
	}
	return out.String()
}

// mix is what a link carries: HTTP with pages and pictures, TLS records that look like noise, segments of 1400 bytes with an
// acknowledgement for every second one.
func mix(flows int) []nftest.Packet {
	r := rand.New(rand.NewPCG(5, 5))
	var page strings.Builder
	for page.Len() < 24<<10 {
		fmt.Fprintf(&page, "<div class=\"item-%d\"><a href=\"/news/%d.html\">The quick brown fox number %d jumps over the lazy dog</a></div>\r\n", r.IntN(99), r.IntN(9999), r.IntN(99))
	}
	noise := make([]byte, 24<<10)
	for i := range noise {
		noise[i] = byte(r.UintN(256))
	}
	var conns [][]nftest.P
	for i := range flows {
		body := page.String()
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(body))
		ask := fmt.Sprintf("GET /path/%d/page.php?id=%d&lang=en HTTP/1.1\r\nHost: www.example%d.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nConnection: keep-alive\r\n\r\n", i, r.IntN(1000), i)
		if i%2 == 1 {
			record := append([]byte{0x17, 3, 3, 0x3f, 0xfb}, noise[:16379]...)
			ask, head, body = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "", string(append(record, noise[:8000]...))
		}
		parts := []string{ask}
		for all := head + body; len(all) > 0; {
			n := min(1400, len(all))
			parts = append(parts, all[:n])
			all = all[n:]
			if len(all) > 0 {
				parts = append(parts, "")
			}
		}
		conns = append(conns, nftest.Connection(fmt.Sprintf("10.0.%d.%d:%d", i/250, 1+i%250, 2000+i), "192.0.2.1:80", parts...))
	}
	var all []nftest.P
	for i := 0; len(conns) > 0; i++ { // interleaved, each connection in order
		k := i % len(conns)
		n := min(8, len(conns[k]))
		all = append(all, conns[k][:n]...)
		if conns[k] = conns[k][n:]; len(conns[k]) == 0 {
			conns = append(conns[:k], conns[k+1:]...)
		}
	}
	return nftest.Packets(all...)
}

func benchmark(b *testing.B, rules int, mode string) {
	s := nftest.Stage{NFs: []string{"ids: {rules: [r], mode: " + mode + "}"}, Files: map[string]string{"r": contentRules(rules)}, Flows: 4096}
	p := s.Build(b)
	capture := mix(64)
	bytes := int64(0)
	for _, k := range capture {
		bytes += int64(len(k.Data))
	}
	data := make([][]byte, len(capture))
	for i, k := range capture {
		data[i] = append([]byte(nil), k.Data...)
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	now := capture[0].Time
	rounds, before := int64(0), cpu(b)
	for b.Loop() {
		rounds++
		now += 600e9 // other sessions: the flows of the round before have expired
		for at := 0; at < len(capture); at += 64 {
			p.Start()
			for i := at; i < min(at+64, len(capture)); i++ {
				p.Add(data[i], capture[i].Wire, capture[i].From, now, 0)
			}
			p.Run().Events.Take()
		}
	}
	// On a machine that others use as well, the time on the core is what counts.
	b.ReportMetric(float64(bytes*rounds)/1e6/(cpu(b)-before).Seconds(), "MB/cpu-s")
}

// cpu returns the time that this process has spent on cores.
func cpu(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRules2000(b *testing.B)       { benchmark(b, 2000, "ids") }
func BenchmarkRules10000(b *testing.B)      { benchmark(b, 10000, "ids") }
func BenchmarkRules2000Inline(b *testing.B) { benchmark(b, 2000, "ips") }

// TestMemory: a worker with 10,000 rules and 50,000 flows stays below 512 MB, with its memory in use.
func TestMemory(t *testing.T) {
	before := heap()
	s := nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": contentRules(10000)}, Flows: 50000}
	p := s.Build(t)
	used := heap() - before
	t.Logf("10,000 rules and 50,000 flows: %d MB", used>>20)
	if used > 512<<20 {
		t.Errorf("%d MB, at most 512 are wanted", used>>20)
	}
	runtime.KeepAlive(p)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
