package console

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// EventCounters are what became of events.
type EventCounters struct {
	Written uint64 `json:"written"`
	Lost    uint64 `json:"lost"`
}

// EventLog writes EVE JSON lines to a file. Lines are taken in without waiting; when more come than the disk takes, they are lost
// and counted, and traffic goes on.
type EventLog struct {
	path    string
	mu      sync.Mutex
	pending []byte // collected since the writer took some
	spare   []byte // the writer's other buffer
	keeps   bool   // there is a file
	onto    sync.Mutex
	file    *os.File // guarded by onto: Reopen changes it
	wake    chan struct{}
	done    chan struct{}
	written atomic.Uint64
	lost    atomic.Uint64
}

// maxPending bounds the memory of lines that wait for the disk.
const maxPending = 8 << 20

// OpenEventLog appends to the file at path; an empty path counts events and keeps none.
func OpenEventLog(path string) (*EventLog, error) {
	e := &EventLog{path: path, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if path == "" {
		close(e.done)
		return e, nil
	}
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("event log: %w; choose a file that can be written with --events", err)
	}
	e.file, e.keeps = f, true
	e.pending = make([]byte, 0, 64<<10)
	go e.write()
	return e, nil
}

func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
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
	e.file = f
	e.onto.Unlock()
	return old.Close()
}

// Add takes whole lines in; lost is how many their maker had no room for.
func (e *EventLog) Add(lines []byte, lost uint32) {
	e.lost.Add(uint64(lost))
	if len(lines) == 0 {
		return
	}
	n := uint64(bytes.Count(lines, []byte{'\n'}))
	if !e.keeps {
		e.written.Add(n)
		return
	}
	e.mu.Lock()
	if len(e.pending)+len(lines) > maxPending {
		e.mu.Unlock()
		e.lost.Add(n)
		return
	}
	e.pending = append(e.pending, lines...)
	e.mu.Unlock()
	e.written.Add(n)
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *EventLog) write() {
	defer close(e.done)
	for range e.wake {
		e.drain()
	}
	e.drain()
}

func (e *EventLog) drain() {
	e.mu.Lock()
	lines := e.pending
	e.pending = e.spare[:0]
	e.mu.Unlock()
	if len(lines) > 0 {
		e.onto.Lock()
		_, err := e.file.Write(lines)
		e.onto.Unlock()
		if err != nil {
			n := uint64(bytes.Count(lines, []byte{'\n'}))
			e.lost.Add(n)
			e.written.Add(-n)
		}
	}
	e.mu.Lock()
	e.spare = lines[:0]
	e.mu.Unlock()
}

// Counters returns what became of events so far.
func (e *EventLog) Counters() EventCounters {
	return EventCounters{Written: e.written.Load(), Lost: e.lost.Load()}
}

// Close writes what is pending. Neither Add nor Reopen may be called any more.
func (e *EventLog) Close() error {
	if !e.keeps {
		return nil
	}
	close(e.wake)
	<-e.done
	e.onto.Lock()
	defer e.onto.Unlock()
	return e.file.Close()
}
