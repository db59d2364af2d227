package appliance

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/gatewaytest"
	"github.com/granule-nf/granule/gateway/settings"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/spf13/pflag"
)

// reloading is an appliance without ports: a configuration in files, a coordinator, and workers that the test plays.
type reloading struct {
	t   *testing.T
	a   *Appliance
	dir string
	log bytes.Buffer
}

func newReloading(t *testing.T, yaml string, args ...string) *reloading {
	t.Helper()
	r := &reloading{t: t, dir: t.TempDir()}
	r.write("granule.yaml", yaml)
	r.write("edge.nft", gatewaytest.AcceptRules)
	var s settings.Run
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.Flags(fs)
	args = append([]string{"--config", filepath.Join(r.dir, "granule.yaml"), "--inside", "a", "--outside", "b"}, args...)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return "", false }
	again := s.Rereader(fs, env)
	cfg, err := s.Load(fs, env)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Reread = again
	events, err := console.OpenEventLog("", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &Appliance{cfg: cfg, log: slog.New(slog.NewTextHandler(&r.log, nil)), config: newConfiguration(cfg.Plan, false), events: events}
	start := func(ctx context.Context, worker uint32, _ int) error {
		a.coord.Joined(worker)
		<-ctx.Done()
		return nil
	}
	cfg.Workers.Pools = cfg.Plan.StageNames()
	if a.coord, err = coordinator.New(cfg.Workers, start, newShardSet(nil), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	a.starter = func(*settings.Plan) coordinator.Start { return start }
	r.a = a
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.coord.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; a.coord.Abandon(); a.coord.Wait() })
	<-a.coord.Ready()
	return r
}

func (r *reloading) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reload reloads and returns what was logged.
func (r *reloading) reload() string {
	r.log.Reset()
	r.a.Reload(r.t.Context())
	return r.log.String()
}

func (r *reloading) runs(generation uint64) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		c := r.a.Status().Configuration
		if c.Generation == generation && c.Rolling == 0 {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%+v; expected generation %d to run", c, generation)
		}
	}
}

func TestReloadRollsOutWhatChanged(t *testing.T) {
	r := newReloading(t, gatewaytest.AcceptAll)
	if said := r.reload(); !strings.Contains(said, "are those that run") || r.a.Status().Configuration.Reloads != 1 {
		t.Errorf("a reload without a change said: %s", said)
	}
	r.runs(1)
	r.write("edge.nft", strings.ReplaceAll(gatewaytest.AcceptRules, "protocol tcp", "protocol udp"))
	r.reload()
	r.runs(2)
	r.write("granule.yaml", strings.Replace(gatewaytest.AcceptAll, "    stages:", "    match: udp\n    stages:", 1))
	r.reload()
	r.runs(3)
	r.write("granule.yaml", "unmatched: drop\n"+strings.Replace(gatewaytest.AcceptAll, "    stages:", "    match: udp\n    stages:", 1))
	r.reload()
	r.runs(4)
	if said := r.reload(); !strings.Contains(said, "are those that run") {
		t.Errorf("a reload without a change said: %s", said)
	}
	r.runs(4)
	r.write("granule.yaml", gatewaytest.AcceptAll+"        - counter: {}\n") // behind the others
	r.reload()
	r.runs(5)
	if c := r.a.Status().Configuration; c.Reloads != 6 || c.Failures != 0 || len(c.Refused)+len(c.Waiting) != 0 {
		t.Errorf("%+v; expected six reloads and nothing wrong", c)
	}
}

