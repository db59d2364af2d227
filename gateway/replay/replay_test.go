package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/lambdaworker/nf"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/spf13/pflag"
)

// script is a function that does what the first byte of a UDP payload says: drop, change a byte, inject a frame, log.
type script struct{ seen, outside int64 }

func init() {
	nf.Register(nf.Type{Name: "script", Doc: "for tests", New: func(s nf.Setup) (nf.NF, error) {
		return &script{}, s.Options.Decode(&struct{}{})
	}})
}

func (*script) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Full, Writes: nf.Full, Injects: true, Flows: true}
}

func (s *script) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		s.seen++
		s.outside += int64(p.From)
		payload := p.Bytes(p.Data)
		if len(payload) == 0 {
			continue
		}
		switch payload[0] {
		case 'd':
			b.Drop(i, nf.DropRule)
		case 'D': // and says so itself
			b.Drop(i, nf.DropIDS)
			b.Events.Commit(eve.AppendDrop(b.Events.Room(), p, nf.DropIDS, nil, &eve.Context{Tx: -1}))
		case 'c':
			payload[0] = 'C'
			b.Change(i, nf.Full)
		case 'i':
			b.Inject(i, p.From, p.Data[:60])
		case 'p':
			panic("the script says so")
		case 'a':
			b.Events.Commit(eve.AppendAlert(b.Events.Room(), p, &eve.Signature{ID: 7, Message: "seen"}, false, &eve.Context{Tx: -1}))
		}
	}
}

func (s *script) Report(r *nf.Report) { r.Counters["seen"], r.Counters["outside"] = s.seen, s.outside }

// replayed is what a replay left behind.
type replayed struct {
	dir, stdout, stderr string
	records             [][]byte // of the output, each with its header
	events              []map[string]any
	counters            Counters
}

// runReplay runs a replay, with the command's flags, over a capture, with the configuration in text.
func runReplay(t *testing.T, text, in string, flags ...string) (r replayed, err error) {
	t.Helper()
	r.dir = t.TempDir()
	at := func(name string) string { return filepath.Join(r.dir, name) }
	if err := os.WriteFile(at("granule.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var o Options
	fs := pflag.NewFlagSet("replay", pflag.ContinueOnError)
	o.Flags(fs)
	var stdout, stderr bytes.Buffer
	err = fs.Parse(append([]string{"--config", at("granule.yaml"), "--in", in, "--out", at("out.pcap"), "--events", at("eve.json"), "--counters", at("counters.json")}, flags...))
	if err == nil {
		err = o.Run(fs, os.LookupEnv, &stdout, &stderr)
	}
	r.stdout, r.stderr = stdout.String(), stderr.String()
	if err != nil {
		return r, err
	}
	r.records = recordsOf(t, at("out.pcap"))
	text_, _ := os.ReadFile(at("eve.json"))
	for line := range bytes.Lines(text_) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("event %s: %v", line, err)
		}
		r.events = append(r.events, e)
	}
	text_, _ = os.ReadFile(at("counters.json"))
	if err := json.Unmarshal(text_, &r.counters); err != nil {
		t.Fatal(err)
	}
	p, dropped := r.counters.Packets, uint64(0)
	for _, n := range p.Dropped {
		dropped += n
	}
	if p.Received != p.Forwarded+p.Bypassed+dropped {
		t.Errorf("packets do not add up: %+v", p)
	}
	return r, nil
}

// recordsOf cuts a pcap file into records, with their headers in little-endian order.
func recordsOf(t *testing.T, path string) (records [][]byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if data[0] == 0xa1 {
		order = binary.BigEndian
	}
	for at := 24; at+16 <= len(data); {
		r := bytes.Clone(data[at : at+16+int(order.Uint32(data[at+8:]))])
		at += len(r)
		for i := 0; i < 16; i += 4 {
			binary.LittleEndian.PutUint32(r[i:], order.Uint32(r[i:]))
		}
		records = append(records, r)
	}
	return records
}

// capturePCAP writes packets to a file, all from the Ethernet layer.
func capturePCAP(t *testing.T, packets []nftest.Packet) (path string, records [][]byte) {
	t.Helper()
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0)
	for _, p := range packets {
		var r []byte
		r = binary.LittleEndian.AppendUint32(r, uint32(p.Time/1e9))
		r = binary.LittleEndian.AppendUint32(r, uint32(p.Time%1e9/1e3))
		r = binary.LittleEndian.AppendUint32(r, uint32(len(p.Data)))
		r = binary.LittleEndian.AppendUint32(r, p.Wire)
		r = append(r, p.Data...)
		records = append(records, r)
		file = append(file, r...)
	}
	path = filepath.Join(t.TempDir(), "in.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, records
}

const twoChains = `unmatched: drop
max-delay: 5ms   # a setting of run, which this file is for too
chains:
  - name: web
    match: port 80
    stages:
      - - script: {}
      - - script: {}
  - name: dns
    match: port 53
    stages: [[script: {}]]
`

