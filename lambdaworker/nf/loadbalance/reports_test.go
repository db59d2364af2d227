package loadbalance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const syslog = "loadbalance: {address: 203.0.113.10, port: 514, protocol: udp, backends: [{address: 10.0.0.1, port: 514}]}"

// toServer is where a packet went, from server where it came from.
func toServer(left string) string   { _, to, _ := strings.Cut(left, " -> "); return to }
func fromServer(left string) string { from, _, _ := strings.Cut(left, " -> "); return from }

// A client with a fixed port that was silent is served again, and one whose connection has ended may use the port again.
func TestSilentClientsComeBack(t *testing.T) {
	p := nftest.Stage{NFs: []string{syslog}}.Build(t)
	for i, silence := range []time.Duration{0, 301 * time.Second, 302 * time.Second, time.Hour, 100 * time.Hour} {
		if out := send(t, p, nftest.UDP("198.51.100.1:514", "203.0.113.10:514", "log").Outside().At(silence)); toServer(out[0]) != "10.0.0.1:514" {
			t.Errorf("packet %d, after %v: %s", i+1, silence, out[0])
		}
	}
	p = nftest.Stage{NFs: []string{web}}.Build(t)
	for _, at := range []time.Duration{0, time.Hour} {
		out := send(t, p, nftest.TCP("198.51.100.1:5000", "203.0.113.10:443", "S", "").Outside().At(at), nftest.TCP("198.51.100.1:5000", "203.0.113.10:443", "R", "").Outside().At(at+time.Second))
		if !strings.HasPrefix(toServer(out[0]), "10.0.0.") {
			t.Errorf("at %v: %s", at, out[0])
		}
	}
}

// What a server sends from the port of its service leaves with the service's address, whatever is remembered of the connection.
func TestNothingLeavesWithABackendsAddress(t *testing.T) {
	p := nftest.Stage{NFs: []string{strings.Replace(web, "port: 443,", "port: 443, sessions: 50,", 1)}}.Build(t)
	const client = "198.51.100.1:5000"
	out := send(t, p, nftest.TCP(client, "203.0.113.10:443", "S", "").Outside())
	server := toServer(out[0])
	send(t, p, nftest.TCP(server, client, "SA", ""), nftest.TCP(client, "203.0.113.10:443", "A", "").Outside())
	for i := range 1000 { // a flood of SYNs
		send(t, p, nftest.TCP(fmt.Sprintf("198.51.%d.%d:7", 101+i/250, i%250), "203.0.113.10:443", "S", "").Outside().At(time.Second))
	}
	for _, silence := range []time.Duration{6 * time.Minute, 100 * time.Minute, 24 * time.Hour} {
		if out := send(t, p, nftest.TCP(server, client, "PA", "push").At(silence)); fromServer(out[0]) != "203.0.113.10:443" && server != "10.0.0.3:443" {
			t.Errorf("after %v the server's data left as %s", silence, out[0])
		}
	}
	if out := send(t, p, nftest.TCP("10.0.0.1:8443", "198.51.100.77:5000", "PA", "push")); fromServer(out[0]) != "203.0.113.10:443" {
		t.Errorf("data of a connection that nobody remembers left as %s", out[0])
	}
	if out := send(t, p, nftest.TCP("10.0.0.1:8443", "198.51.100.77:80", "S", "")); fromServer(out[0]) != "10.0.0.1:8443" {
		t.Errorf("a connection that the server begins left as %s", out[0])
	}
}

