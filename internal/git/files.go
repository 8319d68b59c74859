package git

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/release"
)

// Files shows all of a commit without writing it anywhere: a file is read from git when it
// is opened, until done is called. Links that lead out of the commit are refused.
func (r *Repos) Files(ctx context.Context, url, ref string, c release.Commit, l Limits) (tree *files.FS, done func() error, err error) {
	var m *mirror
	err = r.at(ctx, url, ref, c, func(at *mirror, _ *object.Commit) error {
		m = at
		m.pins.Add(1)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	p := m.pinned()
	if tree, err = p.files(c, l); err != nil {
		return nil, nil, errors.Join(err, p.done())
	}
	return tree, p.done, nil
}

// pinned reads objects of a mirror, whoever else uses that. The mirror is not made anew
// before it is done.
type pinned struct {
	done func() error

	mu    sync.Mutex // guards store, which knows one reader only
	store *filesystem.Storage
}

// pinned is for who has added to the pins.
func (m *mirror) pinned() *pinned {
	p := &pinned{store: filesystem.NewStorageWithOptions(osfs.New(m.dir), cache.NewObjectLRU(cacheBytes), filesystem.Options{ExclusiveAccess: true, KeepDescriptors: true})}
	p.done = sync.OnceValue(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		m.pins.Add(-1)
		return p.store.Close()
	})
	return p
}

func (p *pinned) files(c release.Commit, l Limits) (*files.FS, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	commit, err := object.GetCommit(p.store, plumbing.NewHash(string(c)))
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", c.Short(), err)
	}
	w := newWalk(p.store, c, l)
	if err := w.run(commit, ""); err != nil {
		return nil, err
	}
	if err := w.checkLinks(); err != nil {
		return nil, err
	}
	return files.New(w.entries, commit.Author.When, func(e files.Entry) ([]byte, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return blob(p.store, e)
	}), nil
}
