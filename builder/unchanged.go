package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

const (
	askBase    = 3 * time.Second // for a base image's registry to say what a tag is now
	maxRefused = 3               // told one by one of what is wrong with an artifact
)

// Tree gives git's id of a folder in a release's commit, "" when it has none there. The id
// stands for all that is in the folder, so that nobody has to walk its files.
type Tree func(ctx context.Context, r release.Release, path string) (string, error)

// Verify looks whether a release's artifact is in the registry with everything that has
// to be attached to it, and holds that to the keys and to the release. What is missing or
// wrong comes back in words; an error means that it could not ask.
type Verify func(ctx context.Context, r release.Release) (wrong []string, err error)

// inputsOf is everything the outcome of a plan depends on, but for the base images: what
// those are only BuildKit knows, so a build's record keeps them. The commit is a part of
// its own, because the provenance names it: another commit with the same files is built
// again, which BuildKit's cache makes short.
func (b *Builder) inputsOf(ctx context.Context, r release.Release, p Plan) (inputs.Set, error) {
	tree, err := b.p.Tree(ctx, r, p.Context)
	if err != nil {
		return nil, fmt.Errorf("ask for the tree of %s: %w", p.Context, err)
	}
	var s inputs.Set
	add := func(name, value string) {
		if value != "" {
			s = append(s, inputs.Part{Name: name, Value: value})
		}
	}
	add("the tree of "+strings.TrimSuffix(p.Context, "/")+"/", tree)
	add("the context", p.Context)
	add("the Dockerfile's name", p.Dockerfile)
	add("the target", p.Target)
	for _, name := range slices.Sorted(maps.Keys(p.Args)) {
		if value := p.Args[name]; value != string(p.Commit) && value != p.Commit.Short() {
			add("argument "+name, value) // the commit is told once
		}
	}
	for _, c := range p.Checks {
		add("check "+c.Name, told(c))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Contexts)) {
		add("context "+name, p.Contexts[name])
		if pinnedImage.MatchString(p.Contexts[name]) {
			continue
		}
		tree, err := b.p.Tree(ctx, r, p.Contexts[name])
		if err != nil {
			return nil, fmt.Errorf("ask for the tree of %s: %w", p.Contexts[name], err)
		}
		add("the tree of context "+name, tree)
	}
	s = append(s, p.mounts.Parts(b.key)...)
	add("the platforms", strings.Join(p.Platforms, ", "))
	add("what else is planned", p.rest())
	add("the builder", b.cfg.ID+" "+b.cfg.Version)
	add("BuildKit's compatibility version", fmt.Sprint(compatibility))
	add("the allowed frontends", strings.Join(b.cfg.Frontends, ", "))
	add("the policies", b.p.Policies())
	add("the repository of the image", b.repository(r))
	add("the source", p.Repository)
	add(".seatrial.yaml", string(p.Pipeline))
	add("the commit", string(p.Commit))
	return s, nil
}

// rest is a digest of what a plan holds beside the parts that are told by name. The
// branch is left out: it changes nothing in the image.
func (p Plan) rest() string {
	p.Service, p.Repository, p.Ref, p.Commit, p.Pipeline = "", "", "", "", ""
	p.Context, p.Dockerfile, p.Target, p.Args, p.Platforms, p.Checks, p.Secrets, p.Contexts = "", "", "", nil, nil, nil, nil, nil
	raw, err := json.Marshal(p)
	if err != nil { // plain strings always encode
		return ""
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// unchanged answers a build with an earlier one of the same inputs, when its artifact is
// proved: whole in the registry, with all that is attached to it, verified for this
// release, and on base images that are still the same. Else it says why it has to be
// built; that is never empty without an error.
func (b *Builder) unchanged(ctx context.Context, key string, r release.Release, now inputs.Set) (rec record, why string, err error) {
	if r.Pull != nil {
		return record{}, fmt.Sprintf("built for pull request %d, neither pushed nor signed", r.Pull.Number), nil
	}
	if !b.cfg.keeps(r) {
		return record{}, "built to see that it can be: the image is kept nowhere", nil
	}
	old, err := b.pointed(b.sameFile(now.Digest()))
	if errors.Is(err, fs.ErrNotExist) || err == nil && (old.Repository != b.repository(r) || old.Inputs.Digest() != now.Digest()) {
		return record{}, b.changed(r, now), nil
	}
	if err != nil {
		return record{}, "", err
	}
	if len(old.Loose) > 0 {
		return record{}, "rebuilt because it reads from the network what nothing pins: " + strings.Join(old.Loose, "; "), nil
	}
	ctx = oci.Once(ctx)
	top, wrong, err := b.prove(ctx, old, r)
	if err != nil {
		return record{}, "", fmt.Errorf("prove build %s: %w", buildID(old.made()), err)
	}
	if len(wrong) > 0 {
		return record{}, "rebuilt because " + strings.Join(wrong, "; "), nil
	}
	rec = old
	rec.Key, rec.Release, rec.Tag, rec.Made = key, r.ID, tag(r.Commit, key), old.made()
	rec.Why = "unchanged: proved against build " + buildID(rec.Made)
	return rec, rec.Why, b.adopt(ctx, rec, top)
}

// prove asks everything at the same time: what takes the time is waiting for answers.
func (b *Builder) prove(ctx context.Context, old record, r release.Release) (top oci.Manifest, wrong []string, err error) {
	a := old.artifact()
	r.Artifact = &a
	var gone, refused, moved []string
	g, within := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		top, err = b.p.Registry.Whole(within, oci.Ref{Repository: a.Repository, Digest: a.Digest})
		if errors.Is(err, oci.ErrNotFound) || errors.Is(err, oci.ErrMalformed) || errors.Is(err, oci.ErrTooLarge) {
			gone, err = []string{fmt.Sprintf("the registry no longer holds all of build %s: %v", buildID(old.made()), err)}, nil
		}
		return err
	})
	g.Go(func() (err error) {
		refused, err = b.p.Verify(within, r)
		if n := len(refused); n > maxRefused {
			refused = append(refused[:maxRefused:maxRefused], fmt.Sprintf("and %d more", n-maxRefused))
		}
		if len(refused) > 0 {
			refused = []string{fmt.Sprintf("build %s is not proved: %s", buildID(old.made()), strings.Join(refused, "; "))}
		}
		return err
	})
	g.Go(func() error { moved = b.moved(within, slices.Concat(old.Bases, old.CheckBases)); return nil })
	err = g.Wait()
	return top, slices.Concat(moved, gone, refused), err
}