// A flood of spoofed clients refuses nobody who lives; when all sessions live, new connections are placed by their hash alone.
func TestFloods(t *testing.T) {
	p := nftest.Stage{NFs: []string{"loadbalance: {address: 203.0.113.10, port: 443, sessions: 500, backends: [{address: 10.0.0.1, port: 8443}, {address: 10.0.0.2, port: 8443}]}"}}.Build(t)
	talk := func(c int, at time.Duration) {
		client := fmt.Sprintf("198.51.%d.%d:999", c/250, c%250)
		out := send(t, p, nftest.TCP(client, "203.0.113.10:443", "A", "").Outside().At(at))
		back := send(t, p, nftest.TCP(toServer(out[0]), client, "A", "").At(at))
		if !strings.HasPrefix(toServer(out[0]), "10.0.0.") || fromServer(back[0]) != "203.0.113.10:443" {
			t.Fatalf("client %d at %v: %s and %s", c, at, out[0], back[0])
		}
	}
	for c := range 400 {
		talk(c, 0)
	}
	for i := range 20000 {
		send(t, p, nftest.TCP(fmt.Sprintf("10.%d.%d.%d:7", 1+i>>16, i>>8&255, i&255), "203.0.113.10:443", "S", "").Outside().At(time.Second))
	}
	for c := range 700 { // 400 of before, and 300 more than the table has room for
		talk(c, 2*time.Second)
	}
	for c := range 700 {
		talk(c, 3*time.Second)
	}
	r := nftest.Run(p, nil, 1)
	if r.Count(0, "refused") != 0 || r.Count(0, "stateless") == 0 || r.Count(0, "evicted") < 19000 {
		t.Errorf("counters %v", r.Reports[0].Counters)
	}
}

// Reloads: the replica's state meets another configuration.
func TestReloads(t *testing.T) {
	udp := func(backends string) string {
		return "loadbalance: {address: 203.0.113.10, port: 53, protocol: udp, backends: [" + backends + "]}"
	}
	const one, two, other = "{address: 10.0.0.1, port: 53}", "{address: 10.0.0.2, port: 53}", "{address: 10.0.0.1, port: 5353}"
	for _, tt := range []struct {
		name    string
		configs []string
		want    string
		moved   int64 // by the last
	}{
		{"one, the other, one", []string{udp(one), udp(two), udp(one)}, "10.0.0.1:53 10.0.0.2:53 10.0.0.1:53", 1},
		{"another port of the same address", []string{udp(other), udp(one)}, "10.0.0.1:5353 10.0.0.1:53", 1},
		{"drained", []string{udp(one), udp("{address: 10.0.0.1, port: 53, weight: 0}, " + two)}, "10.0.0.1:53 10.0.0.1:53", 0},
		{"down", []string{udp(one), udp("{address: 10.0.0.1, port: 53, up: false}, " + two)}, "10.0.0.1:53 10.0.0.2:53", 1},
	} {
		var state []byte
		var got []string
		var moved int64
		for i, config := range tt.configs {
			p := nftest.Stage{NFs: []string{config}}.Build(t)
			if err := p.ApplyDelta(state); err != nil {
				t.Fatal(err)
			}
			out, told := sendAndReplicate(t, p, nftest.UDP("198.51.100.1:1000", "203.0.113.10:53", "").Outside().At(time.Duration(i)*time.Second))
			state = append(state, told...)
			got = append(got, toServer(out[0]))
			r := nftest.Run(p, nil, 1)
			moved = r.Count(0, "moved")
		}
		if strings.Join(got, " ") != tt.want || moved != tt.moved {
			t.Errorf("%s: went to %v, want %s; moved %d, want %d", tt.name, got, tt.want, moved, tt.moved)
		}
	}
}

// A drained backend gets no new connection, also not from a port that has one that ended.
func TestDrainedBackendsGetNothingNew(t *testing.T) {
	config := func(weight int) string {
		return fmt.Sprintf("loadbalance: {address: 203.0.113.10, port: 443, backends: [{address: 10.0.0.1, port: 8443, weight: %d}, {address: 10.0.0.2, port: 8443, weight: %d}]}", weight, 1-weight)
	}
	const client = "198.51.100.1:5000"
	p := nftest.Stage{NFs: []string{config(1)}}.Build(t)
	tcp := func(flags string) nftest.P { return nftest.TCP(client, "203.0.113.10:443", flags, "").Outside() }
	back := func(flags string) nftest.P { return nftest.TCP("10.0.0.1:8443", client, flags, "") }
	_, state := sendAndReplicate(t, p, tcp("S"), back("SA"), tcp("A"))
	p = nftest.Stage{NFs: []string{config(0)}}.Build(t)
	if err := p.ApplyDelta(state); err != nil {
		t.Fatal(err)
	}
	out := send(t, p, tcp("PA"), tcp("FA"), back("FA"), tcp("A"), tcp("S"))
	for i, want := range []string{"10.0.0.1:8443", "10.0.0.1:8443", client, "10.0.0.1:8443", "10.0.0.2:8443"} {
		if toServer(out[i]) != want {
			t.Errorf("packet %d: %s, want to %s", i+1, out[i], want)
		}
	}
}