// Whatever is wrong, with its place, is in the log and in status, and the running configuration stays. Fixed, it is forgotten.
func TestReloadRefusesWhatIsWrong(t *testing.T) {
	two := gatewaytest.AcceptAll + "  - name: other\n    stages:\n      - - counter: {}\n"
	for _, tt := range []struct {
		name, yaml, rules string
		want              []string // each in status and, but for the quotes, in the log
	}{
		{"a rule", gatewaytest.AcceptAll, strings.Replace(gatewaytest.AcceptRules, "ip protocol", "ip protocoll", 1), []string{"edge.nft:4:"}},
		{"a key", gatewaytest.AcceptAll + "slotz: 4\n", gatewaytest.AcceptRules, []string{"granule.yaml:5:1", "slotz"}},
		{"a value", gatewaytest.AcceptAll + "slots: 3\n", gatewaytest.AcceptRules, []string{"slots: 3"}},
		{"a key and a rule", gatewaytest.AcceptAll + "slotz: 4\n", "nonsense\n", []string{"granule.yaml:5:1", "edge.nft:1:1"}},
		{"no YAML", "chains: [", gatewaytest.AcceptRules, []string{"granule.yaml:1:"}},
		{"a file that is not there", strings.Replace(gatewaytest.AcceptAll, "edge.nft", "no.nft", 1), gatewaytest.AcceptRules, []string{"granule.yaml:4:", "no.nft"}},
		{"a new chain", two, gatewaytest.AcceptRules, []string{"granule.yaml:5:11", "found edge, other; expected edge", "restart"}},
		{"another stage", gatewaytest.AcceptAll + "      - - counter: {}\n", gatewaytest.AcceptRules, []string{"granule.yaml:2:11", "found 2 stages; expected 1", "restart"}},
		{"another function", strings.Replace(gatewaytest.AcceptAll, "firewall: {rules: edge.nft}", "counter: {}", 1), gatewaytest.AcceptRules, []string{"granule.yaml:4:20", "found counter; expected firewall"}},
		{"another affinity", strings.Replace(gatewaytest.AcceptAll, "firewall: {rules: edge.nft}", "nat: {addresses: [192.0.2.1]}", 1), gatewaytest.AcceptRules, []string{"granule.yaml:2:11", "that can't change at runtime"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReloading(t, gatewaytest.AcceptAll)
			r.write("granule.yaml", tt.yaml)
			r.write("edge.nft", tt.rules)
			said := r.reload()
			s := r.a.Status()
			refused := strings.Join(s.Configuration.Refused, "\n")
			for _, w := range tt.want {
				if !strings.Contains(refused, w) {
					t.Errorf("status says %q; expected %q in it", refused, w)
				}
			}
			if strings.Count(said, "level=ERROR") != len(s.Configuration.Refused) || !strings.Contains(said, "line=") {
				t.Errorf("the log says: %s", said)
			}
			if s.Configuration.Generation != 1 || s.Configuration.Rolling != 0 || s.Configuration.Failures != 1 || !strings.Contains(strings.Join(s.Degraded, "\n"), tt.want[0]) {
				t.Errorf("%+v, degraded %q; expected generation 1 to run and the problem to be told", s.Configuration, s.Degraded)
			}
			r.write("granule.yaml", gatewaytest.AcceptAll)
			r.write("edge.nft", gatewaytest.AcceptRules)
			r.reload()
			if s := r.a.Status(); len(s.Configuration.Refused) != 0 || len(s.Degraded) != 0 {
				t.Errorf("mended, status still says %q", s.Degraded)
			}
			r.runs(1)
		})
	}
}

// A setting that can't change is refused by its name and place; the chains of the same reading are rolled out.
func TestReloadKeepsSettings(t *testing.T) {
	r := newReloading(t, gatewaytest.AcceptAll+"workers: 2\nevents: a.json\n", "--slots", "512", "--allow-port", "x,y")
	r.write("granule.yaml", gatewaytest.AcceptAll+"workers: 3\nslots: 1024\nallow-port: [z]\n")
	r.write("edge.nft", strings.ReplaceAll(gatewaytest.AcceptRules, "protocol tcp", "protocol udp"))
	said := r.reload()
	waiting := strings.Join(r.a.Status().Configuration.Waiting, "\n")
	for _, w := range []string{"granule.yaml:5:1: found workers 3, 2 is running", "found events "} {
		if !strings.Contains(waiting, w) || !strings.Contains(said, w) {
			t.Errorf("status says %q, the log %q; expected %q", waiting, said, w)
		}
	}
	if strings.Contains(waiting, "slots") || strings.Contains(waiting, "allow-port") {
		t.Errorf("status says %q; slots and allow-port stand on the command line, which wins as before", waiting)
	}
	r.runs(2)
}