func mixture() []nftest.Packet {
	arp := nftest.Packet{Data: make([]byte, 60), Wire: 60, Time: nftest.Start}
	arp.Data[12], arp.Data[13] = 8, 6
	udp := func(src, dst, payload string) nftest.P { return nftest.UDP(src, dst, payload+strings.Repeat("-", 40)) }
	all := nftest.Packets(
		udp("10.0.0.1:1000", "192.0.2.1:80", "a"), // 2
		udp("10.0.0.1:1000", "192.0.2.2:53", "a"), // 3
		udp("192.0.2.1:80", "10.0.0.1:1000", "d"), // 4
		udp("10.0.0.1:1000", "192.0.2.2:53", "D"), // 5
		udp("10.0.0.1:1000", "192.0.2.1:80", "c"), // 6
		udp("10.0.0.1:1000", "192.0.2.2:53", "i"), // 7
		udp("10.0.0.1:1000", "192.0.2.3:99", "d"), // 8: no chain
		udp("10.0.0.1:1000", "192.0.2.1:80", "i"), // 9: twice, by either stage
		udp("192.0.2.2:53", "10.0.0.1:1000", "-"), // 10
	)
	return append([]nftest.Packet{arp}, all...)
}

func TestReplay(t *testing.T) {
	in, sent := capturePCAP(t, mixture())
	for _, batch := range []string{"1", "2", "3", "7", "256"} {
		t.Run("batch "+batch, func(t *testing.T) {
			r, err := runReplay(t, twoChains, in, "--batch", batch, "--injected")
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Clone(sent[5])
			changed[16+42] = 'C'
			made := func(i int) []byte { // 60 bytes of packet i, at its time
				m := bytes.Clone(sent[i][:76])
				m[8], m[12] = 60, 60
				return m
			}
			want := [][]byte{sent[0], sent[1], sent[2], changed, sent[6], made(6), sent[8], made(8), made(8), sent[9]}
			if !reflect.DeepEqual(r.records, want) {
				t.Errorf("%d packets left, want %d", len(r.records), len(want))
				for i := range min(len(want), len(r.records)) {
					if !bytes.Equal(r.records[i], want[i]) {
						t.Errorf("packet %d is %x\nwant %x", i, r.records[i], want[i])
					}
				}
			}
			var events []string
			for _, e := range r.events {
				s := fmt.Sprint(e["pcap_cnt"], " ", e["event_type"])
				if d, ok := e["drop"].(map[string]any); ok {
					s += " " + d["reason"].(string)
				}
				events = append(events, s)
			}
			wantEvents := []string{"2 alert", "2 alert", "3 alert", "4 drop firewall_rule", "5 drop ids_rule", "8 drop unmatched"}
			if !slices.Equal(events, wantEvents) {
				t.Errorf("events %q\nwant %q", events, wantEvents)
			}
			c := r.counters
			if p := c.Packets; p.Received != 10 || p.Forwarded != 6 || p.Bypassed != 1 || p.Injected != 3 ||
				!reflect.DeepEqual(p.Dropped, map[string]uint64{"firewall_rule": 1, "ids_rule": 1, "unmatched": 1}) {
				t.Errorf("packets %+v", p)
			}
			var reports []string
			for _, n := range c.NFs {
				reports = append(reports, fmt.Sprint(n.Chain, n.Stage, n.NF, n.Counters["seen"], n.Counters["outside"]))
			}
			if got, want := strings.Join(reports, " "), "web0script3 0 web1script4 1 dns0script4 1"; got != want {
				t.Errorf("reports %s, want %s", got, want)
			}
		})
	}
}

func TestReplayLeavesOutWhatFunctionsMade(t *testing.T) {
	in, sent := capturePCAP(t, mixture())
	r, err := runReplay(t, twoChains, in, "--unmatched", "pass")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.records) != len(sent)-2 || r.counters.Packets.Injected != 3 || r.counters.Packets.Bypassed != 2 {
		t.Errorf("%d packets left, %+v", len(r.records), r.counters.Packets)
	}
	if want := "10 packets in "; !strings.HasPrefix(r.stdout, want) || !strings.Contains(r.stdout, "6 forwarded, 2 bypassed, 2 dropped; 3 made by functions\n") {
		t.Errorf("says %q", r.stdout)
	}
}

// A function that fails does not end the replay, and is told of.
func TestReplayOfAFailingFunction(t *testing.T) {
	in, sent := capturePCAP(t, append(mixture(), nftest.Packets(nftest.UDP("10.0.0.1:1000", "192.0.2.2:53", "p"))...))
	r, err := runReplay(t, twoChains, in)
	if err == nil || !strings.Contains(err.Error(), "function script of chain dns, stage 0, failed 1 times: this is a bug in it; the first time:\nthe script says so") {
		t.Errorf("got %v", err)
	}
	// What dns judged together with that packet is dropped; ARP, the first packet of its flow and three packets of web leave.
	if got := recordsOf(t, filepath.Join(r.dir, "out.pcap")); len(got) != 5 || !bytes.Equal(got[4], sent[8]) {
		t.Errorf("%d packets left, want 5", len(got))
	}
}