// Several services in one function, on the port of one backend too.
func TestServices(t *testing.T) {
	p := nftest.Stage{NFs: []string{"loadbalance: {services: [{address: 203.0.113.10, port: 80, backends: [{address: 10.0.0.1, port: 8080}]}, {address: 203.0.113.11, port: 80, backends: [{address: 10.0.0.1, port: 8080}]}, {address: 203.0.113.10, port: 53, protocol: udp, backends: [{address: 10.0.0.2}]}]}"}}.Build(t)
	for i, service := range []string{"203.0.113.10:80", "203.0.113.11:80"} {
		client := fmt.Sprintf("198.51.100.%d:1000", i+1)
		if out := send(t, p, nftest.TCP(client, service, "S", "").Outside()); toServer(out[0]) != "10.0.0.1:8080" {
			t.Errorf("%s: %s", service, out[0])
		}
	}
	for i, service := range []string{"203.0.113.10:80", "203.0.113.11:80"} {
		client := fmt.Sprintf("198.51.100.%d:1000", i+1)
		if out := send(t, p, nftest.TCP("10.0.0.1:8080", client, "SA", "")); fromServer(out[0]) != service {
			t.Errorf("the answer to %s left as %s", client, out[0])
		}
	}
	if out := send(t, p, nftest.TCP("198.51.100.1:1000", "203.0.113.11:80", "S", "").Outside()); out[0] != "no_backend" {
		t.Errorf("one port of one client at one port of one server, twice: %s", out[0])
	}
	if out := send(t, p, nftest.UDP("198.51.100.1:1000", "203.0.113.10:53", "").Outside()); toServer(out[0]) != "10.0.0.2:53" {
		t.Errorf("the third service: %s", out[0])
	}
}

// A client on the backends' side is told of by name and not left to a connection that can't come about.
func TestClientsOnTheBackendsSide(t *testing.T) {
	p := nftest.Stage{NFs: []string{web}}.Build(t)
	if out := send(t, p, nftest.TCP("10.0.0.9:1000", "203.0.113.10:443", "S", "")); out[0] != "lb_hairpin" {
		t.Errorf("%s, want a drop by name", out[0])
	}
}

func TestPing(t *testing.T) {
	for _, tt := range []struct{ options, client, service string }{
		{web, "198.51.100.1", "203.0.113.10"},
		{"loadbalance: {address: '2001:db8::10', port: 443, backends: [{address: '2001:db8:1::1'}]}", "2001:db8:2::1", "2001:db8::10"},
	} {
		p := nftest.Stage{NFs: []string{tt.options}}.Build(t)
		r := nftest.Run(p, nftest.Packets(nftest.Echo(tt.client, tt.service, 7, 1).Outside(), nftest.Echo(tt.client, tt.client, 7, 1).Outside()), 2)
		if r.Packets[0].Verdict != nf.Answered || r.Packets[1].Verdict != nf.Pass {
			t.Fatalf("verdicts %s", r.Verdicts())
		}
		want := nftest.EchoReply(tt.service, tt.client, 7, 1).Frame()
		if made := r.Packets[0].Injected; len(made) != 1 || made[0].To != nf.Outside || string(made[0].Data[12:]) != string(want[12:]) {
			t.Errorf("made %x, want %x", made, want)
		}
	}
}
