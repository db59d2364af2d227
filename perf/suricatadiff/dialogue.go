package main

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// dialogue is what the two sides of a connection say, in turns, the client first.
type dialogue struct {
	said  [][]byte
	kinds []string // what is odd about it
}

// parts returns all that one side says.
func (d *dialogue) parts(side int) (all []byte) {
	for i := side; i < len(d.said); i += 2 {
		all = append(all, d.said[i]...)
	}
	return all
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func randomDialogue(rng *rand.Rand) (d dialogue) {
	if rng.IntN(6) == 0 {
		d.kinds = append(d.kinds, "connect")
		d.said = append(d.said, []byte("CONNECT "+pick(rng, "h:443", "evil.example:443", "/evil.example", "evil.example/?#:1")+" HTTP/1.1\r\nHost: h\r\n\r\n"),
			[]byte("HTTP/1.1 "+pick(rng, "200", "200", "204", "407", "500")+" x\r\n"+pick(rng, "", "Content-Length: 0\r\n")+"\r\n"))
	}
	for range 1 + rng.IntN(3) {
		request, head := d.request(rng)
		d.said = append(d.said, request, d.reply(rng, head))
	}
	return d
}

// request makes a request, and says whether its reply has no body.
func (d *dialogue) request(rng *rand.Rand) ([]byte, bool) {
	var b bytes.Buffer
	odd := rng.IntN(8) == 0
	if odd {
		b.WriteString(pick(rng, "\r\n", "\n", " ", "\r\n\r\n"))
	}
	method := pick(rng, "GET", "GET", "GET", "POST", "POST", "get", "SUBSCRIBE", "SEARCH", "FOO", "PROPFIND", "HEAD")
	fmt.Fprintf(&b, "%s %s %s\r\n", method, pick(rng, "/evil", "/evil?x=%41", "/a/../evil", "/%65vil", "//evil", "http://evil.example/evil", "/other", "/e\\vil"),
		pick(rng, "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"))
	for range rng.IntN(4) {
		b.WriteString(pick(rng, "Host: evil.example\r\n", "Host: EVIL.example\r\n", "Host: evil.example:80\r\n", "User-Agent: evilua\r\n", "user-agent:evilua\r\n", "Cookie: evilcookie\r\n",
			"X-Fold: a\r\n b\r\n", "Accept: x\r\n", "Referer: evilua\r\n"))
	}
	if len(d.said) == 0 && (odd || method == "FOO" || method == "SEARCH" || method == "SUBSCRIBE") {
		d.kinds = append(d.kinds, "odd first")
	}
	post := method == "POST"
	body := pick(rng, "EVILBODY", "nothing", strings.Repeat("x", rng.IntN(3000))+"EVILBODY")
	switch {
	case post && rng.IntN(2) == 0:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		chunked(&b, rng, []byte(body))
	case post:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes(), method == "HEAD"
}

func (d *dialogue) reply(rng *rand.Rand, head bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.%d %s%s", rng.IntN(2), pick(rng, "200 OK", "200 OK", "404 No", "302 Found"), pick(rng, "\r\n", "\r\n", "\r\n", "\n"))
	if head {
		b.WriteString("Content-Length: 5\r\n\r\n")
		return b.Bytes()
	}
	body := []byte(pick(rng, "EVILDATA", "nothing", `{"a":"EVILDATA"}`, strings.Repeat("<p>text ", rng.IntN(2000))+"EVILDATA"))
	if rng.IntN(2) == 0 {
		d.kinds = append(d.kinds, "encoded")
		b.WriteString("Content-Encoding: " + pick(rng, "gzip", "deflate") + "\r\n")
		body = encoded(rng, body)
	}
	if rng.IntN(2) == 0 {
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		chunked(&b, rng, body)
	} else {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
		b.Write(body)
	}
	return b.Bytes()
}

// encoded compresses a body in one of the ways that go by the name, or not at all.
func encoded(rng *rand.Rand, body []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch rng.IntN(4) {
	case 0:
		w = gzip.NewWriter(&b)
	case 1:
		w = zlib.NewWriter(&b)
	case 2:
		w, _ = flate.NewWriter(&b, 6)
	default:
		return body
	}
	_, _ = w.Write(body) // into memory
	w.Close()
	return b.Bytes()
}

func chunked(b *bytes.Buffer, rng *rand.Rand, body []byte) {
	for len(body) > 0 {
		n := 1 + rng.IntN(min(len(body), 700))
		fmt.Fprintf(b, "%x%s\r\n%s\r\n", n, pick(rng, "", "", ";ext=1"), body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
}
