// Package logs keeps what builds print: live for whoever watches, on disk for later, and
// without the secrets.
//
// Start reading at Book, then Log.Write. Readers follow the file at their own pace, so a
// slow one never slows a build; and a build never fails because its log cannot be kept.
package logs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

// End is the stream of the last line of an attempt.
const End = "end"

const ending = ".log"

// Line is one line of a log.
type Line struct {
	N      int64     `json:"n"` // from 0, without gaps within a release
	At     time.Time `json:"at"`
	Step   string    `json:"step"`   // "[build 3/5] RUN go test ./..."
	Stream string    `json:"stream"` // "step", "stdout", "stderr", "note" or "end"
	Text   string    `json:"text"`
}

// Page is a part of a log.
type Page struct {
	Lines []Line `json:"lines"`
	Next  int64  `json:"next"` // where to go on reading
	Done  bool   `json:"done"` // the last attempt has ended, and this is its end
}

// Config bounds what is kept.
type Config struct {
	MaxBytes int64 // of one attempt; default 8 MiB
	Tail     int   // lines kept from behind the bound; default 200
	Keep     int   // releases whose logs are kept; default 500
}

// Book holds the logs of all releases, one file each.
type Book struct {
	root *os.Root
	cfg  Config

	mu   sync.Mutex // guards open and wake
	open map[release.ID]*Log
	wake map[release.ID]chan struct{} // closed when a log has grown
}

// Open opens the folder of logs and makes it when needed.
func Open(dir string, cfg Config) (*Book, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 8 << 20
	}
	if cfg.Tail <= 0 {
		cfg.Tail = 200
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 500
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of build logs: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of build logs: %w", err)
	}
	return &Book{root: root, cfg: cfg, open: map[release.ID]*Log{}, wake: map[release.ID]chan struct{}{}}, nil
}

// Close closes the folder. Logs still being written have to end first.
func (b *Book) Close() error { return b.root.Close() }

func fileName(id release.ID) (string, error) {
	if id == "" || strings.ContainsAny(string(id), `/\`) || id[0] == '.' {
		return "", fmt.Errorf("log of %q: not a release", id)
	}
	return string(id) + ending, nil
}

// Start begins the log of another attempt of a release; its lines follow those of the
// attempts before.
func (b *Book) Start(id release.ID, mask *Masker) (*Log, error) {
	name, err := fileName(id)
	if err != nil {
		return nil, err
	}
	b.prune(name)
	next, err := b.mend(name)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", id, err)
	}
	f, err := b.root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", id, err)
	}
	l := &Log{book: b, id: id, file: f, mask: mask, next: next, partial: map[source]*[]byte{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[id] != nil {
		f.Close()
		return nil, fmt.Errorf("log of %s: it is being written already", id)
	}
	b.open[id] = l
	return l, nil
}

// mend counts the lines of a log and cuts off one that a crash left unfinished.
func (b *Book) mend(name string) (lines int64, err error) {
	f, err := b.root.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var whole, read int64
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			whole = read + int64(i) + 1
		}
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		read += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return lines, f.Truncate(whole)
}

// prune forgets the oldest logs when there are too many; name is about to be written.
func (b *Book) prune(name string) {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	if err != nil || len(entries) <= b.cfg.Keep {
		return // nothing to do, or the next Start tries again
	}
	age := func(e fs.DirEntry) time.Time {
		if i, err := e.Info(); err == nil {
			return i.ModTime()
		}
		return time.Time{}
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return age(x).Compare(age(y)) })
	for _, e := range entries[:len(entries)-b.cfg.Keep] {
		b.mu.Lock()
		busy := b.open[release.ID(strings.TrimSuffix(e.Name(), ending))] != nil
		b.mu.Unlock()
		if e.Name() != name && !busy {
			_ = b.root.Remove(e.Name()) // the next Start tries again
		}
	}
}

// Read returns up to limit lines from line number from on. A release without a log has
// an empty one.
func (b *Book) Read(ctx context.Context, id release.ID, from int64, limit int) (Page, error) {
	name, err := fileName(id)
	if err != nil {
		return Page{}, err
	}
	if limit <= 0 || limit > 5000 {
		limit = 1000
	}
	page := Page{Next: max(from, 0), Lines: []Line{}}
	f, err := b.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return page, nil
	}
	if err != nil {
		return Page{}, fmt.Errorf("log of %s: %w", id, err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	for n := int64(0); len(page.Lines) < limit; n++ {
		raw, err := in.ReadBytes('\n')
		if err != nil { // the end, or a line that is being written
			return page, ctx.Err()
		}
		if n < from {
			page.Done = bytes.Contains(raw, []byte(`"stream":"`+End+`"`)) && in.Buffered() == 0
			continue
		}
		var l Line
		if err := json.Unmarshal(raw, &l); err != nil {
			l = Line{Stream: "note", Text: "(this line of the log is damaged)"}
		}
		l.N = n
		page.Lines = append(page.Lines, l)
		page.Next = n + 1
		page.Done = l.Stream == End
	}
	if _, err := in.Peek(1); err == nil {
		page.Done = false // more follows
	}
	return page, nil
}

// Subscribe calls fn with every line from number from on, in order, as they come, until
// ctx ends or fn returns an error; fn may take its time.
func (b *Book) Subscribe(ctx context.Context, id release.ID, from int64, fn func([]Line) error) error {
	for {
		grown := b.grown(id)
		page, err := b.Read(ctx, id, from, 500)
		if err != nil {
			return err
		}
		if len(page.Lines) > 0 {
			if err := fn(page.Lines); err != nil {
				return err
			}
			from = page.Next
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// grown is a channel that is closed when the log of id has grown.
func (b *Book) grown(id release.ID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake[id] == nil {
		b.wake[id] = make(chan struct{})
	}
	return b.wake[id]
}

func (b *Book) woken(id release.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.wake[id]; c != nil {
		close(c)
		delete(b.wake, id)
	}
}
