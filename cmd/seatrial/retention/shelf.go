package retention

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

const atOnce = 8 // requests

// shelf is one repository of the registry as it is now.
type shelf struct {
	registry   *oci.Registry
	repository string
	tags       map[string]release.Digest
	named      map[release.Digest][]string // by what: the other way round
	used       map[release.Digest]bool     // parts of what stays
}

// look reads every tag of a repository.
func look(ctx context.Context, r *oci.Registry, repository string) (*shelf, error) {
	list, err := r.Tags(ctx, repository)
	if err != nil {
		return nil, err
	}
	s := &shelf{registry: r, repository: repository, tags: map[string]release.Digest{}, named: map[release.Digest][]string{}, used: map[release.Digest]bool{}}
	var mu sync.Mutex // guards s.tags and s.named
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, tag := range list {
		g.Go(func() error {
			d, err := r.Resolve(gctx, oci.Ref{Repository: repository, Tag: tag})
			if errors.Is(err, oci.ErrNotFound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			s.tags[tag], s.named[d] = d, append(s.named[d], tag)
			return err
		})
	}
	return s, g.Wait()
}

// has reports whether an image is still there under a tag of its own.
func (s *shelf) has(img Image) bool {
	return slices.ContainsFunc(img.Tags, func(tag string) bool { return s.tags[tag] == img.Digest })
}

// going is an image that is deleted, and those of its parts that go with it.
type going struct {
	image Image
	parts []release.Digest
}

// choose leaves out the images that somebody else has given a tag, and the parts that
// something that stays is made of.
func (s *shelf) choose(ctx context.Context, images []Image) ([]going, error) {
	var out []going
	leaving, tags := map[release.Digest]bool{}, map[string]bool{}
	for _, img := range images {
		if !only(s.named[img.Digest], img.Tags...) {
			continue
		}
		parts, err := s.registry.Children(ctx, oci.Ref{Repository: s.repository, Digest: img.Digest})
		if errors.Is(err, oci.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, going{img, parts})
		leaving[img.Digest] = true
		for _, tag := range img.Parts {
			tags[tag] = true
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := s.stay(ctx, leaving); err != nil {
		return nil, err
	}
	others := func(tag string) bool { return !tags[tag] }
	for i, g := range out {
		out[i].parts = slices.DeleteFunc(g.parts, func(d release.Digest) bool { return s.used[d] || slices.ContainsFunc(s.named[d], others) })
	}
	// An image that another one is made of stays as well.
	return slices.DeleteFunc(out, func(g going) bool { return s.used[g.image.Digest] }), nil
}

// only reports whether all tags are among some: nobody else has given one.
func only(tags []string, among ...string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(among, tag) })
}

// stay notes the parts of every tagged manifest that is not leaving. The lists that a
// registry without the referrers API keeps under tags are no such thing: they only say
// what is attached.
func (s *shelf) stay(ctx context.Context, leaving map[release.Digest]bool) error {
	var mu sync.Mutex // guards s.used
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for d, tags := range s.named {
		if leaving[d] || !slices.ContainsFunc(tags, func(tag string) bool { return !strings.HasPrefix(tag, attachedTag) }) {
			continue
		}
		g.Go(func() error {
			parts, err := s.registry.Children(gctx, oci.Ref{Repository: s.repository, Digest: d})
			if errors.Is(err, oci.ErrNotFound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			for _, p := range parts {
				s.used[p] = true
			}
			return err
		})
	}
	return g.Wait()
}

// delete takes an image away from the inside out: as long as its tag is there, a sweep
// that was cut short is taken up again by the next one.
func (s *shelf) delete(ctx context.Context, g going) error {
	for _, d := range append(slices.Clone(g.parts), g.image.Digest) {
		if err := s.detach(ctx, d); err != nil {
			return err
		}
		if err := s.take(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// take deletes one manifest and its tags.
func (s *shelf) take(ctx context.Context, d release.Digest) error {
	if err := s.registry.Delete(ctx, s.repository, d); err != nil {
		return err
	}
	for _, tag := range s.named[d] {
		if err := s.registry.Untag(ctx, s.repository, tag, d); err != nil {
			return err
		}
	}
	return nil
}

// attachedTag is how the tags begin under which something is attached to a digest.
const attachedTag = "sha256-"

// detach deletes what is attached to a digest and belongs to nothing else.
func (s *shelf) detach(ctx context.Context, d release.Digest) error {
	list, err := s.registry.Referrers(ctx, s.repository, d)
	if err != nil && !errors.Is(err, oci.ErrMalformed) {
		return err
	}
	for _, ref := range list {
		if ref.Problem != "" || len(s.named[ref.Digest]) > 0 || s.used[ref.Digest] {
			continue
		}
		if err := s.take(ctx, ref.Digest); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"", ".sig", ".att", ".sbom"} {
		at, ok := s.tags[attachedTag+d.Hex()+suffix]
		if !ok || len(s.named[at]) > 1 || s.used[at] {
			continue
		}
		if err := s.take(ctx, at); err != nil {
			return err
		}
	}
	return nil
}
