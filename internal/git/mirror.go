package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/seatrial/seatrial/internal/git/pack"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// cacheBytes is what one mirror keeps of decoded objects in memory.
const cacheBytes = 4 * cache.MiByte

// mirror is a bare copy of parts of one remote. Commits of applications are fetched
// alone, without history; branches of desired state whole, step by step.
type mirror struct {
	dir    string
	url    string // without credentials, for errors
	host   string
	ep     *transport.Endpoint
	client transport.Transport
	auth   transport.AuthMethod

	pins  atomic.Int32  // readers of objects that do not wait for their turn
	turn  chan struct{} // of one: who has it may use everything below, and the files
	store *filesystem.Storage
	keys  map[string]*keyIndex // by branch
	last  lastTree
	grown bool     // since it was last looked at whether it is too big
	spare []string // files that are in a larger pack as well

	rest time.Time // it is not tidied before; only Tidy uses it
}

// lastTree is the commit that was read last, with the folders that were: a thousand
// services are read at one commit, and go-git would read the folder of all for each.
type lastTree struct {
	commit  release.Commit
	folders map[string]*object.Tree // by path; "." is the root
}

// fileLocked finds a file of a commit. The error is object.ErrFileNotFound or
// object.ErrDirectoryNotFound when there is none.
func (m *mirror) fileLocked(c *object.Commit, name string) (*object.File, error) {
	if !fs.ValidPath(name) {
		return nil, object.ErrFileNotFound
	}
	folder, err := m.folderLocked(c, path.Dir(name))
	if err != nil {
		return nil, err
	}
	return folder.File(path.Base(name))
}

// folderLocked reads a folder of a commit. The error is object.ErrDirectoryNotFound when
// there is none.
func (m *mirror) folderLocked(c *object.Commit, name string) (*object.Tree, error) {
	if id := release.Commit(c.Hash.String()); m.last.commit != id {
		root, err := c.Tree()
		if err != nil {
			return nil, err
		}
		m.last = lastTree{id, map[string]*object.Tree{".": root}}
	}
	if known := m.last.folders[name]; known != nil {
		return known, nil
	}
	above, err := m.folderLocked(c, path.Dir(name))
	if err != nil {
		return nil, err
	}
	folder, err := above.Tree(path.Base(name))
	if err == nil {
		m.last.folders[name] = folder
	}
	return folder, err
}

func (r *Repos) mirror(raw string) (*mirror, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("git remote: %w", hideURL(err)), "write it as https://host/owner/name")
	}
	switch {
	case u.Scheme == "http" || u.Scheme == "https":
	case u.Scheme == "file" && r.cfg.AllowFile:
	default:
		return nil, hint.Add(fmt.Errorf("git remote %s: scheme %q is not supported", u.Redacted(), u.Scheme), "use an http(s) address")
	}
	login := u.User
	u.User = nil
	clean := u.String()

	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.mirrors[clean]; m != nil {
		return m, nil
	}
	sum := sha256.Sum256([]byte(clean))
	m := &mirror{dir: filepath.Join(r.cfg.Dir, hex.EncodeToString(sum[:8])+".git"), url: clean, host: u.Host, keys: map[string]*keyIndex{}, turn: make(chan struct{}, 1)}
	if m.ep, err = transport.NewEndpoint(clean); err != nil {
		return nil, fmt.Errorf("git remote %s: %w", clean, err)
	}
	m.client, m.auth = r.transport(u, login)
	if err := m.open(); err != nil {
		return nil, err
	}
	r.mirrors[clean] = m
	return m, nil
}

// lock waits for the mirror, but not longer than ctx lasts, and trims it. Only here, and at
// the end of tidy, anything is deleted: what is found in the mirror stays there until unlock.
func (m *mirror) lock(ctx context.Context, maxPacks int) error {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return m.explain(ctx.Err())
	}
	if err := errors.Join(m.dropLocked(), m.trimLocked(maxPacks)); err != nil {
		m.unlock()
		return err
	}
	return nil
}

func (m *mirror) unlock() { <-m.turn }

// open prepares the bare repository; what a crash left half-written goes.
func (m *mirror) open() error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return fmt.Errorf("open the mirror of %s: %w", m.url, err)
	}
	if err := pack.Clean(m.dir); err != nil {
		return fmt.Errorf("open the mirror of %s: %w", m.url, err)
	}
	if m.store != nil {
		m.store.Close()
	}
	m.store = filesystem.NewStorageWithOptions(osfs.New(m.dir), cache.NewObjectLRU(cacheBytes), filesystem.Options{KeepDescriptors: true})
	m.last, m.grown = lastTree{}, true
	if err := m.store.Init(); err != nil {
		return fmt.Errorf("open the mirror of %s: %w", m.url, err)
	}
	return nil
}

