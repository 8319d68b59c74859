// Package files shows a tree of git as a file system. What is in the tree is known from
// the start; what a file holds is read when it is opened.
//
// Start at New. A link is followed to what is in the tree, and never out of it.
package files

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// maxLinks is how many links one name may lead through.
const maxLinks = 40

var (
	errOut   = errors.New("path escapes by a link")
	errLinks = errors.New("too many links")
)

// Entry is a file or a link.
type Entry struct {
	Path string      // "web/main.go"
	Mode fs.FileMode // 0o644, 0o755, or fs.ModeSymlink|0o777
	Size int64       // in bytes
	ID   string      // git's, of what it holds
	Link string      // where a link points
}

// Read gives all that a file holds. It may be called by several at the same time.
type Read func(Entry) ([]byte, error)

// FS is a tree of git, or a folder of one. It never changes and is safe for concurrent use.
type FS struct {
	tree *tree
	base string // "." for all of the tree
}

type tree struct {
	nodes map[string]info
	dirs  map[string][]fs.DirEntry
	read  Read
	when  time.Time
}

// New makes a tree; every file and folder of it carries one time. Names are taken as they
// are: git.SafeName knows which are fit.
func New(entries []Entry, when time.Time, read Read) *FS {
	t := &tree{nodes: make(map[string]info, len(entries)), dirs: map[string][]fs.DirEntry{}, read: read, when: when}
	t.add(info{Entry: Entry{Path: ".", Mode: fs.ModeDir | 0o755}, when: when})
	for _, e := range entries {
		t.add(info{Entry: e, when: when})
	}
	for _, list := range t.dirs {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return &FS{tree: t, base: "."}
}

func (t *tree) add(i info) {
	t.nodes[i.Path] = i
	if i.IsDir() {
		t.dirs[i.Path] = nil
	}
	if i.Path == "." {
		return
	}
	dir := path.Dir(i.Path)
	if _, known := t.dirs[dir]; !known {
		t.add(info{Entry: Entry{Path: dir, Mode: fs.ModeDir | 0o755}, when: t.when})
	}
	t.dirs[dir] = append(t.dirs[dir], i)
}

// Sub is a folder of the tree; no link leads out of it.
func (f *FS) Sub(dir string) (fs.FS, error) {
	i, err := f.find("open", dir, true)
	if err == nil && !i.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	if err != nil {
		return nil, err
	}
	return &FS{tree: f.tree, base: i.Path}, nil
}

// Open opens a file or a folder. A file is read at once.
func (f *FS) Open(name string) (fs.File, error) {
	i, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	if i.IsDir() {
		return &openDir{info: i, list: f.tree.dirs[i.Path]}, nil
	}
	data, err := f.tree.read(i.Entry)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{Reader: bytes.NewReader(data), info: i}, nil
}

// Stat describes what a name leads to.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.describe("stat", name, true) }

// Lstat describes what a name is.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.describe("lstat", name, false) }

func (f *FS) describe(op, name string, follow bool) (fs.FileInfo, error) {
	i, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return i, nil
}

// ReadLink says where a link points.
func (f *FS) ReadLink(name string) (string, error) {
	i, err := f.find("readlink", name, false)
	if err == nil && i.Mode()&fs.ModeSymlink == 0 {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return i.Link, err
}

// find looks a name up part by part; its last part is left as it is unless it is followed.
func (f *FS) find(op, name string, follow bool) (info, error) {
	if !fs.ValidPath(name) {
		return info{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	i, err := f.walk(name, follow)
	if err != nil {
		return info{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return i, nil
}

func (f *FS) walk(rest string, follow bool) (info, error) {
	at, links := ".", 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return info{}, errOut
			}
			at = path.Dir(at)
			continue
		}
		i, ok := f.tree.nodes[path.Join(f.base, at, part)]
		switch {
		case !ok:
			return info{}, fs.ErrNotExist
		case i.Mode()&fs.ModeSymlink == 0 || rest == "" && !follow:
			at = path.Join(at, part)
			continue
		case i.Link == "" || path.IsAbs(i.Link):
			return info{}, errOut
		}
		if links++; links > maxLinks {
			return info{}, errLinks
		}
		rest = i.Link + "/" + rest
	}
	return f.tree.nodes[path.Join(f.base, at)], nil
}
