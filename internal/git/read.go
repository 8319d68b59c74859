package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// maxChanged bounds what Changed lists.
const maxChanged = 10000

// Head asks the remote where ref ("refs/heads/main" or "main") stands; ErrNoRef when it
// has none such.
func (r *Repos) Head(ctx context.Context, url, ref string) (release.Commit, error) {
	m, err := r.mirror(url)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	adv, err := m.list(ctx)
	if err != nil {
		return "", err
	}
	h, ok := adv.find(ref)
	if !ok {
		return "", hint.Add(fmt.Errorf("%w: %s has no %s", ErrNoRef, m.url, ref), "push the branch first")
	}
	return release.Commit(h.String()), nil
}

// at runs fn with the commit in the mirror.
func (r *Repos) at(ctx context.Context, url, ref string, c release.Commit, fn func(*mirror, *object.Commit) error) error {
	m, err := r.mirror(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if err := m.lock(ctx, r.cfg.MaxPacks); err != nil {
		return err
	}
	defer m.unlock()
	if err := m.ensureLocked(ctx, r.cfg, ref, c); err != nil {
		return err
	}
	got, err := m.commitLocked(c)
	if err != nil {
		return err
	}
	return fn(m, got)
}

// Info reads a commit's metadata; ref is where it was last seen, for remotes that do not
// give out commits by their id, and may be empty.
func (r *Repos) Info(ctx context.Context, url, ref string, c release.Commit) (Info, error) {
	var info Info
	err := r.at(ctx, url, ref, c, func(_ *mirror, got *object.Commit) error {
		info = infoOf(got)
		return nil
	})
	return info, err
}

func infoOf(c *object.Commit) Info {
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	info := Info{Commit: release.Commit(c.Hash.String()), Author: c.Author.Name, Email: c.Author.Email,
		Time: c.Author.When, Message: c.Message, Subject: subject}
	for _, p := range c.ParentHashes {
		info.Parents = append(info.Parents, release.Commit(p.String()))
	}
	return info
}

// ReadFile reads one file of at most max bytes at a commit.
func (r *Repos) ReadFile(ctx context.Context, url, ref string, c release.Commit, file string, max int64) ([]byte, error) {
	var data []byte
	err := r.at(ctx, url, ref, c, func(m *mirror, got *object.Commit) error {
		f, err := m.fileLocked(got, path.Clean(file))
		if errors.Is(err, object.ErrFileNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
			return fmt.Errorf("%w: %s in commit %s", ErrNoFile, file, c.Short())
		}
		if err != nil {
			return fmt.Errorf("read %s at %s: %w", file, c.Short(), err)
		}
		if f.Size > max {
			return hint.Add(fmt.Errorf("%s has %d bytes, %w of %d", file, f.Size, ErrTooBig, max), "make it smaller")
		}
		data, err = blob(m.store, files.Entry{ID: f.Hash.String(), Size: f.Size})
		return err
	})
	return data, err
}

// Tree reads a folder of a commit into memory; sub "" or "." is all of it. A link that
// stays inside becomes a copy of what it points to.
func (r *Repos) Tree(ctx context.Context, url, ref string, c release.Commit, sub string, l Limits) (fs.FS, error) {
	var out *files.FS
	err := r.at(ctx, url, ref, c, func(m *mirror, got *object.Commit) error {
		w := newWalk(m.store, c, l)
		if err := w.run(got, sub); err != nil {
			return err
		}
		if err := w.resolveLinks(); err != nil {
			return err
		}
		held := map[string][]byte{}
		for _, e := range w.entries {
			data, err := blob(m.store, e)
			if err != nil {
				return fmt.Errorf("read %s at %s: %w", e.Path, c.Short(), err)
			}
			held[e.ID] = data
		}
		out = files.New(w.entries, got.Author.When, func(e files.Entry) ([]byte, error) { return held[e.ID], nil })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ObjectID is git's id of a folder or file in a commit; sub "" or "." is the whole tree.
// The id of a folder stands for everything below it, so nothing else is read.
func (r *Repos) ObjectID(ctx context.Context, url, ref string, c release.Commit, sub string) (string, error) {
	var id string
	err := r.at(ctx, url, ref, c, func(_ *mirror, got *object.Commit) error {
		sub := strings.TrimPrefix(path.Clean("/"+sub), "/")
		if sub == "" {
			id = got.TreeHash.String()
			return nil
		}
		tree, err := got.Tree()
		if err != nil {
			return fmt.Errorf("read commit %s: %w", c.Short(), err)
		}
		entry, err := tree.FindEntry(sub)
		// A file on the way to sub is an object that is no tree.
		if errors.Is(err, object.ErrDirectoryNotFound) || errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, plumbing.ErrObjectNotFound) {
			return fmt.Errorf("%w: %s in commit %s", ErrNoFile, sub, c.Short())
		}
		if err != nil {
			return fmt.Errorf("find %s in commit %s: %w", sub, c.Short(), err)
		}
		id = entry.Hash.String()
		return nil
	})
	return id, err
}

// Changed lists the paths that differ between two commits, at most 10000.
func (r *Repos) Changed(ctx context.Context, url, ref string, from, to release.Commit) ([]string, error) {
	var paths []string
	err := r.at(ctx, url, ref, to, func(m *mirror, b *object.Commit) error {
		if err := m.ensureLocked(ctx, r.cfg, ref, from); err != nil {
			return err
		}
		a, err := m.commitLocked(from)
		if err != nil {
			return err
		}
		paths, err = changed(ctx, a, b)
		return err
	})
	return paths, err
}

// changed lists the paths that differ; a may be nil for a first commit.
func changed(ctx context.Context, a, b *object.Commit) ([]string, error) {
	before := &object.Tree{}
	if a != nil {
		t, err := a.Tree()
		if err != nil {
			return nil, err
		}
		before = t
	}
	after, err := b.Tree()
	if err != nil {
		return nil, err
	}
	diff, err := object.DiffTreeContext(ctx, before, after)
	if err != nil {
		return nil, fmt.Errorf("compare %s with what was before: %w", release.Commit(b.Hash.String()).Short(), err)
	}
	var paths []string
	for _, d := range diff {
		for _, p := range []string{d.From.Name, d.To.Name} {
			if p != "" && (len(paths) == 0 || paths[len(paths)-1] != p) && len(paths) < maxChanged {
				paths = append(paths, p)
			}
		}
	}
	return paths, nil
}

// branchLocked brings a branch with its whole history into the mirror, up to head.
func (m *mirror) branchLocked(ctx context.Context, cfg Config, branch string, head plumbing.Hash) error {
	name := plumbing.ReferenceName("refs/seatrial/" + branch)
	known, err := m.store.Reference(name)
	usable := err == nil && m.hasLocked(release.Commit(known.Hash().String()))
	if usable && known.Hash() == head {
		return nil
	}
	q := request{want: head}
	if usable {
		q.haves = []plumbing.Hash{known.Hash()}
	}
	if err := m.fetchLocked(ctx, q, cfg.MaxPack); err != nil {
		return err
	}
	return m.store.SetReference(plumbing.NewHashReference(name, head))
}

// Log lists the commits of a branch from head back to, and without, until, along first
// parents; at most n, newest first. Each comes with the paths it changed. When until is not
// on the way, because history was rewritten or merged, the answer is head alone with all
// that differs from until, and from nothing when until is not known any more.
func (r *Repos) Log(ctx context.Context, url, branch string, head, until release.Commit, n int) ([]Logged, error) {
	m, err := r.mirror(url)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if err := m.lock(ctx, r.cfg.MaxPacks); err != nil {
		return nil, err
	}
	defer m.unlock()
	if err := m.branchLocked(ctx, r.cfg, branch, plumbing.NewHash(string(head))); err != nil {
		return nil, err
	}
	commits, rewritten, err := m.firstParentsLocked(head, until, n)
	if err != nil {
		return nil, err
	}
	var log []Logged
	for i, c := range commits[:len(commits)-1] {
		paths, err := changed(ctx, commits[i+1], c)
		if err != nil {
			return nil, err
		}
		log = append(log, Logged{Info: infoOf(c), Paths: paths, Key: r.keyOf(c), Rewritten: rewritten})
	}
	return log, nil
}

// firstParentsLocked are the commits from head back to until, which is the last of them; nil
// stands for nothing. rewritten: until is not on the way, and follows head at once.
func (m *mirror) firstParentsLocked(head, until release.Commit, n int) (commits []*object.Commit, rewritten bool, err error) {
	for at := head; ; {
		var c *object.Commit
		if at != "" {
			if c, err = m.commitLocked(at); err != nil {
				return nil, false, err
			}
		}
		commits = append(commits, c)
		switch {
		case at == until || len(commits) > n:
			return commits, false, nil
		case at == "":
			last, err := m.commitLocked(until)
			if errors.Is(err, ErrNoCommit) {
				err = nil
			}
			return []*object.Commit{commits[0], last}, true, err
		}
		at = ""
		if len(c.ParentHashes) > 0 {
			at = release.Commit(c.ParentHashes[0].String())
		}
	}
}

// Logged is a commit of a branch and what it changed.
type Logged struct {
	Info
	Paths     []string
	Key       string // of the change that it is, when it is ours
	Rewritten bool   // what it is compared with is not among its first parents
}

// Trailer is the value of a trailer of the commit's message, or "".
func (i Info) Trailer(key string) string {
	msg := strings.TrimSpace(i.Message)
	cut := strings.LastIndex(msg, "\n\n")
	if cut < 0 {
		return ""
	}
	for line := range strings.Lines(msg[cut+2:]) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && k == key {
			return v
		}
	}
	return ""
}