func TestReplaySides(t *testing.T) {
	in, _ := capturePCAP(t, mixture()[1:])
	for _, c := range []struct {
		hosts string
		want  int64 // packets from outside that the chain dns sees
	}{
		{"", 1}, // the answer
		{"192.0.2.0/24", 3},
		{"192.0.2.2", 3},
		{"10.0.0.1,2001:db8::/32", 1},
		{"02:ff:ff:ff:ff:ff", 4},
	} {
		r, err := runReplay(t, twoChains, in, "--inside-hosts", c.hosts)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.counters.NFs[2].Counters["outside"]; got != c.want {
			t.Errorf("inside hosts %q: %d packets from outside, want %d", c.hosts, got, c.want)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	in, _ := capturePCAP(t, mixture())
	const ok = "chains: [{name: a, stages: [[script: {}]]}]\n"
	for _, c := range []struct {
		name, yaml string
		flags      []string
		want       string
	}{
		{"a capture that is not there", ok, []string{"--in", "gone.pcap"}, "gone.pcap"},
		{"no capture", ok, []string{"--in", ""}, "no capture is named; expected --in and a pcap or pcapng file"},
		{"hosts", ok, []string{"--inside-hosts", "10.0.0.0/33"}, "--inside-hosts: found \"10.0.0.0/33\"; expected an Ethernet address, an IP address or a prefix, such as 10.0.0.0/8"},
		{"batch", ok, []string{"--batch", "257"}, "--batch: found 257; expected 1 to 256"},
		{"output in no folder", ok, []string{"--events", "/nowhere/eve.json"}, "/nowhere/eve.json"},
		{"unknown setting", "max-dely: 5ms\n" + ok, nil, "granule.yaml:1:1: unknown key \"max-dely\"; expected chains or a setting (did you mean max-delay?)"},
		{"bad setting of run", "max-delay: soon\n" + ok, nil, "granule.yaml:1:12: max-delay: found \"soon\""},
		{"bad setting", "unmatched: maybe\n" + ok, nil, "granule.yaml:1:12: unmatched: found \"maybe\", expected pass|drop"},
		{"bad setting and bad chain", "unmatched: maybe\nchains: [{name: a, stages: [[scrip: {}]]}]\n", nil, "granule.yaml:2:30: no function is named \"scrip\""},
		{"flag", ok, []string{"--unmatched", "maybe"}, "invalid argument \"maybe\" for \"--unmatched\" flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := runReplay(t, c.yaml, in, c.flags...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	_, err := runReplay(t, "unmatched: maybe\nchains: [{name: a, stages: [[scrip: {}]]}]\n", in)
	if err == nil || !strings.Contains(err.Error(), "granule.yaml:1:12: ") {
		t.Errorf("the setting is not told of beside the chain: %v", err)
	}
}

func TestReplayEnvironment(t *testing.T) {
	in, _ := capturePCAP(t, mixture())
	t.Setenv("GRANULE_UNMATCHED", "pass")
	r, err := runReplay(t, twoChains, in)
	if err != nil || r.counters.Packets.Dropped["unmatched"] != 0 {
		t.Errorf("the environment does not win over the file: %v, %+v", err, r.counters.Packets)
	}
	r, err = runReplay(t, twoChains, in, "--unmatched", "drop")
	if err != nil || r.counters.Packets.Dropped["unmatched"] != 1 {
		t.Errorf("the flag does not win over the environment: %v, %+v", err, r.counters.Packets)
	}
}

// Events go to the standard output with -, and then nothing else does.
func TestReplayToStandardOutput(t *testing.T) {
	in, _ := capturePCAP(t, mixture())
	r, err := runReplay(t, twoChains, in, "--events", "-", "--fast-log", "-")
	if err != nil || !strings.HasPrefix(r.stdout, `{"timestamp":`) || !strings.Contains(r.stdout, "[**] [0:7:0] seen [**]") || strings.Contains(r.stdout, "packets in") {
		t.Errorf("error %v, output %s", err, r.stdout)
	}
}

func TestReplayAllocatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granule.yaml")
	if err := os.WriteFile(path, []byte(twoChains), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := chain.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := cfg.Compile(chain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplay(plan, insideHosts{}, config{Flows: 1024, Batch: 32, Injected: true})
	frames := []ingress.Frame{}
	for _, p := range mixture() {
		frames = append(frames, ingress.Frame{Data: p.Data, Wire: p.Wire, Time: p.Time})
	}
	if n := testing.AllocsPerRun(100, func() { r.batch(frames) }); n != 0 {
		t.Errorf("a batch allocates %v times", n)
	}
}

// The cut between batches is where the pipeline has it.
func TestReplaySpan(t *testing.T) {
	p := nf.NewPipeline(nil, state.NewTable(8, 1e9, 1), 1024)
	for _, span := range []int64{0, maxSpan, -maxSpan, maxSpan + 1, -maxSpan - 1} {
		p.Start()
		p.Add(make([]byte, 60), 60, nf.Inside, nftest.Start, 1)
		n := burst([]ingress.Frame{{Time: nftest.Start}, {Time: nftest.Start + span}})
		if together := n == 2; together != p.Room(nftest.Start+span) {
			t.Errorf("packets %d ns apart in one batch: %v, and the pipeline says %v", span, together, !together)
		}
	}
}
