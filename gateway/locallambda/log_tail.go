package locallambda

import (
	"bytes"
	"log/slog"
	"sync"
)

// tailBytes is how much of a function's output LogType=Tail returns.
const tailBytes = 4096

// logTail keeps the last 4 KB that an environment printed since the current invocation began, and passes whole lines on
// to the logger.
type logTail struct {
	logger *slog.Logger

	mu   sync.Mutex
	tail []byte
	line []byte // an unfinished line
}

// Write takes output of the process, or a platform line.
func (t *logTail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(p)
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			// A function that never ends a line must not fill our memory.
			t.line = append(t.line, rest[:min(len(rest), max(0, tailBytes-len(t.line)))]...)
			break
		}
		t.logger.Debug("function output", "line", string(append(t.line, rest[:i]...)))
		t.line = t.line[:0]
		rest = rest[i+1:]
	}
	return len(p), nil
}

func (t *logTail) keep(p []byte) {
	if len(p) >= tailBytes {
		t.tail = append(t.tail[:0], p[len(p)-tailBytes:]...)
		return
	}
	if over := len(t.tail) + len(p) - tailBytes; over > 0 {
		t.tail = append(t.tail[:0], t.tail[over:]...)
	}
	t.tail = append(t.tail, p...)
}

// begin forgets what earlier invocations printed.
func (t *logTail) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = t.tail[:0]
}

// last returns a copy of the kept output.
func (t *logTail) last() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.tail)
}
