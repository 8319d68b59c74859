package charts

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// overlay is a file system with more files in it, by their paths.
type overlay struct {
	fs.FS
	added map[string][]byte
}

// Open opens an added file, or one that was there; a folder that got files is not opened,
// only listed.
func (o overlay) Open(name string) (fs.File, error) {
	if data, ok := o.added[name]; ok {
		return &file{info{path.Base(name), int64(len(data)), false}, bytes.NewReader(data)}, nil
	}
	f, err := o.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) && len(o.in(name)) > 0 {
		return &file{info{path.Base(name), 0, true}, bytes.NewReader(nil)}, nil
	}
	return f, err
}

// Lstat describes a link that was there, not what it leads to.
func (o overlay) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := o.added[name]; ok {
		return fs.Stat(o, name)
	}
	return fs.Lstat(o.FS, name)
}

// ReadLink gives what a link that was there leads to.
func (o overlay) ReadLink(name string) (string, error) { return fs.ReadLink(o.FS, name) }

// ReadDir lists a folder with what was added to it.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.FS, name)
	more := o.in(name)
	if err != nil && (len(more) == 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	entries = append(slices.Clone(entries), more...)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return slices.CompactFunc(entries, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() }), nil
}

// in are the entries that were added to a folder, which may be new itself.
func (o overlay) in(dir string) (out []fs.DirEntry) {
	for name, data := range o.added {
		switch path.Dir(name) {
		case dir:
			out = append(out, fs.FileInfoToDirEntry(info{path.Base(name), int64(len(data)), false}))
		case path.Join(dir, path.Base(path.Dir(name))):
			out = append(out, fs.FileInfoToDirEntry(info{path.Base(path.Dir(name)), 0, true}))
		}
	}
	return out
}

// info describes an added file or folder.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// file is an added file, opened.
type file struct {
	info
	io.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }
