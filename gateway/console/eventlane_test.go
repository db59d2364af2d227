package console

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Shards add side by side, each to its lane. Every line is in the file, whole, and a lane's lines in their order, though they
// go round its ring several times.
func TestLanesKeepLinesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.json")
	e, err := OpenEventLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	const shards, each = 3, 20_000
	filler := strings.Repeat("x", 997) // a ring holds some 4000
	var wg sync.WaitGroup
	for s := range shards {
		lane := e.Lane()
		wg.Go(func() {
			for i := range each {
				line := fmt.Appendf(nil, "{\"s\":%d,\"i\":%d,\"x\":%q}\n", s, i, filler[:i%len(filler)])
				for len(lane.ring)-int(lane.tail.Load()-lane.head.Load()) < len(line) { // this test is to lose none
					runtime.Gosched()
				}
				lane.Add(line, 0)
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var next [shards]int
	for line := range bytes.Lines(text) {
		var s, i int
		if _, err := fmt.Sscanf(string(line), "{\"s\":%d,\"i\":%d,", &s, &i); err != nil || i != next[s] || string(line) != fmt.Sprintf("{\"s\":%d,\"i\":%d,\"x\":%q}\n", s, i, filler[:i%len(filler)]) {
			t.Fatalf("found %q, expected line %d of its shard", line, next[s])
		}
		next[s]++
	}
	if next != [shards]int{each, each, each} {
		t.Errorf("%d lines of each shard; expected %d", next, each)
	}
	if c := e.Counters(); c.Written != shards*each || c.Lost != 0 {
		t.Errorf("%+v; expected %d written", c, shards*each)
	}
}

// While the disk takes nothing, what has no room is lost and counted at once; nothing is counted as written before it is.
func TestLaneFull(t *testing.T) {
	e, err := OpenEventLog(filepath.Join(t.TempDir(), "eve.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	lane := e.Lane()
	e.onto.Lock()                                                                       // a disk that hangs
	text := []byte(strings.Repeat(`{"x":"`+strings.Repeat("x", maxLine-10)+"\"}\n", 4)) // somewhat less than 1 MiB
	for range 6 {
		lane.Add(text, 1)
	}
	if c := e.Counters(); c.Lost != 2*4 || c.WorkerLost != 6 || c.Written != 0 {
		t.Errorf("%+v; expected 8 lines lost for want of room beside the 6 that their maker tells of, and none written", c)
	}
	e.onto.Unlock()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	lane.Add(text, 0)
	if c := e.Counters(); c.Lost != 3*4 || c.Written != 4*4 {
		t.Errorf("after Close %+v; expected 16 written, and what came later lost", c)
	}
	if err := e.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// A disk that fails loses lines, counted once, and never takes back what it has written.
func TestEventsOntoABrokenDisk(t *testing.T) {
	e, err := OpenEventLog(filepath.Join(t.TempDir(), "eve.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	lane := e.Lane()
	e.onto.Lock()
	if err := e.file.Close(); err != nil {
		t.Fatal(err)
	}
	e.onto.Unlock()
	lane.Add([]byte("{}\n{}\n"), 0)
	if err := e.Close(); err == nil {
		t.Error("a file that was closed behind the log's back closes without an error")
	}
	if c := e.Counters(); c.Written != 0 || c.Lost != 2 {
		t.Errorf("%+v; expected 2 lost", c)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	e, err := OpenEventLog(filepath.Join(t.TempDir(), "eve.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	lane := e.Lane()
	text := append(bytes.Repeat([]byte{'x'}, 60_000), '\n')
	if n := testing.AllocsPerRun(200, func() { lane.Add(text, 0) }); n != 0 { // far more than a ring holds: full ones too
		t.Errorf("%v allocations", n)
	}
}

// A worker whose text does not end with a newline spoils no line of another.
func TestWhatIsNoLineIsLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.json")
	e, err := OpenEventLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := e.Lane()
	for _, text := range []string{`{"bad`, "{\"a\":1}\n{\"ba", "{\"a\":2}\n"} {
		l.Add([]byte(text), 0)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if c := e.Counters(); err != nil || string(text) != "{\"a\":1}\n{\"a\":2}\n" || c.Written != 2 || c.Lost != 2 {
		t.Errorf("%q, %+v, %v; expected two lines written and two lost", text, c, err)
	}
}

// What workers send is anything: only lines that are JSON objects, of a length that a reader can be asked to take, get into the file; all
// others are counted.
func TestOnlyEventsAreWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eve.json")
	e, err := OpenEventLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := e.Lane()
	bad := []string{"", "{", "[1]", `"text"`, "7", "{}{}", "{\"a\":\"\x1b[2J\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", "{\"a\":1,}", `{"a":"` + strings.Repeat("x", 3<<20) + `"}`,
		strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)}
	for i, line := range bad {
		l.Add(fmt.Appendf(nil, "{\"good\":%d}\n%s\n", i, line), 0)
	}
	l.Add([]byte("{}\n"), 1<<32-1)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	want := ""
	for i := range bad {
		want += fmt.Sprintf("{\"good\":%d}\n", i)
	}
	if err != nil || string(text) != want+"{}\n" {
		t.Errorf("%d bytes were written, %v; expected the good lines alone", len(text), err)
	}
	if c := e.Counters(); c.Written != uint64(len(bad))+1 || c.Lost != uint64(len(bad)) || c.WorkerLost != 1<<32-1 {
		t.Errorf("%+v; expected %d lost, and what a worker claims beside it", c, len(bad))
	}
}
