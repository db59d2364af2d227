package livetest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// statefulOnly lets connections through that began inside, and what belongs to them: to one that the firewall does not know nothing of it passes.
const statefulOnly = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ct state invalid drop
    tcp dport 7100 tcp flags & (fin|syn|rst|ack) == syn ct state new accept
    icmp type echo-request accept
  }
}
`

// talkers are TCP connections over the gateway that ask and are answered every 20 ms.
type talkers struct {
	t       *testing.T
	answers []atomic.Int64
	failed  []atomic.Value
	stop    atomic.Bool
	wg      sync.WaitGroup
}

func (l *live) talk(n int) *talkers {
	l.t.Helper()
	k := &talkers{t: l.t, answers: make([]atomic.Int64, n), failed: make([]atomic.Value, n)}
	var server net.Listener
	if err := l.topo.Outside.Do(func() (err error) { server, err = net.Listen("tcp4", topo.OutsideIP+":7100"); return err }); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			k.wg.Go(func() {
				defer c.Close()
				for text := make([]byte, 64); ; {
					_ = c.SetDeadline(time.Now().Add(40 * time.Second))
					n, err := c.Read(text)
					if err != nil {
						return
					}
					if _, err := c.Write(text[:n]); err != nil {
						return
					}
				}
			})
		}
	}()
	for i := range n {
		var c net.Conn
		if err := l.topo.Inside.Do(func() (err error) {
			c, err = net.DialTimeout("tcp4", topo.OutsideIP+":7100", 10*time.Second)
			return err
		}); err != nil {
			l.t.Fatal(err)
		}
		k.wg.Go(func() {
			defer c.Close()
			for text := make([]byte, 8); !k.stop.Load(); time.Sleep(20 * time.Millisecond) {
				_ = c.SetDeadline(time.Now().Add(40 * time.Second))
				if _, err := c.Write(text); err != nil {
					k.failed[i].Store(err)
					return
				}
				if _, err := c.Read(text); err != nil {
					k.failed[i].Store(err)
					return
				}
				k.answers[i].Add(1)
			}
		})
	}
	l.t.Cleanup(func() {
		k.stop.Store(true)
		server.Close()
		k.wg.Wait()
	})
	return k
}

// goOn waits until every connection has been answered anew: those that are cut never are.
func (k *talkers) goOn(l *live, when string) {
	l.t.Helper()
	from := make([]int64, len(k.answers))
	for i := range from {
		from[i] = k.answers[i].Load()
	}
	cut := func() (n int) {
		for i := range from {
			if k.answers[i].Load() < from[i]+2 {
				n++
			}
		}
		return n
	}
	end := time.Now().Add(25 * time.Second)
	for cut() > 0 && time.Now().Before(end) {
		time.Sleep(20 * time.Millisecond)
	}
	if n := cut(); n > 0 {
		s, _ := l.status()
		text := ""
		if s != nil {
			text = fmt.Sprintf("; dropped %v", s.Ledger.Dropped)
		}
		l.t.Fatalf("%s %d of %d connections are cut%s", when, n, len(from), text)
	}
}

func newStateful(t *testing.T, flags ...string) *live {
	return newLiveWith(t, liveConfig{files: map[string]string{"edge.nft": statefulOnly}, flags: flags})
}

// After kill -9 and a restart connections go on, under both policies for the time between: the firewall lets nobody through that it does not know.
func TestConnectionsOutliveTheGateway(t *testing.T) {
	for _, policy := range []string{"open", "closed"} {
		t.Run(policy, func(t *testing.T) {
			l := newStateful(t, "--on-process-failure", policy)
			l.standby()
			k := l.talk(20)
			k.goOn(l, "at first")
			for range 2 {
				l.stop(syscall.SIGKILL)
				if policy == "open" {
					time.Sleep(1500 * time.Millisecond) // the wire is relayed after a second, and connections move on unseen
					k.goOn(l, "while the wire is relayed")
				}
				l.start()
				k.goOn(l, "after the restart")
			}
			if !strings.Contains(l.said(), "state of an earlier process taken over") {
				t.Error("it did not take state over")
			}
		})
	}
}

// A process that was stopped for 5 s and goes on: the wire was relayed, connections have moved on, and what stood in the rings is not sent late.
func TestConnectionsOutliveAStoppedGateway(t *testing.T) {
	l := newStateful(t)
	l.standby()
	k := l.talk(20)
	k.goOn(l, "at first")
	if err := l.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	k.goOn(l, "while the gateway is stopped")
	if err := l.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.until("the gateway knows that it stood still", func() bool {
		s, err := l.status()
		return err == nil && s.Packets.Gaps > 0
	})
	k.goOn(l, "afterwards")
	if s := l.closed(true); s.Packets.FailOpen["no_verdict"] > 0 {
		t.Errorf("%d packets were forwarded late", s.Packets.FailOpen["no_verdict"])
	}
}

// State of another configuration is not taken, and said by name; a folder that can't be made is an error where it was named.
func TestStateOfAnotherConfigurationIsRefused(t *testing.T) {
	l := newStateful(t)
	l.stop(os.Interrupt)
	if err := os.WriteFile(filepath.Join(l.dir, "granule.yaml"), []byte("chains:\n  - name: edge\n    stages:\n      - - counter: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.start()
	if want := "found the state of edge/0: counter, firewall; expected that of edge/0: counter"; !strings.Contains(l.said(), want) && !strings.Contains(l.said(), "expected that of edge/0: counter") {
		t.Errorf("it does not say %q", want)
	}
}
