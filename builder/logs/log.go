package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

const maxLine = 8 << 10 // bytes; longer ones are broken

// Log is the log of one attempt while it is written. It is safe for concurrent use.
type Log struct {
	book *Book
	id   release.ID
	mask *Masker

	mu      sync.Mutex // guards everything below
	file    *os.File
	out     []byte // lines that the file does not have yet
	next    int64
	written int64
	dropped int64
	tail    []Line // what came after the bound, neither cleaned nor masked yet
	partial map[source]*[]byte
	closed  bool
}

type source struct{ step, stream string }

// Write adds what a step printed. Chunks may end anywhere; lines are formed and masked
// here.
func (l *Log) Write(step, stream string, chunk []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	key := source{step, stream}
	buf := l.partial[key]
	if buf == nil {
		buf = new([]byte)
		l.partial[key] = buf
	}
	rest := chunk
	if len(*buf) > 0 {
		rest = append(*buf, chunk...)
	}
	for {
		i := bytes.IndexByte(rest, '\n')
		if i >= 0 {
			l.addLocked(step, stream, string(rest[:i]))
			rest = rest[i+1:]
			continue
		}
		if len(rest) <= maxLine+l.mask.Longest() {
			break
		}
		// Mask before breaking: a secret must not straddle the break. What is kept
		// back is long enough to hold the beginning of any secret.
		text := l.mask.Mask(string(rest))
		cut := max(len(text)-l.mask.Longest(), 0)
		l.addLocked(step, stream, text[:cut])
		rest = []byte(text[cut:])
	}
	*buf = append((*buf)[:0], rest...)
	l.flushLocked()
}

// Note adds one line of our own.
func (l *Log) Note(step, stream, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for line := range strings.Lines(text) {
		l.addLocked(step, stream, strings.TrimSuffix(line, "\n"))
	}
	l.flushLocked()
}

// Close ends the attempt with a last line and puts it on disk; for a few lines nobody waits
// for the disk.
func (l *Log) Close(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	for key, buf := range l.partial {
		if len(*buf) > 0 {
			l.addLocked(key.step, key.stream, string(*buf))
		}
	}
	if l.dropped > 0 {
		l.putLocked(Line{At: time.Now().UTC(), Stream: "note", Text: fmt.Sprintf("… %d lines left out: this log is over %d bytes …", l.dropped, l.book.cfg.MaxBytes)})
	}
	for _, line := range l.tail {
		l.putLocked(l.shown(line))
	}
	l.putLocked(Line{At: time.Now().UTC(), Stream: End, Text: l.mask.Mask(clean(text))})
	l.flushLocked()
	l.closed = true
	var err error
	if l.written > maxLine {
		err = l.file.Sync()
	}
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.book.mu.Lock()
	delete(l.book.open, l.id)
	l.book.mu.Unlock()
	l.book.woken(l.id)
	if err != nil {
		return fmt.Errorf("log of %s: %w", l.id, err)
	}
	return nil
}

func (l *Log) addLocked(step, stream, text string) {
	line := Line{At: time.Now().UTC(), Step: step, Stream: stream, Text: text}
	if l.written < l.book.cfg.MaxBytes {
		l.putLocked(l.shown(line))
		return
	}
	if len(l.tail) == l.book.cfg.Tail {
		l.dropped++
		copy(l.tail, l.tail[1:])
		l.tail = l.tail[:len(l.tail)-1]
	}
	l.tail = append(l.tail, line)
}

// shown is a line as people may see it.
func (l *Log) shown(line Line) Line {
	line.Step, line.Text = l.mask.Mask(clean(line.Step)), l.mask.Mask(clean(line.Text))
	return line
}

// putLocked adds one line to what flushLocked writes.
func (l *Log) putLocked(line Line) {
	line.N = l.next
	raw, err := json.Marshal(line)
	if err != nil {
		return
	}
	l.out = append(append(l.out, raw...), '\n')
	l.next++
	l.written += int64(len(raw) + 1)
}

// flushLocked writes what was added and wakes the readers. A disk that is full costs
// lines, not the build, and leaves no half line behind.
func (l *Log) flushLocked() {
	if len(l.out) == 0 {
		return
	}
	n, err := l.file.Write(l.out)
	if err != nil {
		whole := bytes.LastIndexByte(l.out[:n], '\n') + 1
		if st, err := l.file.Stat(); err == nil && whole < n {
			_ = l.file.Truncate(st.Size() - int64(n-whole))
		}
		l.next -= int64(bytes.Count(l.out[whole:], []byte{'\n'}))
	}
	l.out = l.out[:0]
	l.book.woken(l.id)
}

// clean removes what would play tricks on a terminal: colours, cursor movements and
// other control characters, and progress bars that overwrite themselves.
func clean(s string) string {
	s = strings.TrimSuffix(strings.ToValidUTF8(s, "?"), "\r")
	if i := strings.LastIndexByte(s, '\r'); i >= 0 {
		s = s[i+1:]
	}
	var out strings.Builder
	escape := false // within ESC [ … letter
	for i, r := range s {
		switch {
		case r == 0x1b:
			escape = true
		case escape:
			first := s[i-1] == 0x1b
			escape = first && r == '[' || !first && (r < '@' || r > '~')
		case r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f):
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Mask replaces the secrets this log knows, for text that goes elsewhere as well.
func (l *Log) Mask(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, clean(strings.TrimSuffix(line, "\n")))
	}
	return l.mask.Mask(strings.Join(out, "\n"))
}
