// Package source reads the tree that is rendered: within limits, never outside of it, and
// remembering what was asked for, so that the same answers need no second rendering.
//
// Start at Files, which is what renderers see; Tree is one over a file system. It never
// follows a link out of the tree.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/seatrial/seatrial/internal/hint"
)

// Entry is a file or a folder below a folder.
type Entry struct {
	Name string `json:"name"`
	Dir  bool   `json:"dir,omitempty"`
}

// What a name stands for.
type What string

// A name stands for one of these; a link, for what it leads to inside the tree.
const (
	Nothing What = "nothing"
	File    What = "file"
	Folder  What = "folder"
)

// Files is a tree to render. Names are relative to its root, with slashes.
type Files interface {
	Stat(name string) (What, error)
	Read(name string) ([]byte, error)
	List(dir string) ([]Entry, error) // sorted by name
}

// Limits bound what may be read.
type Limits struct {
	Files int
	Bytes int64
}

// Tree is a file system as Files. It is for one rendering.
type Tree struct {
	root   fs.FS
	limits Limits
	left   Limits
	reads  Reads
}

// Reads are the questions asked of a tree with the digests of the answers, "nothing here"
// among them.
type Reads map[string]string

// New makes the tree of one rendering.
func New(root fs.FS, l Limits) *Tree { return &Tree{root: root, limits: l, left: l, reads: Reads{}} }

// Reads is what was asked until now.
func (t *Tree) Reads() Reads { return t.reads }

// Still reports whether a tree answers as it did.
func (r Reads) Still(ctx context.Context, root fs.FS, l Limits) bool {
	t := New(root, l)
	for question, answer := range r {
		op, name, _ := strings.Cut(question, " ")
		switch op {
		case "stat":
			_, _ = t.Stat(name) // an error leaves no answer that could be the same
		case "read":
			_, _ = t.Read(name)
		case "list":
			_, _ = t.List(name)
		}
		if t.reads[question] != answer || ctx.Err() != nil {
			return false
		}
	}
	return true
}

func (t *Tree) answered(op, name string, parts ...string) {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d %s", len(p), p)
	}
	t.reads[op+" "+name] = hex.EncodeToString(sum.Sum(nil))
}

// Stat says what a name stands for.
func (t *Tree) Stat(name string) (What, error) {
	what, err := t.look(name)
	if err == nil {
		t.answered("stat", name, string(what))
	}
	return what, err
}

func (t *Tree) look(name string) (What, error) {
	if !fs.ValidPath(name) {
		return "", outside(name)
	}
	info, err := fs.Stat(t.root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.missing(name)
	case err != nil:
		return "", t.explain(name, err)
	case info.IsDir():
		return Folder, nil
	case info.Mode().IsRegular():
		return File, nil
	}
	return "", hint.Add(fmt.Errorf("%s is not a regular file", name), "commit a file in its place")
}

// missing tells a link to nothing from nothing.
func (t *Tree) missing(name string) (What, error) {
	if info, err := fs.Lstat(t.root, name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "", hint.Add(fmt.Errorf("%s is a link to nothing", name), "commit what it is to lead to, or remove the link")
	}
	return Nothing, nil
}

// Read gives a file's content; nobody may change it.
func (t *Tree) Read(name string) ([]byte, error) {
	switch what, err := t.look(name); {
	case err != nil:
		return nil, err
	case what != File:
		return nil, hint.Add(fmt.Errorf("file %s is not in the repository", name), "commit the file, or take the reference out")
	}
	info, err := fs.Stat(t.root, name)
	if err != nil {
		return nil, t.explain(name, err)
	}
	t.left.Files--
	t.left.Bytes -= info.Size()
	if t.left.Files < 0 || t.left.Bytes < 0 {
		return nil, TooBig(name, t.limits)
	}
	data, err := fs.ReadFile(t.root, name)
	if err != nil {
		return nil, t.explain(name, err)
	}
	t.answered("read", name, string(data))
	return data, nil
}

// List gives what is directly in a folder, links by what they lead to.
func (t *Tree) List(dir string) ([]Entry, error) {
	if !fs.ValidPath(dir) {
		return nil, outside(dir)
	}
	found, err := fs.ReadDir(t.root, dir)
	if err != nil {
		return nil, t.explain(dir, err)
	}
	var entries []Entry
	var seen []string
	for _, f := range found {
		e := Entry{Name: f.Name(), Dir: f.IsDir()}
		if !f.IsDir() && !f.Type().IsRegular() {
			if err := t.link(path.Join(dir, e.Name)); err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
		seen = append(seen, e.Name, fmt.Sprint(e.Dir))
	}
	t.answered("list", dir, seen...)
	return entries, nil
}

// link demands that what is neither file nor folder leads to a file of the tree. A link to
// a folder is refused: a folder can contain itself that way.
func (t *Tree) link(name string) error {
	what, err := t.look(name)
	if err == nil && what != File {
		err = hint.Add(fmt.Errorf("%s is a link to a folder", name), "replace the link by the folder")
	}
	return err
}

func (t *Tree) explain(name string, err error) error {
	if info, e := fs.Lstat(t.root, name); e == nil && info.Mode()&fs.ModeSymlink != 0 {
		return hint.Add(fmt.Errorf("%s is a link that goes in a circle or out of the repository", name), "replace the link by what it is to lead to")
	}
	return hint.Add(fmt.Errorf("read %s: %w", name, err), "links out of the repository and in circles are not followed: replace them by what they lead to")
}

func outside(name string) error {
	return hint.Add(fmt.Errorf("%q is outside of the repository", name), "commit it into the repository, and write the path relative to it")
}

// TooBig says that there is too much to read or to write.
func TooBig(name string, l Limits) error {
	return hint.Add(fmt.Errorf("%s: the manifests are over the limit of %d bytes in %d files", name, l.Bytes, l.Files), "keep only manifests in the folder, or split the service")
}

// maxDepth of folders, as deep as git trees are read.
const maxDepth = 64

// Walk calls fn with every file below dir, in order. skip may leave entries out; nil takes
// all.
func Walk(files Files, dir string, skip func(name string, e Entry) bool, fn func(name string) error) error {
	return walk(files, dir, 0, skip, fn)
}

func walk(files Files, dir string, depth int, skip func(string, Entry) bool, fn func(string) error) error {
	if depth > maxDepth {
		return hint.Add(fmt.Errorf("%s is more than %d folders deep", dir, maxDepth), "flatten the folder")
	}
	entries, err := files.List(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		switch {
		case skip != nil && skip(name, e):
		case e.Dir:
			err = walk(files, name, depth+1, skip, fn)
		default:
			err = fn(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// IsFile reports whether a name stands for a file.
func IsFile(files Files, name string) (bool, error) {
	what, err := files.Stat(name)
	return what == File, err
}

// IsFolder reports whether a name stands for a folder.
func IsFolder(files Files, name string) (bool, error) {
	what, err := files.Stat(name)
	return what == Folder, err
}
