package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Trailer is one line at the end of a commit's message: "Image: reg/web@sha256:…".
type Trailer struct{ Key, Value string }

// KeyTrailer carries the idempotency key of a commit.
const KeyTrailer = "Seatrial-Key"

const (
	keyDepth   = 500           // commits that are searched for a key
	maxKeys    = 20 * keyDepth // that are remembered of a branch; then it is searched anew
	pushTries  = 8
	retryPause = 40 * time.Millisecond
)

// errRace: the branch moved between reading and pushing.
var errRace = errors.New("somebody was faster")

// Change is one commit to make on a branch. Everything below Folder is replaced by Files;
// what is outside it stays.
type Change struct {
	URL      string
	Branch   string // "env/prod"; made, without history, when the remote does not have it
	Folder   string
	Files    map[string][]byte // by path relative to Folder; none: the folder goes
	Subject  string
	Body     string
	Trailers []Trailer
	Key      string // a commit of the branch that carries it already is the answer
	Author   string // default: we
	Email    string
}

// Made is a commit that a Change led to.
type Made struct {
	Commit release.Commit
	Found  bool // it was there already, by its key
}

func (c Change) check() error {
	if c.Branch == "" || strings.HasPrefix(c.Branch, "refs/") {
		return fmt.Errorf("commit to branch %q of %s: not a branch's name", c.Branch, c.URL)
	}
	for _, p := range append([]string{c.Folder}, mapKeys(c.Files)...) {
		if p == "" || p != path.Clean(p) || slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return !SafeName(s) }) {
			return fmt.Errorf("commit to %s of %s: %q is not a path inside", c.Branch, c.URL, p)
		}
	}
	for _, t := range append([]Trailer{{KeyTrailer, c.Key}}, c.Trailers...) {
		if strings.ContainsAny(t.Key+t.Value, "\r\n") {
			return fmt.Errorf("commit to %s of %s: trailer %s has more than one line", c.Branch, c.URL, t.Key)
		}
	}
	return nil
}

func mapKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c Change) message() string {
	var b strings.Builder
	fmt.Fprintln(&b, c.Subject)
	if c.Body != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(c.Body))
	}
	trailers := c.Trailers
	if c.Key != "" {
		trailers = append(slices.Clone(trailers), Trailer{KeyTrailer, c.Key})
	}
	for i, t := range trailers {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", t.Key, t.Value)
	}
	return b.String()
}