// trimLocked makes the mirror anew when it has grown too many packs: it is only a cache.
// It goes as a whole, so that a crash never leaves refs to objects that are gone.
func (m *mirror) trimLocked(maxPacks int) error {
	if !m.grown {
		return nil
	}
	packs, _ := filepath.Glob(filepath.Join(m.dir, "objects", "pack", "*.pack"))
	if len(packs) <= maxPacks {
		m.grown = false
		return nil
	}
	if m.pins.Load() > 0 {
		return nil
	}
	old := m.dir + ".old"
	if err := errors.Join(os.RemoveAll(old), os.Rename(m.dir, old)); err != nil {
		return fmt.Errorf("make the mirror of %s anew: %w", m.url, err)
	}
	m.keys, m.spare = map[string]*keyIndex{}, nil
	return errors.Join(m.open(), os.RemoveAll(old))
}

func (m *mirror) hasLocked(c release.Commit) bool {
	return c.Valid() && m.store.HasEncodedObject(plumbing.NewHash(string(c))) == nil
}

func (m *mirror) commitLocked(c release.Commit) (*object.Commit, error) {
	got, err := object.GetCommit(m.store, plumbing.NewHash(string(c)))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("%w: %s of %s", ErrNoCommit, c.Short(), m.url)
	}
	return got, err
}

// adverts is what a remote says about its refs.
type adverts struct {
	refs map[string]plumbing.Hash
	caps *capability.List
}

func advertsOf(a *packp.AdvRefs) adverts {
	out := adverts{refs: map[string]plumbing.Hash{}, caps: capability.NewList()}
	if a == nil {
		return out
	}
	for name, h := range a.References {
		out.refs[name] = h
	}
	if a.Capabilities != nil {
		out.caps = a.Capabilities
	}
	return out
}

// find resolves "main", "refs/heads/main" or a tag.
func (a adverts) find(ref string) (plumbing.Hash, bool) {
	for _, name := range []string{ref, "refs/heads/" + ref, "refs/tags/" + ref} {
		h, ok := a.refs[name]
		if ok && !h.IsZero() {
			return h, true
		}
	}
	return plumbing.ZeroHash, false
}

// list asks the remote for its refs; an empty repository has none.
func (m *mirror) list(ctx context.Context) (adverts, error) {
	s, err := m.client.NewUploadPackSession(m.ep, m.auth)
	if err != nil {
		return adverts{}, m.explain(err)
	}
	defer s.Close()
	a, err := s.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return advertsOf(nil), nil
	}
	if err != nil {
		return adverts{}, m.explain(err)
	}
	return advertsOf(a), nil
}

// request is one fetch: without haves and with depth 1 it is a commit alone.
type request struct {
	want  plumbing.Hash
	haves []plumbing.Hash
	depth int
}

func (m *mirror) fetchLocked(ctx context.Context, q request, maxPack int64) error {
	s, err := m.client.NewUploadPackSession(m.ep, m.auth)
	if err != nil {
		return m.explain(err)
	}
	defer s.Close()
	adv, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return m.explain(err)
	}
	req := packp.NewUploadPackRequestFromCapabilities(adv.Capabilities)
	req.Capabilities.Delete(capability.ThinPack)
	req.Wants, req.Haves = []plumbing.Hash{q.want}, q.haves
	if q.depth > 0 {
		req.Depth = packp.DepthCommits(q.depth)
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return fmt.Errorf("fetch from %s: %w", m.url, err)
		}
	}
	m.grown = true
	resp, err := s.UploadPack(ctx, req)
	if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
		return nil
	}
	if err != nil {
		return m.explain(err)
	}
	defer resp.Close()
	body := &capped{r: demux(req.Capabilities, resp), left: maxPack}
	if err := packfile.UpdateObjectStorage(m.store, body); err != nil {
		if body.left <= 0 {
			return hint.Add(fmt.Errorf("fetch %s from %s: %w of %d bytes", q.want, m.url, ErrTooBig, maxPack), "take big files out of the repository, or raise the server's limit for fetches")
		}
		return m.explain(err)
	}
	return nil
}

func demux(caps *capability.List, r io.Reader) io.Reader {
	switch {
	case caps.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case caps.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}

// capped fails, rather than ends, when more than left bytes come.
type capped struct {
	r    io.Reader
	left int64
}

// Read passes on at most what is left.
func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, ErrTooBig
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

// ensureLocked makes sure the commit and its whole tree are in the mirror. A remote that
// does not give out commits by id is asked for the branch the commit was seen on.
func (m *mirror) ensureLocked(ctx context.Context, cfg Config, ref string, c release.Commit) error {
	if !c.Valid() {
		return fmt.Errorf("%w: %q is not a full commit id", ErrNoCommit, c)
	}
	if m.hasLocked(c) {
		return nil
	}
	want := plumbing.NewHash(string(c))
	err := m.fetchLocked(ctx, request{want: want, depth: 1}, cfg.MaxPack)
	if err == nil && m.hasLocked(c) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNoCommit) {
		return err
	}
	adv, lerr := m.list(ctx)
	if lerr != nil {
		return lerr
	}
	if head, ok := adv.find(ref); ok && ref != "" {
		if err := m.fetchLocked(ctx, request{want: head}, cfg.MaxPack); err != nil {
			return err
		}
	}
	if m.hasLocked(c) {
		return nil
	}
	return hint.Add(fmt.Errorf("%w: %s has no commit %s", ErrNoCommit, m.url, c.Short()), "was the branch force-pushed? push again")
}

func hideURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
}
