// Package transfer shows a tree of files to BuildKit, which asks for what it has not got.
//
// Start at New. It never reads a file that nobody asks for, and follows no link.
package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// FS is a tree as BuildKit walks it. Every file of it is root's, and of one time.
type FS struct {
	files fs.FS
	when  time.Time
}

// New shows files to BuildKit. Between trees that are sent under one key, when has to
// differ if any file may: of files that look alike BuildKit has the first only.
func New(files fs.FS, when time.Time) *FS { return &FS{files, when} }

// Open opens a file.
func (f *FS) Open(name string) (io.ReadCloser, error) { return f.files.Open(clean(name)) }

// Walk calls fn for what is below a name, and for itself unless that is all of the tree. A
// name that is not there has nothing below it.
func (f *FS) Walk(ctx context.Context, name string, fn fs.WalkDirFunc) error {
	name = clean(name)
	info, err := fs.Lstat(f.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.walk(ctx, name, fs.FileInfoToDirEntry(info), fn)
	if errors.Is(err, fs.SkipDir) || errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

func (f *FS) walk(ctx context.Context, name string, e fs.DirEntry, fn fs.WalkDirFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name != "." {
		stat, err := f.stat(name, e)
		if err != nil {
			return err
		}
		if err := fn(name, &fsutil.DirEntryInfo{Stat: stat}, nil); err != nil {
			if e.IsDir() && errors.Is(err, fs.SkipDir) {
				return nil
			}
			return err
		}
	}
	if !e.IsDir() {
		return nil
	}
	list, err := fs.ReadDir(f.files, name)
	if err != nil {
		return err
	}
	for _, e := range list {
		err := f.walk(ctx, path.Join(name, e.Name()), e, fn)
		if errors.Is(err, fs.SkipDir) { // of a file: the rest of its folder
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *FS) stat(name string, e fs.DirEntry) (*types.Stat, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	s := &types.Stat{Path: name, Mode: uint32(info.Mode()), ModTime: f.when.UnixNano()}
	if !info.IsDir() {
		s.Size = info.Size()
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if s.Linkname, err = fs.ReadLink(f.files, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// clean is a name as it is spelled within an fs.FS.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}
