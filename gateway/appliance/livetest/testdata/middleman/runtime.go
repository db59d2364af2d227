package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/relay/wire"
)

// runtimeAPI serves the Runtime API that is at the address platform, and returns where.
func (o *orders) runtimeAPI(platform string) (string, error) {
	at, err := url.Parse("http://" + platform) // the embedded service's has a path
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) },
		ModifyResponse: func(r *http.Response) error {
			if strings.HasSuffix(r.Request.URL.Path, "/invocation/next") && r.StatusCode == http.StatusOK {
				return o.invocation(r)
			}
			return nil
		},
	}
	go func() { log.Fatal(http.Serve(l, proxy)) }()
	return l.Addr().String(), nil
}

// invocation keeps an invocation, and has its worker dial us instead of the gateway.
func (o *orders) invocation(r *http.Response) error {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var inv wire.Invocation
	var stage struct{ Chain string }
	if err := json.Unmarshal(payload, &inv); err != nil {
		return err
	}
	if err := json.Unmarshal(inv.Stage, &stage); err != nil {
		return err
	}
	path := filepath.Join(here, fmt.Sprintf("invocation-%d.json", inv.Worker))
	if err := os.WriteFile(path+"~", payload, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+"~", path); err != nil { // who sees it sees it whole
		return err
	}
	if o.Hold == inv.Worker {
		await("release", inv.Worker)
	}
	between, err := o.between(inv.Gateways[0], inv.Worker, stage.Chain == o.Slow)
	if err != nil {
		return err
	}
	inv.Gateways = []string{between}
	if payload, err = json.Marshal(&inv); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(payload))
	r.ContentLength = int64(len(payload))
	r.Header.Set("Content-Length", strconv.Itoa(len(payload)))
	return nil
}
