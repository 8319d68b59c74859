package git

import (
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

type encoder interface {
	Encode(plumbing.EncodedObject) error
}

// put writes an object and gives its id.
func put(to storer.EncodedObjectStorer, what encoder) (plumbing.Hash, error) {
	o := to.NewEncodedObject()
	if err := what.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return to.SetEncodedObject(o)
}

func putBlob(to storer.EncodedObjectStorer, data []byte) (plumbing.Hash, error) {
	o := to.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if _, err := w.Write(data); err != nil {
		return plumbing.ZeroHash, err
	}
	if err := w.Close(); err != nil {
		return plumbing.ZeroHash, err
	}
	return to.SetEncodedObject(o)
}

func putTree(to storer.EncodedObjectStorer, entries []object.TreeEntry) (plumbing.Hash, error) {
	sort.Sort(object.TreeEntrySorter(entries))
	return put(to, &object.Tree{Entries: entries})
}

// writeFolder writes files as a tree; no files are no tree.
func writeFolder(to storer.EncodedObjectStorer, files map[string][]byte) (plumbing.Hash, error) {
	if len(files) == 0 {
		return plumbing.ZeroHash, nil
	}
	var entries []object.TreeEntry
	below := map[string]map[string][]byte{}
	for _, name := range mapKeys(files) {
		dir, rest, nested := strings.Cut(name, "/")
		if nested {
			if below[dir] == nil {
				below[dir] = map[string][]byte{}
			}
			below[dir][rest] = files[name]
			continue
		}
		h, err := putBlob(to, files[name])
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries = append(entries, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: h})
	}
	for dir, sub := range below {
		h, err := writeFolder(to, sub)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries = append(entries, object.TreeEntry{Name: dir, Mode: filemode.Dir, Hash: h})
	}
	return putTree(to, entries)
}

// graft puts a tree at a path and writes the trees above it; a zero tree removes what is
// there. The result is zero when nothing is left.
func graft(m *mirror, to storer.EncodedObjectStorer, t *object.Tree, at []string, tree plumbing.Hash) (plumbing.Hash, error) {
	entries := slices.Clone(t.Entries)
	i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == at[0] })
	next := tree
	if len(at) > 1 {
		child := &object.Tree{}
		if i >= 0 && entries[i].Mode == filemode.Dir {
			var err error
			if child, err = object.GetTree(m.store, entries[i].Hash); err != nil {
				return plumbing.ZeroHash, err
			}
		}
		var err error
		if next, err = graft(m, to, child, at[1:], tree); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if i >= 0 {
		entries = slices.Delete(entries, i, i+1)
	}
	if !next.IsZero() {
		entries = append(entries, object.TreeEntry{Name: at[0], Mode: filemode.Dir, Hash: next})
	}
	if len(entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	return putTree(to, entries)
}
