package firewall

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// millionSet is a rule file with a set of n addresses spread over all there are, and last behind them.
func millionSet(n int, last string) string {
	var b strings.Builder
	b.WriteString("table inet f {\n\tset bad {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = {\n")
	for i := range n {
		a := uint32(i) * 2654435761 // a permutation of all addresses
		fmt.Fprintf(&b, "%d.%d.%d.%d,\n", a>>24, a>>16&255, a>>8&255, a&255)
	}
	b.WriteString(last + "\n\t\t}\n\t}\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tip saddr @bad counter drop\n\t}\n}\n")
	return b.String()
}

// To read n bytes of rules, and to refuse them, takes memory in proportion: at most this many bytes allocated for each, garbage included, and what
// the tables of any rules take.
const (
	bytesPerByte = 60
	tables       = 64 << 20
)

func TestMemoryFollowsTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a set of 300,000 elements twice")
	}
	for _, tt := range []struct{ name, last, says string }{
		{"taken", "", ""}, {"refused", "0.0.0.0/1", "overlaps"}, {"not closed", "1.2.3.4 {", `expected "," or "}"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := millionSet(300_000, tt.last)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := tryBuild("{rules: r}", map[string]string{"r": text})
			runtime.ReadMemStats(&after)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%v; want %q", err, tt.says)
			}
			took := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d MB for a file of %d MB", took>>20, len(text)>>20)
			if most := uint64(bytesPerByte*len(text) + tables); took > most {
				t.Errorf("%d bytes allocated for a file of %d; expected at most %d", took, len(text), most)
			}
		})
	}
}

// Reading is given up soon after its context is done, wherever it is.
func TestReadingIsCancelled(t *testing.T) {
	text := millionSet(50_000, "")
	for _, tt := range []struct{ options, text string }{
		{"{rules: r}", text}, {"{rules: r, format: iptables-save}", savedTables + strings.Repeat("-A web -j RETURN\n", 5000)}, {"{rules: r, format: aws-stateless, policy: drop}", awsGroupText},
	} {
		for _, polls := range []int{0, 1, 5} {
			c := &doneAfter{Context: t.Context(), polls: polls}
			open := func(name string) ([]byte, error) {
				if name == "r" {
					return []byte(tt.text), nil
				}
				return nil, fs.ErrNotExist
			}
			_, err := New(nf.Setup{Options: textOptions(tt.options), Open: open, Context: c, Flows: state.NewTable(16, 1<<60, 7)})
			if c.polls < 0 && !errors.Is(err, context.Canceled) {
				t.Errorf("%s, done after %d polls: %v", tt.options, polls, err)
			}
			if polls == 0 && c.polls >= 0 {
				t.Errorf("%s: the context is never asked", tt.options)
			}
		}
	}
}

// doneAfter is a context that is done when its error has been asked for so many times.
type doneAfter struct {
	context.Context
	polls int
}

func (c *doneAfter) Err() error {
	if c.polls--; c.polls < 0 {
		return context.Canceled
	}
	return nil
}
