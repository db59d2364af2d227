package ids

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// BenchmarkETOpen is a real rule set on a real capture: the one that GRANULE_TRAFFIC names, else the corpus's.
func BenchmarkETOpen(b *testing.B) {
	rules, err := os.ReadFile(filepath.Join(corpus.Larger(b, "ids-rules"), "et-open-2020.rules"))
	if err != nil {
		b.Fatal(err)
	}
	paths := []string{os.Getenv("GRANULE_TRAFFIC")}
	if paths[0] == "" {
		paths = nftest.CorpusFiles(b, "traffic")
	}
	var capture []nftest.Packet
	bytes := int64(0)
	for _, path := range paths {
		capture = append(capture, nftest.ReadPCAP(b, path)...)
	}
	for i := range capture {
		bytes += int64(len(capture[i].Data))
	}
	s := nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": string(rules)}, Flows: 16384}
	p := s.Build(b)
	b.SetBytes(bytes)
	b.ReportAllocs()
	rounds, before, shift := int64(0), cpu(b), int64(0)
	for b.Loop() {
		rounds++
		shift += 3600e9 // the flows of the round before have expired
		for at := 0; at < len(capture); {
			p.Start()
			for ; at < len(capture) && p.Room(capture[at].Time+shift); at++ {
				p.Add(capture[at].Data, capture[at].Wire, capture[at].From, capture[at].Time+shift, 0)
			}
			p.Run().Events.Take()
		}
	}
	b.ReportMetric(float64(bytes*rounds)/1e6/(cpu(b)-before).Seconds(), "MB/cpu-s")
}
