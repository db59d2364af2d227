package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"
)

// EventCounters are what became of events. Both only grow.
type EventCounters struct {
	Written uint64 `json:"written"` // they are in the file; without a file, they came
	Lost    uint64 `json:"lost"`
	// WorkerLost are those that workers say they had no room for: their word, which nobody can check.
	WorkerLost uint64 `json:"worker_lost"`
}

// EventLog writes EVE JSON lines to a file. Lines come in by lanes, one a shard; when more come than the disk takes, they are
// lost and counted, and traffic goes on.
type EventLog struct {
	path    string
	keeps   bool // there is a file
	mu      sync.Mutex
	lanes   []*EventLane // guarded by mu
	onto    sync.Mutex
	file    *os.File // guarded by onto, as are cut and failing: Reopen changes them
	cut     bool     // the file ends within a line, because the disk took no more
	failing error    // the last write's
	failed  func(error)
	wake    chan struct{}
	stop    chan struct{} // closed by Close; wake never is
	done    chan struct{}
	closed  atomic.Bool
	written atomic.Uint64
	lost    atomic.Uint64
	claimed atomic.Uint64
	sound   []byte // of the writer: lines of a lane that are JSON
}

// OpenEventLog appends to the file at path; an empty path counts events and keeps none. failed, if there is one, is called when the file begins to take no
// lines, with the reason, and with nil when it takes them again.
func OpenEventLog(path string, failed func(error)) (*EventLog, error) {
	if failed == nil {
		failed = func(error) {}
	}
	e := &EventLog{path: path, failed: failed, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if path == "" {
		close(e.done)
		return e, nil
	}
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("event log: %w; choose a file that can be written with --events", err)
	}
	e.file, e.keeps = f, true
	go e.write()
	return e, nil
}

func openAppend(path string) (*os.File, error) {
	// O_NONBLOCK: a FIFO that nobody reads is an error at once, not a wait without end.
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
}

// Reopen goes on in a new file at the path, after somebody moved the old one away. Every line is in one of the two, whole; where
// the path can't be opened, lines go on into the old file, wherever that is by now.
func (e *EventLog) Reopen() error {
	if !e.keeps {
		return nil
	}
	f, err := openAppend(e.path)
	if err != nil {
		return fmt.Errorf("event log: %w; events go on into the file that was open before: make the path writable and send SIGHUP again", err)
	}
	e.onto.Lock()
	old := e.file
	e.file, e.cut = f, false // whether it takes lines shows with the next one
	e.onto.Unlock()
	return old.Close()
}

func (e *EventLog) write() {
	defer close(e.done)
	for {
		select {
		case <-e.wake:
			e.drain()
		case <-e.stop:
			e.drain()
			return
		}
	}
}

// drain writes what is in the lanes.
func (e *EventLog) drain() {
	e.mu.Lock()
	lanes := e.lanes
	e.mu.Unlock()
	for _, l := range lanes {
		first, second := l.pending()
		if len(first) == 0 {
			continue
		}
		came := lines(first) + lines(second)
		e.sound = appendSound(append(append(e.sound[:0], first...), second...))
		n := e.put(e.sound)
		written := lines(e.sound[:n])
		e.written.Add(written)
		e.lost.Add(came - written)
		l.release(len(first) + len(second))
	}
}

// maxLine is the longest event in bytes: a payload of a packet, printed and in base64, has room.
const maxLine = 256 << 10

// appendSound takes out of text, in place, the lines that are no JSON object, or longer than maxLine: workers make them, and whoever
// reads the file should not have to know. Raw control characters are none of JSON's.
func appendSound(text []byte) []byte {
	sound := text[:0]
	for line := range bytes.Lines(text) {
		body := bytes.TrimSuffix(line, []byte{'\n'})
		if len(line) <= maxLine && len(body) > 1 && body[0] == '{' && utf8.Valid(body) && json.Valid(body) {
			sound = append(sound, line...)
		}
	}
	return sound
}

// put writes lines and returns how much of them the disk took.
func (e *EventLog) put(text []byte) (n int) {
	if len(text) == 0 {
		return 0
	}
	e.onto.Lock() // over all, so that no line is half in one file and half in another
	defer e.onto.Unlock()
	if e.cut { // what comes now must not be read as the rest of that line
		if _, err := e.file.Write([]byte{'\n'}); err != nil {
			e.note(err)
			return 0
		}
		e.cut = false
	}
	n, err := e.file.Write(text)
	if n > 0 {
		e.cut = text[n-1] != '\n'
	}
	e.note(err)
	return n
}

// note keeps what the last write came to, and says so when that is another thing than before; with onto held.
func (e *EventLog) note(err error) {
	if (err == nil) != (e.failing == nil) {
		e.failed(err)
	}
	e.failing = err
}

// Failing returns why the file takes no lines, or nil.
func (e *EventLog) Failing() error {
	e.onto.Lock()
	defer e.onto.Unlock()
	return e.failing
}

func lines(text []byte) uint64 { return uint64(bytes.Count(text, []byte{'\n'})) }

// Counters returns what became of events so far.
func (e *EventLog) Counters() EventCounters {
	return EventCounters{Written: e.written.Load(), Lost: e.lost.Load(), WorkerLost: e.claimed.Load()}
}

// Close writes what is pending. Lines that come later are lost and counted; Reopen must not be called any more.
func (e *EventLog) Close() error {
	if e.closed.Swap(true) || !e.keeps {
		return nil
	}
	close(e.stop)
	<-e.done
	e.onto.Lock()
	defer e.onto.Unlock()
	return e.file.Close()
}
