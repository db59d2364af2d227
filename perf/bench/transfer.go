package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// tcpSender is what moves the bytes: iperf3 where it is installed.
func tcpSender() string {
	if _, err := exec.LookPath("iperf3"); err != nil {
		return "own sender (iperf3 is not installed)"
	}
	return "iperf3"
}

// transfer sends one TCP flow from the inside host to the outside host, and returns the bits a second that arrived.
func transfer(ctx context.Context, tp *topo.Topo, address string, length time.Duration) (float64, error) {
	if tcpSender() != "iperf3" {
		r, err := traffic.TCP{From: tp.Inside, To: tp.Outside, Address: address, Duration: length, Unhashed: true}.Run(ctx)
		return r.BitsPerSecond(), err
	}
	server, err := rig.Spawn(tp.Outside, exec.Command("iperf3", "-s", "-1", "-B", address))
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Stop(time.Second) }() // it ends by itself after one test
	ctx, cancel := context.WithTimeout(ctx, length+15*time.Second)
	defer cancel()
	for {
		argv := tp.Inside.Command("iperf3", "-c", address, "-t", fmt.Sprint(max(1, int(length.Seconds()+0.5))), "-J")
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
		var report struct {
			Error string `json:"error"`
			End   struct {
				Received struct {
					BitsPerSecond float64 `json:"bits_per_second"`
				} `json:"sum_received"`
			} `json:"end"`
		}
		if jerr := json.Unmarshal(out, &report); jerr != nil {
			return 0, fmt.Errorf("iperf3 printed %q: %w (%w)", out, jerr, err)
		}
		if bits := report.End.Received.BitsPerSecond; err == nil && bits > 0 {
			return bits, nil
		}
		select {
		case <-server.Exited():
			return 0, fmt.Errorf("iperf3: %s", report.Error)
		case <-ctx.Done():
			return 0, fmt.Errorf("iperf3: %s: %w", report.Error, ctx.Err())
		case <-time.After(50 * time.Millisecond): // the server does not listen yet
		}
	}
}
