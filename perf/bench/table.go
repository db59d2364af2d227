package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the table: a figure with its floor and its aim.
type row struct {
	what       string
	value      float64
	there      bool // it was measured
	floor, aim float64
	less       bool // less is better
	show       func(float64) string
	raw        string
}

// mark says where the value stands.
func (w *row) mark() string {
	reached := func(limit float64) bool { return w.less && w.value <= limit || !w.less && w.value >= limit }
	switch {
	case reached(w.aim):
		return "PASS, aim reached"
	case reached(w.floor):
		return "PASS"
	}
	return "BELOW"
}

// rows is the table of figures that this project promises.
func (r *results) rows() []row {
	times := func(v float64) string { return fmt.Sprintf("%.2fx", v) }
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v*1e3) }
	objects := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	bytes := func(v float64) string { return fmt.Sprintf("%.0f B", v) }
	ratio := func(what, series, against string, floor, aim float64, less bool, unit func(float64) string) row {
		v, ok := r.ratio(series, nameGranule, against)
		return row{what, v, ok, floor, aim, less, times, r.raw(series, unit, nameGranule, against)}
	}
	plain := func(what, series, who string, floor, aim float64, show func(float64) string, raw string) row {
		v, ok := r.Series[series][who]
		return row{what, median(v), ok, floor, aim, true, show, raw}
	}
	// One object a batch would be 0.015 at least; below 0.01 it is what work by the second differs by from run to run.
	const none = 0.01
	return []row{
		ratio("one TCP flow, against a Linux bridge", "tcp", nameBridge, 0.45, 0.65, false, gbit),
		ratio("one TCP flow, against wireguard-go", "tcp", nameWireguard, 2, 3, false, gbit),
		ratio("64-byte packets, against bare AF_XDP", "pps", nameBare, 0.40, 0.70, false, mpps),
		ratio("round trip p50, against wireguard-go", "rtt p50", nameWireguard, 1.0, 0.5, true, ms),
		plain("round trip p99", "rtt p99", nameGranule, 2e-3, 0.7e-3, ms, r.raw("rtt p99", ms, nameGranule, nameWireguard, nameBridge)),
		plain("heap objects a packet, gateway", "heap objects", "gateway", none, none, objects, "with scrapes and reports: "+r.raw("heap objects, raw", objects, "gateway")),
		plain("heap objects a packet, worker", "heap objects", "worker", none, none, objects, "with scrapes and reports: "+r.raw("heap objects, raw", objects, "worker")),
		plain("connection bytes per 1500-byte packet", "bytes", nameGranule, 150, 60, bytes, fmt.Sprintf("%.0f B to the worker, %.0f B back, %.0f packets a batch",
			median(r.Series["bytes to worker"][nameGranule]), median(r.Series["bytes from worker"][nameGranule]), median(r.Series["batch"][nameGranule]))),
	}
}

func gbit(v float64) string { return fmt.Sprintf("%.2f Gbit/s", v/1e9) }
func mpps(v float64) string { return fmt.Sprintf("%.3f Mpps", v/1e6) }

// raw is a series as it was measured: median and spread.
func (r *results) raw(series string, unit func(float64) string, who ...string) string {
	var parts []string
	for _, w := range who {
		v := r.Series[series][w]
		if len(v) == 0 {
			continue
		}
		text := unit(median(v))
		if len(v) > 1 {
			text += fmt.Sprintf(" [%s - %s]", unit(slices.Min(v)), unit(slices.Max(v)))
		}
		if len(who) > 1 {
			text = w + " " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// print writes the table.
func (r *results) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s; %d rounds of %s, contestants in turn; MTU 1500, offloads off at the hosts; TCP by %s\n", r.Machine, r.Rounds,
		time.Duration(r.Seconds*float64(time.Second)), r.Sender)
	fmt.Fprintf(w, "granule: chain counter + firewall, one local worker, TLS on; wireguard-go: host to host over a bridge\n\n")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\tfloor\taim\t\traw: median [least - most]")
	for _, x := range r.rows() {
		if x.there {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", x.what, x.show(x.value), x.show(x.floor), x.show(x.aim), x.mark(), x.raw)
		}
	}
	_ = t.Flush()
	if p50 := r.raw("rtt p50", func(v float64) string { return fmt.Sprintf("%.3f ms", v*1e3) }, nameGranule, nameWireguard, nameBridge); p50 != "" {
		fmt.Fprintf(w, "\nround trip p50: %s; %d lost\n", p50, r.Lost)
	}
	if f := r.Flows; f != nil {
		fmt.Fprintf(w, "\nflow table, %d flows: %.0f B a flow; insert %.0f ns, lookup in random order %.0f ns, in bursts %.0f ns\n", f.Flows, f.BytesPerFlow, f.InsertNS, f.LookupNS, f.BurstNS)
	}
	if r.SlotBytes > 0 {
		fmt.Fprintf(w, "memory: %d B a parked packet with its frame (--slots bounds them), %d B a flow (--flows)\n", r.SlotBytes, r.FlowBytes)
	}
}
