package replay

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

const edgeRules = `table inet filter {
	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp dport 23 counter drop
	}
}
`

// Whatever a capture holds, nothing crashes and every packet is accounted for.
func FuzzReplay(f *testing.F) {
	dir := f.TempDir()
	text := "chains: [{name: a, match: 'tcp or vlan or ip[1] > 3', stages: [[{counter: {}}, {firewall: {rules: edge.nft}}]]}, {name: b, match: 'not net 10', stages: [[script: {}]]}]\n"
	for name, text := range map[string]string{"granule.yaml": text, "edge.nft": edgeRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	cfg, err := chain.Load(filepath.Join(dir, "granule.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	plan, err := cfg.Compile(chain.Options{Flows: 64})
	if err != nil {
		f.Fatal(err)
	}
	r := newReplay(plan, insideHosts{}, config{Flows: 64, Injected: true})
	for _, p := range mixture() {
		f.Add(p.Data, uint16(0), uint16(30))
	}
	f.Fuzz(func(t *testing.T, data []byte, more, cut uint16) {
		// Two frames out of the bytes; functions may change them.
		data = append([]byte{}, data...)
		first := data[:min(int(cut), len(data))]
		r.batch([]ingress.Frame{
			{Data: first, Wire: uint32(len(first)) + uint32(more), Time: nftest.Start},
			{Data: data[len(first):], Wire: uint32(len(data) - len(first)), Time: nftest.Start},
		})
		p, dropped := r.packets, uint64(0)
		for _, n := range p.dropped {
			dropped += n
		}
		if p.received != p.forwarded+p.bypassed+dropped {
			t.Fatalf("packets do not add up: %+v", p)
		}
	})
}