// Commit makes the change on top of the branch's head and pushes it, fast-forward only.
// When somebody else was faster it reads again and tries again, up to eight times.
func (r *Repos) Commit(ctx context.Context, c Change) (Made, error) {
	if err := c.check(); err != nil {
		return Made{}, err
	}
	m, err := r.mirror(c.URL)
	if err != nil {
		return Made{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if err := m.lock(ctx, r.cfg.MaxPacks); err != nil {
		return Made{}, err
	}
	defer m.unlock()
	for try := range pushTries {
		made, err := r.commitLocked(ctx, m, c)
		if !errors.Is(err, errRace) {
			return made, err
		}
		select {
		case <-ctx.Done():
			return Made{}, m.explain(ctx.Err())
		case <-time.After(retryPause<<min(try, 4) + rand.N(retryPause)):
		}
	}
	return Made{}, hint.Add(fmt.Errorf("commit to %s of %s: %w", c.Branch, m.url, ErrMoved), "it is tried again; look for a job that pushes to the branch all the time")
}

// commitLocked tries once: read the head, look for the key, build, push.
func (r *Repos) commitLocked(ctx context.Context, m *mirror, c Change) (Made, error) {
	s, err := m.client.NewReceivePackSession(m.ep, m.auth)
	if err != nil {
		return Made{}, m.explain(err)
	}
	defer s.Close()
	refs, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return Made{}, m.explain(err)
	}
	adv := advertsOf(refs)
	ref := plumbing.NewBranchReferenceName(c.Branch)
	head := adv.refs[ref.String()]
	var base *object.Commit
	if !head.IsZero() {
		if err := m.branchLocked(ctx, r.cfg, c.Branch, head); err != nil {
			return Made{}, err
		}
		if found, err := m.findKeyLocked(c.Branch, head, c.Key, r.keyOf); found != "" || err != nil {
			return Made{Commit: found, Found: true}, err
		}
		if base, err = m.commitLocked(release.Commit(head.String())); err != nil {
			return Made{}, err
		}
	}
	objects := memory.NewStorage()
	made, err := r.build(ctx, m, objects, base, c)
	if err != nil {
		return Made{}, fmt.Errorf("commit to %s of %s: %w", c.Branch, m.url, err)
	}
	pack, err := packOf(objects)
	if err != nil {
		return Made{}, fmt.Errorf("commit to %s of %s: %w", c.Branch, m.url, err)
	}
	req := packp.NewReferenceUpdateRequestFromCapabilities(adv.caps)
	req.Commands = []*packp.Command{{Name: ref, Old: head, New: made}}
	req.Packfile = io.NopCloser(pack)
	report, err := s.ReceivePack(ctx, req)
	if err != nil {
		return Made{}, m.refused(ctx, ref, head, made, report, err)
	}
	return Made{Commit: release.Commit(made.String())}, m.keepLocked(objects, c.Branch, made)
}

// refused tells a lost race from a refusal, and a push whose answer was lost from one
// that never arrived.
func (m *mirror) refused(ctx context.Context, ref plumbing.ReferenceName, head, made plumbing.Hash, report *packp.ReportStatus, err error) error {
	adv, lerr := m.list(ctx)
	if lerr != nil {
		return m.explain(err)
	}
	now := adv.refs[ref.String()]
	if now != head || now == made {
		return errRace // the next try finds the key, or builds on the new head
	}
	if report != nil {
		return hint.Add(fmt.Errorf("%s refuses the push to %s: %w", m.url, ref.Short(), shorten(err)), "let the server's user push to the branch")
	}
	return m.explain(err)
}

// keepLocked puts what was pushed into the mirror, so that it need not be fetched.
func (m *mirror) keepLocked(objects *memory.Storage, branch string, head plumbing.Hash) error {
	for _, o := range objects.Objects {
		if _, err := m.store.SetEncodedObject(o); err != nil {
			return fmt.Errorf("keep a commit in the mirror of %s: %w", m.url, err)
		}
	}
	return m.store.SetReference(plumbing.NewHashReference(plumbing.ReferenceName("refs/seatrial/"+branch), head))
}

func packOf(objects *memory.Storage) (io.Reader, error) {
	hashes := make([]plumbing.Hash, 0, len(objects.Objects))
	for h := range objects.Objects {
		hashes = append(hashes, h)
	}
	var buf bytes.Buffer
	if _, err := packfile.NewEncoder(&buf, objects, false).Encode(hashes, 0); err != nil {
		return nil, err
	}
	return &buf, nil
}

// build makes the commit and its new objects; base is nil for a branch without history.
func (r *Repos) build(ctx context.Context, m *mirror, objects *memory.Storage, base *object.Commit, c Change) (plumbing.Hash, error) {
	root := &object.Tree{}
	var parents []plumbing.Hash
	if base != nil {
		var err error
		if root, err = base.Tree(); err != nil {
			return plumbing.ZeroHash, err
		}
		parents = []plumbing.Hash{base.Hash}
	}
	folder, err := writeFolder(objects, c.Files)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	tree, err := graft(m, objects, root, strings.Split(c.Folder, "/"), folder)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if tree.IsZero() {
		if tree, err = put(objects, &object.Tree{}); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	now := r.cfg.Now()
	us := object.Signature{Name: r.cfg.Name, Email: r.cfg.Email, When: now}
	author := us
	if c.Author != "" {
		author = object.Signature{Name: c.Author, Email: c.Email, When: now}
	}
	commit := &object.Commit{Author: author, Committer: us, Message: c.message(), TreeHash: tree, ParentHashes: parents}
	if r.cfg.Sign != nil {
		if err := sign(ctx, r.cfg.Sign, commit); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	return put(objects, commit)
}

func sign(ctx context.Context, sign Sign, c *object.Commit) error {
	payload, err := unsigned(c)
	if err != nil {
		return err
	}
	if c.PGPSignature, err = sign(ctx, payload); err != nil {
		return fmt.Errorf("sign the commit: %w", err)
	}
	return nil
}

// unsigned is what a commit's signature is made of.
func unsigned(c *object.Commit) ([]byte, error) {
	plain := &plumbing.MemoryObject{}
	if err := c.EncodeWithoutSignature(plain); err != nil {
		return nil, err
	}
	rd, err := plain.Reader()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(rd)
}

// keyOf is the key of the change that a commit of ours is, or "". Anybody can write the
// trailer; nobody else can sign.
func (r *Repos) keyOf(c *object.Commit) string {
	key := infoOf(c).Trailer(KeyTrailer)
	if key == "" || r.cfg.Signed == nil {
		return key
	}
	payload, err := unsigned(c)
	if err != nil || !r.cfg.Signed(payload, c.PGPSignature) {
		return ""
	}
	return key
}

// findKeyLocked looks for a commit of ours by its key among the branch's newest ones.
func (m *mirror) findKeyLocked(branch string, head plumbing.Hash, key string, keyOf func(*object.Commit) string) (release.Commit, error) {
	idx := m.keys[branch]
	if idx == nil || idx.head != head {
		next := &keyIndex{head: head, keys: map[string]release.Commit{}}
		for at, n := head, 0; !at.IsZero() && n < keyDepth; n++ {
			if idx != nil && at == idx.head && len(idx.keys) < maxKeys {
				maps.Copy(idx.keys, next.keys)
				next.keys = idx.keys // not copied: there may be thousands, and each commit comes by here
				break
			}
			c, err := m.commitLocked(release.Commit(at.String()))
			if err != nil {
				return "", err
			}
			if k := keyOf(c); k != "" {
				next.keys[k] = release.Commit(at.String())
			}
			at = plumbing.ZeroHash
			if len(c.ParentHashes) > 0 {
				at = c.ParentHashes[0]
			}
		}
		m.keys[branch], idx = next, next
	}
	if key == "" {
		return "", nil
	}
	return idx.keys[key], nil
}

// keyIndex remembers the keys of a branch up to a head.
type keyIndex struct {
	head plumbing.Hash
	keys map[string]release.Commit
}
