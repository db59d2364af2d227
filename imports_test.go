package granule_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/granule-nf/granule/"

// borders says who may import whom, of ours, in code that ships. A package falls under the longest prefix that names it.
var borders = map[string]struct {
	may []string
	why string
}{
	"flowhash":                    {nil, "a leaf: one keyed hash for all tables of flows, whose packages must not know each other"},
	"ingress/packet":              {[]string{"flowhash"}, "a leaf but for the hash: both sides parse with it"},
	"relay/wire":                  {nil, "a leaf: both sides speak it"},
	"lambdaworker/state":          {[]string{"flowhash"}, "a leaf but for the hash: state must not know what a packet is"},
	"ingress":                     {[]string{"ingress"}, "frames in and out, and nothing of what happens between"},
	"flowtable":                   {[]string{"ingress/packet"}, "benchmarked with no network"},
	"relay":                       {[]string{"relay"}, "it moves batches and does not know what is in them"},
	"corpus":                      {nil, "what tests read; nothing that ships imports it"},
	"lambdaworker/nf/nftest":      {[]string{"lambdaworker/nf", "lambdaworker/state", "ingress/packet", "corpus"}, "tests of functions use it, and no function"},
	"lambdaworker/nf":             {[]string{"lambdaworker/nf", "lambdaworker/state", "ingress/packet", "flowhash"}, "functions are benchmarked with no network, and run in replay"},
	"lambdaworker":                {[]string{"lambdaworker", "relay", "ingress/packet"}, "a worker never has the gateway's side in it"},
	"gateway/dataplane":           {[]string{"gateway/dataplane", "ingress", "flowtable", "relay"}, "the packet path knows no functions and no cloud"},
	"gateway/dataplane/classify":  {[]string{"ingress/packet"}, "the gateway and replay classify by it: it holds no state and does no I/O"},
	"gateway/dataplane/fragment":  {[]string{"ingress/packet"}, "the gateway and replay hold fragments by it: it knows no slots"},
	"gateway/replica":             {[]string{"lambdaworker/state", "flowhash"}, "it keeps entries and does not know what is in them"},
	"gateway/coordinator/placer":  {nil, "it knows of loads, and of nothing that has them"},
	"gateway/coordinator":         {[]string{"gateway/coordinator/placer", "gateway/dataplane"}, "it decides, and forwards nothing"},
	"gateway/locallambda/confine": {nil, "it runs between the gateway and its workers"},
	"gateway/locallambda":         {[]string{"gateway/locallambda/confine"}, "it stands in for a service that knows nothing of us"},
	"gateway/console":             {[]string{"gateway/dataplane", "gateway/coordinator", "gateway/locallambda/confine", "ingress", "ingress/packet"}, "it shows, and steers nothing"},
	"gateway/chain":               {[]string{"gateway/chain", "lambdaworker/nf", "lambdaworker/state", "ingress/packet"}, "what is checked is what a worker runs"},
	"gateway/settings": {[]string{"gateway/chain", "gateway/coordinator", "gateway/dataplane", "gateway/locallambda", "gateway/locallambda/confine", "ingress/afxdp", "ingress/xdpprog", "lambdaworker/nf", "relay/wire"},
		"it fills in what the parts are configured with, and opens none of them"},
	"gateway/replay": {[]string{"gateway/chain", "gateway/dataplane", "gateway/settings", "flowtable", "ingress", "lambdaworker/nf"},
		"the chain alone, in this process: no worker, no fleet, no running gateway"},
	"gateway/appliance": {[]string{"gateway/chain", "gateway/console", "gateway/coordinator", "gateway/dataplane", "gateway/locallambda", "gateway/replica", "gateway/settings", "ingress", "lambdaworker/nf", "relay"},
		"it puts a gateway together; commands stand above it, measuring beside it"},
	"gateway/demo":        {[]string{"perf/rig", "perf/topo", "perf/traffic"}, "the one thing that ships and measures; it starts a gateway as a user does"},
	"gateway/pktgen":      {[]string{"ingress"}, "it tests a gateway from outside, and may know nothing of how one works"},
	"gateway/gatewaytest": {[]string{"ingress"}, "tests alone use it, of whatever package"},
	"gateway": {[]string{"gateway/appliance", "gateway/console", "gateway/demo", "gateway/locallambda/confine", "gateway/pktgen", "gateway/replay", "gateway/settings", "ingress/afxdp", "ingress/nic", "ingress/xdpprog", "lambdaworker/nf/all"},
		"commands; what they do is in packages that can be imported"},
	"perf": {[]string{"perf", "ingress/ethtool", "ingress/packet", "ingress/xdpprog", "flowtable"}, "it talks to a running gateway as a user does; of ours it has leaves that it measures alone or needs a name of"},
	"":     {[]string{""}, "tests of the whole"},
}

func TestImportBorders(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath+"/", module)
		from = strings.TrimSuffix(from, "/")
		rule := from
		for {
			if _, ok := borders[rule]; ok || rule == "" {
				break
			}
			rule = rule[:max(0, strings.LastIndexByte(rule, '/'))]
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			ok := false
			for _, may := range borders[rule].may {
				ok = ok || may == "" || to == may || strings.HasPrefix(to, may+"/")
			}
			if !ok {
				t.Errorf("%s imports %s; it may not: %s", from, to, borders[rule].why)
			}
		}
	}
}
