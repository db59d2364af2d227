package http

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

func newParser(cfg Config) *Parser {
	cfg.Flows = 4
	if cfg.Arena == nil {
		cfg.Arena = arena.New(1 << 20)
	}
	return New(cfg)
}

// describe tells all that the engine can see of flow 1.
func describe(p *Parser) string {
	var b strings.Builder
	for s := p.First(1); s != None; s = p.Next(s) {
		t := p.Tx(s)
		fmt.Fprintf(&b, "tx %d status %d\n", t.ID, t.Status)
		for d := proto.ToServer; d <= proto.ToClient; d++ {
			fmt.Fprintf(&b, " %v at %d\n", d, t.Progress(d))
			for v := range NumBuffers {
				if dir, fixed := v.Dir(); fixed && dir != d {
					continue
				}
				if x, ok := p.Buffer(t, d, v); ok {
					fmt.Fprintf(&b, "  %d %q\n", v, x)
				}
			}
		}
		fmt.Fprintf(&b, " files %q\n", files(p, s))
	}
	return b.String()
}

func get(t *testing.T, p *Parser, slot uint32, d proto.Dir, b Buffer) string {
	t.Helper()
	v, _ := p.Buffer(p.Tx(slot), d, b)
	return string(v)
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

const ts, tc = proto.ToServer, proto.ToClient

func TestBuffers(t *testing.T) {
	p := newParser(Config{})
	p.Feed(1, ts, []byte("GET /a/../b%20c?x=%41#f HTTP/1.1\r\nHost: WWW.Example.com:8080\r\nUser-Agent: me\r\nCookie: k=v\r\nAccept: a\r\nAccept: b\r\nX: 1\r\n  2\r\n\r\n"))
	p.Feed(1, tc, []byte("HTTP/1.1 200 All right\r\nServer: s\r\nSet-Cookie: z\r\nContent-Length: 4\r\n\r\nbody"))
	s := p.First(1)
	for _, c := range []struct {
		d    proto.Dir
		b    Buffer
		want string
	}{
		{ts, Method, "GET"}, {ts, URI, "/b c?x=A#f"}, {ts, URIRaw, "/a/../b%20c?x=%41#f"}, {ts, Protocol, "HTTP/1.1"},
		{ts, Host, "www.example.com"}, {ts, HostRaw, "WWW.Example.com:8080"}, {ts, UserAgent, "me"}, {ts, Cookie, "k=v"},
		{ts, Header, "Host: WWW.Example.com:8080\r\nUser-Agent: me\r\nAccept: a, b\r\nX: 1  2\r\n"},
		{ts, HeaderNames, "\r\nHost\r\nUser-Agent\r\nCookie\r\nAccept\r\nX\r\n\r\n"},
		{ts, RequestLine, "GET /a/../b%20c?x=%41#f HTTP/1.1"},
		{tc, StatCode, "200"}, {tc, StatMsg, "All right"}, {tc, Protocol, "HTTP/1.1"}, {tc, ResponseLine, "HTTP/1.1 200 All right"},
		{tc, Server, "s"}, {tc, Cookie, "z"}, {tc, ContentLength, "4"}, {tc, FileData, "body"},
		{tc, HeaderRaw, "Server: s\r\nSet-Cookie: z\r\nContent-Length: 4\r\n\r\n"},
		{tc, Start, "HTTP/1.1 200 All right\r\nServer: s\r\nSet-Cookie: z\r\nContent-Length: 4\r\n\r\n"},
	} {
		if got := get(t, p, s, c.d, c.b); got != c.want {
			t.Errorf("%v buffer %d is %q, want %q", c.d, c.b, got, c.want)
		}
	}
	if p.Tx(s).Progress(ts) != Done || p.Tx(s).Progress(tc) != Done || p.Tx(s).Status != 200 {
		t.Error("the transaction is not done")
	}
	if _, ok := p.Buffer(p.Tx(s), ts, Referer); ok {
		t.Error("a field that is not there has a value")
	}
	if l, ok := p.Headers(p.Tx(s), tc, 1); !ok || string(l) != "Content-Length: 4" {
		t.Errorf("second header of the response: %q", l)
	}
}

// TestHostOfTarget: the authority that a request's target names comes before its Host field.
func TestHostOfTarget(t *testing.T) {
	for _, c := range []struct{ head, host, raw string }{
		{"GET http://Evil.example:81/x HTTP/1.1\r\nHost: good.example\r\n\r\n", "evil.example", "evil.example"},
		{"CONNECT Evil.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n", "evil.example", "evil.example"},
		{"GET /x HTTP/1.1\r\nHost: Good.example:81\r\n\r\n", "good.example", "Good.example:81"},
	} {
		p := newParser(Config{})
		p.Feed(1, ts, []byte(c.head))
		if host, raw := get(t, p, p.First(1), ts, Host), get(t, p, p.First(1), ts, HostRaw); host != c.host || raw != c.raw {
			t.Errorf("%q: host %q and raw %q, want %q and %q", c.head, host, raw, c.host, c.raw)
		}
	}
}

// TestHeaderNames: each name stands once, where it first came.
func TestHeaderNames(t *testing.T) {
	for _, c := range []struct{ fields, want string }{
		{"Cookie: a\r\nHost: h\r\n", "\r\nCookie\r\nHost\r\n\r\n"},
		{"Host: h\r\nhost: i\r\nX: 1\r\nCookie: a\r\nX: 2\r\ncookie: b\r\nY: 1\r\n", "\r\nHost\r\nX\r\nCookie\r\nY\r\n\r\n"},
		{"Host: h\r\nX: 1\r\n", "\r\nHost\r\nX\r\n\r\n"},
	} {
		p := newParser(Config{})
		p.Feed(1, ts, []byte("GET / HTTP/1.1\r\n"+c.fields+"\r\n"))
		if got := get(t, p, p.First(1), ts, HeaderNames); got != c.want {
			t.Errorf("%q: %q, want %q", c.fields, got, c.want)
		}
	}
}

// TestZippedRequest: the body of a request is decoded as that of a response is.
func TestZippedRequest(t *testing.T) {
	p := newParser(Config{DecompressLayers: 1})
	z := zipped("user=admin")
	p.Feed(1, ts, fmt.Appendf(nil, "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(z), z))
	if got := get(t, p, p.First(1), ts, RequestBody); got != "user=admin" {
		t.Errorf("the body is %q", got)
	}
}

const form = "--XyZ\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nMZ in a field\r\n" +
	"--XyZ\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one.exe\"\r\nContent-Type: x/y\r\n\r\nMZ\r\n--Xy\r\n" +
	"--XyZ\r\ncontent-disposition: form-data; filename=two.txt; name=b\r\n\r\n\r\n--XyZ--\r\n"

// files are those that a request shows, as "name=content".
func files(p *Parser, slot uint32) (got []string) {
	for i := 0; ; i++ {
		name, data, ok := p.File(p.Tx(slot), i)
		if !ok {
			return got
		}
		got = append(got, fmt.Sprintf("%s=%s", name, data))
	}
}

// TestFiles: the parts of a form that have a file's name are files; else the body of a POST or PUT is one.
func TestFiles(t *testing.T) {
	multipart := "multipart/form-data; charset=x; boundary=\"XyZ\""
	for _, c := range []struct{ method, kind, body, want string }{
		{"POST", multipart, form, "one.exe=MZ\r\n--Xy|two.txt="},
		{"POST", "Multipart/Form-Data; Boundary=XyZ", "before it\r\n" + form, "one.exe=MZ\r\n--Xy|two.txt="},
		{"POST", multipart, strings.Repeat("--XyZ\r\nContent-Disposition: form-data; filename=f\r\n\r\n\r\n", 100), strings.Repeat("f=|", maxFiles-1) + "f="},
		{"POST", multipart, "none of it", ""},
		{"POST", "multipart/form-data", form, "/up=" + form},
		{"POST", "text/plain", "MZ", "/up=MZ"},
		{"PUT", "text/plain", "MZ", "/up=MZ"},
		{"SEARCH", "text/plain", "MZ", ""},
	} {
		p := newParser(Config{})
		p.Feed(1, ts, fmt.Appendf(nil, "%s /up HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", c.method, c.kind, len(c.body), c.body))
		if got := strings.Join(files(p, p.First(1)), "|"); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.kind, got, c.want)
		}
	}
}

// TestFilesInPieces: however a body comes, a file is shown without what may be the next boundary, and is whole in the end.
func TestFilesInPieces(t *testing.T) {
	p := newParser(Config{})
	p.Feed(1, ts, fmt.Appendf(nil, "POST /up HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=XyZ\r\nContent-Length: %d\r\n\r\n", len(form)))
	slot := p.First(1)
	for i := range len(form) {
		p.Feed(1, ts, []byte(form[i:i+1]))
		for k, f := range files(p, slot) {
			if want := []string{"one.exe=MZ\r\n--Xy", "two.txt="}[k]; !strings.HasPrefix(want, f) {
				t.Fatalf("after %d bytes file %d is %q, not the beginning of %q", i+1, k, f, want)
			}
		}
		p.BodyInspected(p.Tx(slot), ts)
	}
	if got := strings.Join(files(p, slot), "|"); got != "one.exe=MZ\r\n--Xy|two.txt=" {
		t.Errorf("%q", got)
	}
	if n := testing.AllocsPerRun(100, func() { p.File(p.Tx(slot), 1) }); n != 0 {
		t.Errorf("%v allocations a look", n)
	}
}

// dialogues are exchanges with the body that is to be seen of each response.
var dialogues = []struct{ name, request, response, bodies string }{
	{"pipelined", "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcHEAD /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\ntwo\r\n00\r\nT: r\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.0 200 OK\r\n\r\nrest",
		"one|two||rest"},
	{"old", "GET /\r\n", "hello\nworld", "hello\nworld"},
	{"version forgotten", "GET /\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"},
	{"gzip", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped("squeezed"), "squeezed"},
	{"gzip twice", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n" + zipped(zipped("squeezed")), "squeezed"},
	{"not gzip", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nplain text that was never compressed", "plain text that was never compressed"},
	{"longer than said", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab and more\nand\n", "ab and more\nand\n"},
	{"no length", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nall", "all"},
	{"bad chunk", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nall", "zz\r\nall"},
	{"no status line", "GET / HTTP/1.1\r\n\r\n", "<html>\nis this\n", "<html>\nis this\n"},
	{"noise first", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n\x00 HtTp/1.1 200 OK\r\n\r\nbody", "body"},
	{"CR alone", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\rA: b\rContent-Length: 1\r\ry", "y"},
	{"LF alone", "GET / HTTP/1.1\n\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\ny", "y"},
	{"blank lines in the head", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r \nContent-Length: 1\r\n\r\ny", "y"},
	{"folded", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n", "y"},
	{"name hidden in a fold", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 1\r\n\r\ny", "y"},
	{"two lengths", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\ny", "y"},
	{"nobody asked", "", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny", "y"},
}

func TestDialogues(t *testing.T) {
	for _, c := range dialogues {
		t.Run(c.name, func(t *testing.T) {
			p := newParser(Config{})
			p.Feed(1, ts, []byte(c.request))
			p.Feed(1, tc, []byte(c.response))
			p.Close(1, ts)
			p.Close(1, tc)
			var got []string
			for s := p.First(1); s != None; s = p.Next(s) {
				got = append(got, get(t, p, s, tc, FileData))
			}
			if b := strings.Join(got, "|"); b != c.bodies {
				t.Fatalf("bodies %q, want %q\n%s", b, c.bodies, describe(p))
			}
		})
	}
}

// TestSegmentation: any cut of the bytes gives the same, and so does a parser that takes over in between.
func TestSegmentation(t *testing.T) {
	for _, c := range dialogues {
		t.Run(c.name, func(t *testing.T) {
			run := func(cut func(int) int, move bool) string {
				p := newParser(Config{})
				for d, s := range [2]string{c.request, c.response} {
					for b := []byte(s); len(b) > 0; {
						n := cut(len(b))
						p.Feed(1, proto.Dir(d), b[:n])
						b = b[n:]
						if move {
							st := p.AppendState(1, nil)
							q := newParser(Config{Arena: p.arena})
							p.Forget(1)
							if !q.ApplyState(1, st) {
								t.Fatal("state was refused")
							}
							if !bytes.Equal(q.AppendState(1, nil), st) {
								t.Fatal("state changed on its way")
							}
							p = q
						}
					}
				}
				p.Close(1, ts)
				p.Close(1, tc)
				s := describe(p)
				p.Forget(1)
				if u := p.arena.Used(); u != 0 {
					t.Fatalf("%d bytes leaked", u)
				}
				return s
			}
			want := run(func(n int) int { return n }, false)
			if got := run(func(int) int { return 1 }, true); got != want {
				t.Fatalf("byte by byte:\n%s\nwhole:\n%s", got, want)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			for range 20 {
				if got := run(func(n int) int { return 1 + rng.IntN(n) }, true); got != want {
					t.Fatalf("cut at random:\n%s\nwhole:\n%s", got, want)
				}
			}
		})
	}
}

func TestTunnelsAndGaps(t *testing.T) {
	p := newParser(Config{})
	p.Feed(1, ts, []byte("CONNECT h:443 HTTP/1.1\r\n\r\n"))
	if uri, ok := p.Buffer(p.Tx(p.First(1)), ts, URI); ok {
		t.Errorf("an authority is a path: %q", uri)
	}
	if raw := get(t, p, p.First(1), ts, URIRaw); raw != "h:443" {
		t.Errorf("the URI as sent is %q", raw)
	}
	if left := p.Feed(1, ts, []byte("early")); left != 5 || !p.Waits(1) {
		t.Fatalf("%d bytes behind a CONNECT wait for its answer, want 5", left)
	}
	if left := p.Feed(1, tc, []byte("HTTP/1.1 200 OK\r\n\r\n\x16\x03")); left != 2 || !p.Tunnel(1) || p.Feed(1, ts, []byte("x")) != 1 {
		t.Fatalf("a tunnel is still read, %d bytes left", left)
	}
	p.Forget(1)
	p.Feed(1, ts, []byte("CONNECT h:443 HTTP/1.1\r\n\r\n"))
	p.Feed(1, tc, []byte("HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx"))
	if left := p.Feed(1, ts, []byte("GET /after HTTP/1.1\r\n\r\n")); left != 0 || p.Tunnel(1) || get(t, p, p.Next(p.First(1)), ts, URI) != "/after" {
		t.Fatalf("%d bytes are left behind a CONNECT that was refused", left)
	}
	p.Forget(1)
	p.Feed(1, ts, []byte("GET / HTTP/1.1\r\n\r\n"))
	p.Feed(1, tc, []byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"))
	if !p.Gap(1, tc, 4) || p.Feed(1, tc, []byte("xyz")) > 0 {
		t.Fatal("a gap within a body ended it")
	}
	b := p.Body(p.Tx(p.First(1)), tc)
	if string(b.Data) != "xyz" || b.Offset != 7 || !b.Complete {
		t.Fatalf("behind the gap: %+v", b)
	}
}

func TestBodyWindow(t *testing.T) {
	p := newParser(Config{MinInspect: [2]int{100, 100}, InspectWindow: [2]int{10, 10}, ResponseBodyLimit: 1000})
	p.Feed(1, ts, []byte("GET / HTTP/1.1\r\n\r\n"))
	p.Feed(1, tc, []byte("HTTP/1.1 200 OK\r\n\r\n"))
	tx := p.Tx(p.First(1))
	p.Feed(1, tc, make([]byte, 99))
	if p.BodyReady(tx, tc) {
		t.Fatal("ready too early")
	}
	p.Feed(1, tc, make([]byte, 1))
	if !p.BodyReady(tx, tc) {
		t.Fatal("not ready")
	}
	p.BodyInspected(tx, tc)
	p.Feed(1, tc, make([]byte, 5))
	if b := p.Body(tx, tc); len(b.Data) != 15 || b.Fresh != 10 || b.Offset != 90 || !p.BodyReady(tx, tc) {
		t.Fatalf("after the first look: %d bytes, fresh from %d, at %d", len(b.Data), b.Fresh, b.Offset)
	}
	p.Feed(1, tc, make([]byte, 5000))
	if b := p.Body(tx, tc); !b.Complete || b.Offset+uint64(len(b.Data)) != 1000 {
		t.Fatalf("past the limit: %+v", b)
	}
}

func TestNoAllocations(t *testing.T) {
	p := newParser(Config{})
	req := []byte("POST /a/b?c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX: y\r\n z\r\n\r\nabc")
	res := []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n", len(zipped("squeezed"))) + zipped("squeezed") + "\r\n0\r\n\r\n")
	round := func() {
		p.Feed(1, ts, req[:30])
		p.Feed(1, ts, req[30:])
		p.Feed(1, tc, res[:50])
		p.Feed(1, tc, res[50:])
		s := p.First(1)
		for v := range NumBuffers {
			p.Buffer(p.Tx(s), ts, v)
			p.Buffer(p.Tx(s), tc, v)
		}
		p.Release(s)
	}
	round()
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzDialogue(f *testing.F) {
	for _, c := range dialogues {
		f.Add([]byte(c.request), []byte(c.response), uint8(7))
	}
	f.Fuzz(func(t *testing.T, req, res []byte, cut uint8) {
		run := func(n int, st bool) (string, int) {
			p := newParser(Config{Arena: arena.New(1 << 20), HeaderLimit: 300, PerFlow: 20})
			for d, b := range [2][]byte{req, res} {
				for len(b) > 0 {
					k := min(n, len(b))
					p.Feed(1, proto.Dir(d), b[:k])
					b = b[k:]
				}
			}
			if st {
				p.ApplyState(1, p.AppendState(1, nil))
			}
			p.Close(1, ts)
			p.Close(1, tc)
			s := describe(p)
			p.Forget(1)
			return s, p.arena.Used()
		}
		whole, leak := run(1<<20, false)
		parts, leak2 := run(int(cut)+1, true)
		if leak+leak2 != 0 {
			t.Fatalf("%d and %d bytes leaked", leak, leak2)
		}
		// Past the limits what is kept depends on how the bytes were cut; within them nothing may.
		if len(req)+len(res) < 250 && whole != parts {
			t.Fatalf("whole:\n%s\nin pieces of %d:\n%s", whole, int(cut)+1, parts)
		}
	})
}

func BenchmarkExchange(b *testing.B) {
	p := newParser(Config{})
	req := []byte("GET /index.html?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
	res := append([]byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 4096\r\n\r\n"), make([]byte, 4096)...)
	b.SetBytes(int64(len(req) + len(res)))
	b.ReportAllocs()
	for b.Loop() {
		p.Feed(1, ts, req)
		p.Feed(1, tc, res)
		p.Release(p.First(1))
	}
}
