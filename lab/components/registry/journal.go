package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
)

// maxManifest bounds a manifest; the specification asks for at least 4 MiB.
const maxManifest = 8 << 20

// journal stands before a registry that keeps its manifests in memory. It
// writes every accepted change of a manifest to a file before the client hears
// of it, and replays the file when it is opened.
type journal struct {
	inner http.Handler

	mu   sync.Mutex // guards what follows; changes happen one at a time, in the file's order
	file *os.File
	live map[string][32]byte // digest of what each path holds now
}

type change struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Type   string `json:"type,omitempty"`
	Body   []byte `json:"body,omitempty"`
}

func openJournal(path string, inner http.Handler) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	j := &journal{inner: inner, file: f, live: map[string][32]byte{}}
	end, err := j.replay(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("replay %s: %w", path, err), f.Close())
	}
	// What follows the last whole line was being written when the machine stopped.
	if err := f.Truncate(end); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// replay applies every whole line and returns where the last one ends.
func (j *journal) replay(r io.Reader) (end int64, err error) {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return 0, fmt.Errorf("at byte %d: %w", end, err)
		}
		// A change that is refused now was accepted once; the only way there is
		// a manifest that was deleted later, and then nothing is lost.
		j.apply(c)
		end += int64(len(line))
	}
}

func (j *journal) apply(c change) *httptest.ResponseRecorder {
	req := httptest.NewRequest(c.Method, c.Path, bytes.NewReader(c.Body))
	if c.Type != "" {
		req.Header.Set("Content-Type", c.Type)
	}
	rec := httptest.NewRecorder()
	j.inner.ServeHTTP(rec, req)
	if rec.Code < 300 {
		if c.Method == http.MethodPut {
			j.live[c.Path] = sha256.Sum256(append([]byte(c.Type+"\n"), c.Body...))
		} else {
			// Deleting a digest also takes something from its tags: forget the lot.
			repo, _, _ := strings.Cut(c.Path, "/manifests/")
			maps.DeleteFunc(j.live, func(path string, _ [32]byte) bool { return strings.HasPrefix(path, repo+"/manifests/") })
		}
	}
	return rec
}

func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/referrers/") && r.Method == http.MethodGet:
		j.serveReferrers(w, r)
		return
	case !changesManifest(r):
		j.inner.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	rec, err := j.record(change{r.Method, r.URL.Path, r.Header.Get("Content-Type"), body})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func changesManifest(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/manifests/") && (r.Method == http.MethodPut || r.Method == http.MethodDelete)
}

func (j *journal) record(c change) (*httptest.ResponseRecorder, error) {
	line, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	before, known := j.live[c.Path]
	rec := j.apply(c)
	if rec.Code >= 300 {
		return rec, nil
	}
	// The same manifest pushed again changes nothing and is not worth a line.
	if known && c.Method == http.MethodPut && before == j.live[c.Path] {
		return rec, nil
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("write journal: %w", err)
	}
	return rec, nil
}

// Close ends the journal; nothing is buffered.
func (j *journal) Close() error { return j.file.Close() }
