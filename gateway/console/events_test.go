package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// logrotate: the file is moved away and the log reopened while lines come. Every line is in one of the files, once and whole.
func TestReopenLosesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eve.json")
	e, err := OpenEventLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	lane := e.Lane()
	const lines, rotations = 20_000, 20
	var wg sync.WaitGroup
	rotate := make(chan struct{})
	wg.Go(func() {
		defer close(rotate)
		for i := range lines {
			lane.Add(fmt.Appendf(nil, "{\"n\":%d}\n", i), 0)
			if i%(lines/rotations) == 0 {
				rotate <- struct{}{}
			}
		}
	})
	n := 0
	for range rotate {
		n++
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, n)); err != nil {
			t.Fatal(err)
		}
		if err := e.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for i := 1; i <= n; i++ {
		text, err := os.ReadFile(fmt.Sprintf("%s.%d", path, i))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	text, _ := os.ReadFile(path)
	all.Write(text)
	got := strings.Split(strings.TrimSuffix(all.String(), "\n"), "\n")
	if len(got) != lines || n != rotations {
		t.Fatalf("%d lines in %d files; expected %d in %d", len(got), n+1, lines, rotations+1)
	}
	for i, line := range got {
		if want := fmt.Sprintf("{\"n\":%d}", i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	if c := e.Counters(); c.Written != lines || c.Lost != 0 {
		t.Errorf("written %d, lost %d", c.Written, c.Lost)
	}
}

// Where the path can't be opened any more, events go on into the file that is open.
func TestReopenThatFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e, err := OpenEventLog(filepath.Join(dir, "eve.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := e.Reopen(); err == nil || !strings.Contains(err.Error(), "file that was open before") {
		t.Errorf("reopening under a folder that is gone: %v", err)
	}
	e.Lane().Add([]byte("{}\n"), 0)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir+".old", "eve.json")); string(text) != "{}\n" {
		t.Errorf("the old file holds %q", text)
	}
	none, err := OpenEventLog("", nil)
	if err != nil || none.Reopen() != nil {
		t.Errorf("a log that keeps nothing: %v", err)
	}
}
