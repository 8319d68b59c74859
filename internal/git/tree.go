package git

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"

	"context"
	"errors"
)

// walk collects a folder of a commit within limits.
type walk struct {
	commit release.Commit
	limits Limits
	files  map[string]memFile
	links  map[string]string // path to target
	bytes  int64
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
	if depth > 64 {
		return hint.Add(fmt.Errorf("folder %s: %w of 64 levels", prefix, ErrTooBig), "flatten it")
	}
	for _, e := range t.Entries {
		name := path.Join(prefix, e.Name)
		if !SafeName(e.Name) {
			return fmt.Errorf("commit %s: %q is not a name for a file", w.commit.Short(), e.Name)
		}
		switch e.Mode {
		case filemode.Dir:
			child, err := t.Tree(e.Name)
			if err != nil {
				return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
			}
			if err := w.tree(child, name, depth+1); err != nil {
				return err
			}
		case filemode.Submodule:
			return hint.Add(fmt.Errorf("%s at %s is a submodule: %w", name, w.commit.Short(), ErrUnfit), "commit its files into the repository: submodules are not read")
		default:
			if err := w.file(t, e, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) file(t *object.Tree, e object.TreeEntry, name string) error {
	f, err := t.TreeEntryFile(&e)
	if err != nil {
		return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
	}
	w.bytes += f.Size
	switch {
	case f.Size > w.limits.File:
		return hint.Add(fmt.Errorf("%s has %d bytes, %w of %d", name, f.Size, ErrTooBig, w.limits.File), "make it smaller, or move it out of the folder")
	case w.bytes > w.limits.Bytes:
		return hint.Add(fmt.Errorf("commit %s: %w of %d bytes", w.commit.Short(), ErrTooBig, w.limits.Bytes), "move big files out of the folder")
	case len(w.files)+len(w.links) >= w.limits.Files:
		return hint.Add(fmt.Errorf("commit %s: %w of %d files", w.commit.Short(), ErrTooBig, w.limits.Files), "move files out of the folder")
	}
	data, err := blob(f.Blob, w.limits.File)
	if err != nil {
		return fmt.Errorf("read %s at %s: %w", name, w.commit.Short(), err)
	}
	if e.Mode == filemode.Symlink {
		w.links[name] = string(data)
		return nil
	}
	mode := fs.FileMode(0o644)
	if e.Mode == filemode.Executable {
		mode = 0o755
	}
	w.files[name] = memFile{data: data, mode: mode}
	return nil
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

// resolveLinks replaces each link by a copy of the file it points to.
func (w *walk) resolveLinks() error {
	for link, target := range w.links {
		to, ok := inside(link, target)
		for hops := 0; ok && hops < 8 && w.links[to] != ""; hops++ {
			to, ok = inside(to, w.links[to])
		}
		if !ok {
			return linkError(link, target)
		}
		if f, found := w.files[to]; found {
			w.files[link] = f
		}
	}
	return nil
}

// Export writes a folder of a commit below dir, which has to exist. Links that stay
// inside are written as links.
func (r *Repos) Export(ctx context.Context, url, ref string, c release.Commit, sub, dir string, l Limits) error {
	return r.at(ctx, url, ref, c, func(m *mirror, got *object.Commit) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("export %s: %w", c.Short(), err)
		}
		defer root.Close()
		w := &walk{commit: c, limits: l.OrDefault(), files: map[string]memFile{}, links: map[string]string{}}
		if err := w.run(got, sub); err != nil {
			return err
		}
		return w.export(root)
	})
}

func (w *walk) export(root *os.Root) error {
	for name, f := range w.files {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
		if err := writeFile(root, name, f); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
	}
	for link, target := range w.links {
		if err := CheckLink(link, target); err != nil {
			return err
		}
		if err := root.MkdirAll(path.Dir(link), 0o755); err != nil {
			return fmt.Errorf("export %s: %w", link, err)
		}
		if err := root.Symlink(target, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("export %s: %w", link, err)
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, f memFile) (err error) {
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, f.mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := out.Write(f.data); err != nil {
		return err
	}
	return nil
}

// SafeName refuses names that git itself refuses to check out.
func SafeName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.EqualFold(s, ".git") && !strings.ContainsAny(s, "/\x00")
}
