package git

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

type memFile struct {
	data []byte
	mode fs.FileMode
}

// memFS is a folder of a commit in memory; it never changes.
type memFS struct {
	files map[string]memFile
	dirs  map[string][]fs.DirEntry
	when  time.Time
}

func newMemFS(files map[string]memFile, when time.Time) *memFS {
	m := &memFS{files: files, dirs: map[string][]fs.DirEntry{".": nil}, when: when}
	for name, f := range files {
		m.add(path.Dir(name), memInfo{name: path.Base(name), size: int64(len(f.data)), mode: f.mode, when: when})
	}
	for d := range m.dirs {
		slices.SortFunc(m.dirs[d], func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return m
}

func (m *memFS) add(dir string, e memInfo) {
	_, known := m.dirs[dir]
	m.dirs[dir] = append(m.dirs[dir], fs.FileInfoToDirEntry(e))
	if !known {
		m.add(path.Dir(dir), memInfo{name: path.Base(dir), mode: fs.ModeDir | 0o755, when: m.when})
	}
}

// Open opens a file or a folder.
func (m *memFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if f, ok := m.files[name]; ok {
		return &openFile{Reader: bytes.NewReader(f.data), memInfo: memInfo{path.Base(name), int64(len(f.data)), f.mode, m.when}}, nil
	}
	if list, ok := m.dirs[name]; ok {
		return &openDir{memInfo: memInfo{path.Base(name), 0, fs.ModeDir | 0o755, m.when}, list: list}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadFile gives a file's bytes; the caller must not change them.
func (m *memFS) ReadFile(name string) ([]byte, error) {
	f, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(f.data), nil
}

type memInfo struct {
	name string
	size int64
	mode fs.FileMode
	when time.Time
}

// Name is the last part of the path.
func (i memInfo) Name() string { return i.name }

// Size is in bytes.
func (i memInfo) Size() int64 { return i.size }

// Mode tells files from folders.
func (i memInfo) Mode() fs.FileMode { return i.mode }

// ModTime is the commit's.
func (i memInfo) ModTime() time.Time { return i.when }

// IsDir reports whether it is a folder.
func (i memInfo) IsDir() bool { return i.mode.IsDir() }

// Sys has nothing to say.
func (i memInfo) Sys() any { return nil }

type openFile struct {
	*bytes.Reader
	memInfo
}

// Size is the file's, not the reader's.
func (f *openFile) Size() int64 { return f.memInfo.size }

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.memInfo, nil }

// Close does nothing.
func (f *openFile) Close() error { return nil }

type openDir struct {
	memInfo
	list []fs.DirEntry
	at   int
}

// Stat describes the folder.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.memInfo, nil }

// Read fails: a folder has no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

// Close does nothing.
func (d *openDir) Close() error { return nil }

// ReadDir lists the next n entries, all of them for n <= 0.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.list[d.at:]
	if n <= 0 {
		d.at = len(d.list)
		return slices.Clone(rest), nil
	}
	if len(rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(rest))
	d.at += n
	return slices.Clone(rest[:n]), nil
}
