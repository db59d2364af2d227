package firewall

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/gopacket/pcapgo"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// testPacket is a packet of a capture.
type testPacket struct {
	data []byte
	wire int
	time int64
	from nf.Side
}

// inside is the source address of frames from the host on the inside, in the corpus and in our own tests.
var inside = [6]byte{2, 0, 0, 0, 0, 1}

func readCapture(t testing.TB, file string) []testPacket {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	r.SetSnaplen(1 << 24)
	var ps []testPacket
	for {
		data, ci, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ps
		}
		if err != nil {
			t.Fatalf("%s: packet %d: %v", file, len(ps)+1, err)
		}
		p := testPacket{data, max(ci.Length, len(data)), ci.Timestamp.UnixNano(), nf.Outside}
		if len(data) >= 12 && [6]byte(data[6:12]) == inside {
			p.from = nf.Inside
		}
		ps = append(ps, p)
	}
}

// textOptions are options as they stand in granule.yaml.
type textOptions string

func (o textOptions) Decode(v any) error {
	return yaml.UnmarshalWithOptions([]byte(o), v, yaml.Strict())
}

func (o textOptions) Pos(string) (string, int, int) { return "granule.yaml", 1, 1 }

// bench is a firewall in a pipeline of its own.
type bench struct {
	*nf.Pipeline
	fw *Firewall
}

// build makes a firewall of options (YAML in braces) over files.
func build(t testing.TB, options string, files map[string]string) bench {
	t.Helper()
	p, err := tryBuild(options, files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryBuild(options string, files map[string]string) (bench, error) {
	return tryBuildWarn(options, files, nil)
}

func tryBuildWarn(options string, files map[string]string, warn func(nf.Problem)) (bench, error) {
	flows := state.NewTable(4096, 1<<60, 7)
	open := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := New(nf.Setup{Options: textOptions(options), Open: open, Flows: flows, Warn: warn})
	if err != nil {
		return bench{}, err
	}
	return bench{nf.NewPipeline([]nf.NF{f}, flows, 1<<16), f.(*Firewall)}, nil
}

// run sends packets through p in batches of size and returns their verdicts.
func run(p bench, ps []testPacket, size int) []nf.Verdict {
	var out []nf.Verdict
	for len(ps) > 0 {
		n := min(size, len(ps))
		p.Start()
		for i := range ps[:n] {
			x := &ps[i]
			p.Add(x.data, uint32(x.wire), x.from, x.time, 0)
		}
		out = append(out, p.Run().Verdicts...)
		ps = ps[n:]
	}
	return out
}

type corpusCase struct {
	Packets  int
	Verdicts []string
	From     []string
	Features []string
	Rules    []struct {
		Line    int
		Counter *struct{ Packets, Bytes uint64 }
	}
}

func readCase(t testing.TB, dir string) (rules string, c corpusCase, ps []testPacket) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "rules.nft"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	ps = readCapture(t, filepath.Join(dir, "input.pcap"))
	for i := range ps {
		ps[i].from = nf.Outside
		if c.From[i] == "inside" {
			ps[i].from = nf.Inside
		}
	}
	return string(text), c, ps
}

// TestCorpus judges every packet of corpus/firewall as the Linux kernel did, and counts as it did.
func TestCorpus(t *testing.T) {
	root := corpus.Folder(t, "firewall")
	dirs, err := filepath.Glob(filepath.Join(root, "*", "rules.nft"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases in %s: %v", root, err)
	}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			rules, c, ps := readCase(t, dir)
			p := build(t, "{rules: rules.nft}", map[string]string{"rules.nft": rules})
			got := run(p, ps, 64)
			if len(got) != c.Packets {
				t.Fatalf("%d packets judged, %d expected", len(got), c.Packets)
			}
			for i, v := range got {
				if (v == nf.Pass) != (c.Verdicts[i] == "accept") {
					t.Errorf("packet %d: %v, the kernel says %s", i+1, v, c.Verdicts[i])
				}
			}
			var r nf.Report
			p.fw.Report(&r)
			k := 0
			for _, rule := range c.Rules {
				if rule.Counter == nil {
					continue
				}
				if k >= len(r.Rules) {
					t.Fatalf("%d counters; the kernel has more", len(r.Rules))
				}
				g := r.Rules[k]
				k++
				if g.Line != rule.Line || g.Packets != rule.Counter.Packets || g.Bytes != rule.Counter.Bytes {
					t.Errorf("counter at line %d: %d packets, %d bytes; the kernel has line %d, %d, %d", g.Line, g.Packets, g.Bytes,
						rule.Line, rule.Counter.Packets, rule.Counter.Bytes)
				}
			}
			if k != len(r.Rules) {
				t.Errorf("%d counters; the kernel has %d", len(r.Rules), k)
			}
		})
	}
}