// moved says which base images are, or may be, others than those a build started from.
func (b *Builder) moved(ctx context.Context, bases []base) []string {
	slices.SortFunc(bases, func(a, b base) int { return strings.Compare(a.Name, b.Name) })
	bases = slices.Compact(bases)
	out := make([]string, len(bases))
	var all sync.WaitGroup
	for i, base := range bases {
		if base.Pinned {
			continue
		}
		all.Go(func() {
			now, err := b.resolveBase(ctx, base.Name)
			switch {
			case err != nil:
				out[i] = fmt.Sprintf("base %s cannot be asked for: %v", base.Name, err)
			case now != base.Digest:
				out[i] = inputs.Change{Name: "base " + base.Name, Before: string(base.Digest), After: string(now)}.String()
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(out, func(text string) bool { return text == "" })
}

// resolveBase asks where buildkitd would: at the mirror of the base's registry.
func (b *Builder) resolveBase(ctx context.Context, name string) (release.Digest, error) {
	host, path, _ := strings.Cut(name, "/")
	if mirror := b.cfg.Mirrors[host]; mirror != "" {
		name = mirror + "/" + path
	}
	ref, err := oci.ParseRef(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, askBase)
	defer cancel()
	return b.p.Registry.Resolve(ctx, ref)
}

// changed compares with the last build of the same service.
func (b *Builder) changed(r release.Release, now inputs.Set) string {
	last, err := b.pointed(b.lastFile(r.Service))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(last.Inputs) == 0:
		return fmt.Sprintf("built because no earlier build of %s is on record", r.Service)
	case err != nil:
		return fmt.Sprintf("rebuilt because the record of the last build cannot be read: %v", err)
	}
	changes := inputs.Compare(last.Inputs, now)
	if len(changes) == 0 {
		return fmt.Sprintf("rebuilt because the record of build %s is not the one its inputs lead to", buildID(last.made()))
	}
	return fmt.Sprintf("rebuilt because, since build %s, %s", buildID(last.made()), inputs.Words(changes))
}

// adopt gives a proved artifact the tag of this build, and keeps the record and the log.
func (b *Builder) adopt(ctx context.Context, rec record, top oci.Manifest) error {
	log, err := b.p.Logs.Start(rec.Release, logs.NewMasker(b.p.Secrets()...))
	if err != nil {
		return err
	}
	var g errgroup.Group
	ref := oci.Ref{Repository: rec.Repository, Tag: rec.Tag}
	g.Go(func() error { return b.p.Registry.Tag(ctx, ref, top) })
	g.Go(func() error { return b.p.Registry.TagPlatforms(ctx, ref, rec.Platforms) })
	g.Go(func() error { return b.remember(rec) })
	g.Go(func() error {
		if err := log.Close(fmt.Sprintf("%s: %s@%s", rec.Why, rec.Repository, rec.Digest)); err != nil {
			b.p.Log.Warn("build log", "release", rec.Release, "error", err) // the proof itself stands
		}
		return nil
	})
	return g.Wait()
}
