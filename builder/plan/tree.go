package plan

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

const (
	maxManifest = 1 << 20  // bytes of go.mod, package.json and their like
	maxLock     = 32 << 20 // bytes of a lock file
	maxEntries  = 10_000   // of a folder that is listed
)

// tree is the build context, read within bounds.
type tree struct{ fs.FS }

// has reports a regular file; what cannot be looked at is not there.
func (t tree) has(name string) bool {
	st, err := fs.Stat(t, name)
	return err == nil && st.Mode().IsRegular()
}

func (t tree) hasDir(name string) bool {
	st, err := fs.Stat(t, name)
	return err == nil && st.IsDir()
}

// read gives a whole file; fs.ErrNotExist when there is none.
func (t tree) read(name string, limit int64) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, trouble(name, err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, refuse("make it a file, or take it out", "%s is not a file", name)
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, trouble(name, err)
	}
	if int64(len(raw)) > limit {
		return nil, refuse("write a Dockerfile for this service", "%s is over %d bytes", name, limit)
	}
	return raw, nil
}

// optional is read of a file that need not be there.
func (t tree) optional(name string) ([]byte, error) {
	raw, err := t.read(name, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// trouble names the file without the place it lies at on this machine.
func trouble(name string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// list gives the names of a folder's folders, sorted; a folder that is not there has none.
func (t tree) folders(dir string) ([]string, error) {
	f, err := t.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, trouble(dir, err)
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, nil
	}
	entries, err := d.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, trouble(dir, err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

// below looks for one of the names one folder down.
func (t tree) below(names []string) string {
	dirs, err := t.folders(".")
	if err != nil {
		return ""
	}
	for _, dir := range dirs {
		for _, name := range names {
			if file := path.Join(dir, name); t.has(file) {
				return file
			}
		}
	}
	return ""
}
