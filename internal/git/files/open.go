package files

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// info describes a file, a link or a folder.
type info struct {
	Entry
	when time.Time
}

// Name is the last part of the path.
func (i info) Name() string { return path.Base(i.Path) }

// Size is in bytes.
func (i info) Size() int64 { return i.Entry.Size }

// Mode tells files, links and folders apart.
func (i info) Mode() fs.FileMode { return i.Entry.Mode }

// Type is the kind of the file.
func (i info) Type() fs.FileMode { return i.Entry.Mode.Type() }

// Info is itself.
func (i info) Info() (fs.FileInfo, error) { return i, nil }

// ModTime is that of the tree.
func (i info) ModTime() time.Time { return i.when }

// IsDir reports whether it is a folder.
func (i info) IsDir() bool { return i.Entry.Mode.IsDir() }

// Sys has nothing to say.
func (i info) Sys() any { return nil }

type openFile struct {
	*bytes.Reader
	info
}

// Size is the file's, not the reader's.
func (f *openFile) Size() int64 { return f.info.Size() }

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing.
func (f *openFile) Close() error { return nil }

type openDir struct {
	info
	list []fs.DirEntry
	at   int
}

// Stat describes the folder.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Read fails: a folder has no bytes.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.Path, Err: fs.ErrInvalid}
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
