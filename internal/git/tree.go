package git

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// walk lists a folder of a commit within limits. It reads no file but links.
type walk struct {
	store   storer.EncodedObjectStorer
	commit  release.Commit
	limits  Limits
	entries []files.Entry
	bytes   int64
}

func newWalk(store storer.EncodedObjectStorer, c release.Commit, l Limits) *walk {
	return &walk{store: store, commit: c, limits: l.OrDefault()}
}

func (w *walk) run(c *object.Commit, sub string) error {
	tree, err := c.Tree()
	if err != nil {
		return fmt.Errorf("read commit %s: %w", w.commit.Short(), err)
	}
	if sub = path.Clean(sub); sub != "." && sub != "/" {
		if tree, err = tree.Tree(strings.TrimPrefix(sub, "/")); err != nil {
			return fmt.Errorf("%w: folder %s in commit %s", ErrNoFile, sub, w.commit.Short())
		}
	}
	return w.tree(tree, "", 0)
}

func (w *walk) tree(t *object.Tree, prefix string, depth int) error {
	if depth > MaxDepth {
		return hint.Add(fmt.Errorf("folder %s: %w of %d levels", prefix, ErrTooBig, MaxDepth), "flatten it")
	}
	for _, e := range t.Entries {
		name := path.Join(prefix, e.Name)
		if !SafeName(e.Name) {
			return fmt.Errorf("commit %s: %q is not a name for a file", w.commit.Short(), e.Name)
		}
		switch e.Mode {
		case filemode.Dir:
			child, err := object.GetTree(w.store, e.Hash)
			if err != nil {
				return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
			}
			if err := w.tree(child, name, depth+1); err != nil {
				return err
			}
		case filemode.Submodule:
			return hint.Add(fmt.Errorf("%s at %s is a submodule: %w", name, w.commit.Short(), ErrUnfit), "commit its files into the repository: submodules are not read")
		default:
			if err := w.file(e, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) file(e object.TreeEntry, name string) error {
	size, err := w.store.EncodedObjectSize(e.Hash)
	if err != nil {
		return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
	}
	w.bytes += size
	switch {
	case size > w.limits.File:
		return hint.Add(fmt.Errorf("%s has %d bytes, %w of %d", name, size, ErrTooBig, w.limits.File), "make it smaller, or move it out of the folder")
	case w.bytes > w.limits.Bytes:
		return hint.Add(fmt.Errorf("commit %s: %w of %d bytes", w.commit.Short(), ErrTooBig, w.limits.Bytes), "move big files out of the folder")
	case len(w.entries) >= w.limits.Files:
		return hint.Add(fmt.Errorf("commit %s: %w of %d files", w.commit.Short(), ErrTooBig, w.limits.Files), "move files out of the folder")
	}
	entry := files.Entry{Path: name, Mode: 0o644, Size: size, ID: e.Hash.String()}
	switch e.Mode {
	case filemode.Executable:
		entry.Mode = 0o755
	case filemode.Symlink:
		target, err := blob(w.store, entry)
		if err != nil {
			return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
		}
		entry.Mode, entry.Link = fs.ModeSymlink|0o777, string(target)
	}
	w.entries = append(w.entries, entry)
	return nil
}

// blob reads all that a file or a link holds.
func blob(store storer.EncodedObjectStorer, e files.Entry) ([]byte, error) {
	b, err := object.GetBlob(store, plumbing.NewHash(e.ID))
	if err != nil {
		return nil, err
	}
	rd, err := b.Reader()
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	data := make([]byte, e.Size)
	_, err = io.ReadFull(rd, data)
	return data, err
}

// inside is where a link points, if that is inside the folder.
func inside(link, target string) (string, bool) {
	if target == "" || path.IsAbs(target) || strings.Contains(target, "\x00") {
		return "", false
	}
	to := path.Join(path.Dir(link), target)
	return to, to != ".." && !strings.HasPrefix(to, "../")
}

func linkError(link, target string) error {
	return hint.Add(fmt.Errorf("link %s points to %s, outside of the folder: %w", link, target, ErrUnfit), "replace the link by the file")
}

// CheckLink refuses a link that leads out of the folder it is in.
func CheckLink(link, target string) error {
	if _, ok := inside(link, target); !ok {
		return linkError(link, target)
	}
	return nil
}

// checkLinks refuses links that lead out of the folder.
func (w *walk) checkLinks() error {
	for _, e := range w.entries {
		if e.Mode&fs.ModeSymlink == 0 {
			continue
		}
		if err := CheckLink(e.Path, e.Link); err != nil {
			return err
		}
	}
	return nil
}

// resolveLinks replaces each link by the file it points to, and drops what points to none.
func (w *walk) resolveLinks() error {
	known := map[string]files.Entry{}
	for _, e := range w.entries {
		known[e.Path] = e
	}
	var out []files.Entry
	for _, e := range w.entries {
		at, found := e, true
		for hops := 0; found && at.Mode&fs.ModeSymlink != 0; hops++ {
			to, ok := inside(at.Path, at.Link)
			if !ok {
				return linkError(e.Path, e.Link)
			}
			at, found = known[to]
			found = found && hops < 8
		}
		if at.Path = e.Path; found {
			out = append(out, at)
		}
	}
	w.entries = out
	return nil
}

// SafeName refuses names that git itself refuses to check out.
func SafeName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.EqualFold(s, ".git") && !strings.ContainsAny(s, "/\x00")
}
