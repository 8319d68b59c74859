package retention_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/retention"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

const doc = "application/vnd.example.doc+json"

// yard is a registry, a store, and a sweeper between them that keeps the newest image.
type yard struct {
	server  *ocitest.Server
	reg     *oci.Registry
	book    *store.Book
	fence   retention.Fence
	content func(env release.Env, s release.Service, c release.Commit) ([]byte, error)
	log     bytes.Buffer
}

func newYard(t *testing.T, referrersAPI bool) *yard {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	y := &yard{server: ocitest.New(t, referrersAPI), book: store.NewBook(db)}
	y.reg, err = oci.New(oci.Config{Hosts: []oci.Host{{Name: y.server.Host, PlainHTTP: true}}, Pause: time.Millisecond, Settle: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *yard) sweeper(t *testing.T, rule retention.Rule) *retention.Sweeper {
	t.Helper()
	s, err := retention.New(retention.Config{Rule: rule, Book: y.book, Registry: y.reg, Host: y.server.Host, Fence: &y.fence, Log: slog.New(slog.NewTextHandler(&y.log, nil)),
		Project: func(release.Service) string { return "shop" },
		Content: func(_ context.Context, env release.Env, s release.Service, c release.Commit) ([]byte, error) {
			if y.content == nil {
				return nil, nil
			}
			return y.content(env, s, c)
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// release pushes an image for release n, with something attached to all of it, and saves
// the release as done.
func (y *yard) release(t *testing.T, n int) release.Release {
	t.Helper()
	r := built(n)
	a := y.server.Push(t, "shop/web", r.Artifact.Tag, "linux/amd64", "linux/arm64")
	r.Artifact = &a
	if err := y.reg.TagPlatforms(t.Context(), oci.Ref{Repository: a.Repository, Tag: a.Tag}, a.Platforms); err != nil {
		t.Fatal(err)
	}
	for _, d := range digests(a) {
		y.attach(t, a.Repository, d)
	}
	y.save(t, r)
	return r
}

func (y *yard) attach(t *testing.T, repository string, d release.Digest) {
	t.Helper()
	m, err := y.reg.Get(t.Context(), oci.Ref{Repository: repository, Digest: d})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := y.reg.Attach(t.Context(), repository, oci.Attachment{Subject: m, Type: doc, Content: []byte("about " + d)}); err != nil {
		t.Fatal(err)
	}
	if err := y.reg.AddDocument(t.Context(), oci.Ref{Repository: repository, Tag: "sha256-" + d.Hex() + ".sig"}, doc, []byte("of "+d), nil); err != nil {
		t.Fatal(err)
	}
}

func (y *yard) save(t *testing.T, r release.Release, slots ...release.Slot) {
	t.Helper()
	if _, err := y.book.Save(t.Context(), release.Change{Release: r, Slots: slots}); err != nil {
		t.Fatal(err)
	}
}

func digests(a release.Artifact) []release.Digest {
	out := []release.Digest{a.Digest}
	for _, p := range a.Platforms {
		out = append(out, p.Digest)
	}
	return out
}

// whole asks for an image and all that was attached to it.
func (y *yard) whole(t *testing.T, a release.Artifact) bool {
	t.Helper()
	if _, err := y.reg.Whole(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest}); err != nil {
		return false
	}
	for _, d := range digests(a) {
		list, err := y.reg.Referrers(t.Context(), a.Repository, d)
		_, docs, e := y.reg.Documents(t.Context(), oci.Ref{Repository: a.Repository, Tag: "sha256-" + d.Hex() + ".sig"})
		if err != nil || e != nil || len(list) != 1 || len(docs) != 1 {
			return false
		}
	}
	return true
}

// left are the manifests that are still there of an image and what was attached to it.
func (y *yard) left(t *testing.T, a release.Artifact) (out []string) {
	t.Helper()
	for _, d := range digests(a) {
		if _, err := y.reg.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: d}); !errors.Is(err, oci.ErrNotFound) {
			out = append(out, string(d))
		}
		if list, err := y.reg.Referrers(t.Context(), a.Repository, d); err != nil || len(list) > 0 {
			out = append(out, fmt.Sprintf("%d attached to %s, %v", len(list), d, err))
		}
	}
	tags, err := y.reg.Tags(t.Context(), a.Repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		if strings.HasPrefix(tag, a.Tag) || slices.ContainsFunc(digests(a), func(d release.Digest) bool { return strings.Contains(tag, d.Hex()) }) {
			out = append(out, tag)
		}
	}
	return out
}

func TestAnOldImageGoesWithAllThatIsAttachedAndEveryOtherStaysWhole(t *testing.T) {
	for _, c := range []struct{ api, keepsTags bool }{{true, false}, {false, false}, {true, true}} {
		t.Run(fmt.Sprintf("referrers API %t, keeps tags %t", c.api, c.keepsTags), func(t *testing.T) {
			y := newYard(t, c.api)
			y.server.KeepTags(c.keepsTags)
			newest, live, verified, old := y.release(t, 1), y.release(t, 2), y.release(t, 3), y.release(t, 4)
			foreign := y.server.Push(t, "shop/web", "v1.0", "linux/amd64")
			at := func(r release.Release) release.Placed {
				return release.Placed{Release: r.ID, Commit: r.Commit, Image: r.Artifact.Reference()}
			}
			current := at(live)
			last := built(9)
			last.Artifact = nil
			y.save(t, last, release.Slot{Service: "shop/web", Env: "prod", Current: &current, Verified: []release.Placed{current, at(verified)}})
			s := y.sweeper(t, retention.Rule{Keep: 1})
			for range 2 { // the second time there is nothing left to do
				if err := s.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for name, r := range map[string]release.Release{"the newest": newest, "what is live": live, "what was verified": verified} {
				if !y.whole(t, *r.Artifact) {
					t.Errorf("%s is not whole: %v", name, y.left(t, *r.Artifact))
				}
			}
			if left := y.left(t, *old.Artifact); len(left) > 0 {
				t.Errorf("of the old image is left %v", left)
			}
			if _, err := y.reg.Whole(t.Context(), oci.Ref{Repository: foreign.Repository, Tag: "v1.0"}); err != nil {
				t.Errorf("an image that the store does not know: %v", err)
			}
			if n := strings.Count(y.log.String(), "retention deleted"); n != 1 {
				t.Errorf("%d deletes are told of:\n%s", n, y.log.String())
			}
		})
	}
}

// with puts an index of one platform of another image under a tag.
func (y *yard) with(t *testing.T, a release.Artifact, p release.Platform, tag string) release.Artifact {
	t.Helper()
	m, err := y.reg.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: p.Digest})
	if err != nil {
		t.Fatal(err)
	}
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":"amd64"}}]}`, m.MediaType, m.Digest, m.Size)
	index := oci.Manifest{MediaType: "application/vnd.oci.image.index.v1+json", Digest: release.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(raw))), Raw: raw}
	if err := y.reg.Tag(t.Context(), oci.Ref{Repository: a.Repository, Tag: tag}, index); err != nil {
		t.Fatal(err)
	}
	return release.Artifact{Repository: a.Repository, Tag: tag, Digest: index.Digest, Platforms: []release.Platform{p}}
}

func TestWhatIsSharedStays(t *testing.T) {
	y := newYard(t, true)
	y.release(t, 1)
	old := y.release(t, 4)
	shared, own := old.Artifact.Platforms[0], old.Artifact.Platforms[1]
	other := y.with(t, *old.Artifact, shared, "someone-elses")
	if err := y.sweeper(t, retention.Rule{Keep: 1}).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := y.reg.Whole(t.Context(), oci.Ref{Repository: other.Repository, Tag: other.Tag}); err != nil {
		t.Errorf("an image lost a platform that it shares: %v", err)
	}
	if list, err := y.reg.Referrers(t.Context(), other.Repository, shared.Digest); err != nil || len(list) != 1 {
		t.Errorf("a platform that stays lost what is attached to it: %v %v", list, err)
	}
	for _, d := range []release.Digest{old.Artifact.Digest, own.Digest} {
		if _, err := y.reg.Get(t.Context(), oci.Ref{Repository: other.Repository, Digest: d}); !errors.Is(err, oci.ErrNotFound) {
			t.Errorf("%s is still there: %v", d, err)
		}
	}
}

func TestNothingIsDeleted(t *testing.T) {
	for _, c := range []struct {
		name   string
		rule   retention.Rule
		change func(t *testing.T, y *yard, old release.Release)
		err    string
		log    string
	}{
		{name: "when somebody else has tagged it", rule: retention.Rule{Keep: 1}, change: func(t *testing.T, y *yard, old release.Release) {
			y.server.Tag(t, old.Artifact.Repository, "golden", old.Artifact.Digest)
		}},
		{name: "when it cannot be told what an environment runs", rule: retention.Rule{Keep: 1}, change: func(t *testing.T, y *yard, _ release.Release) {
			y.save(t, built(9), release.Slot{Service: "pay/api", Env: "gone"})
			y.content = func(release.Env, release.Service, release.Commit) ([]byte, error) {
				return nil, errors.New("no such environment")
			}
		}, err: "nothing is deleted while it cannot be told what an environment runs: no such environment"},
		{name: "when a cluster that could not be reached is on a revision that names it", rule: retention.Rule{Keep: 1}, change: func(t *testing.T, y *yard, old release.Release) {
			y.save(t, built(9), release.Slot{Service: "pay/api", Env: "prod", Targets: map[string]release.Commit{"far": commit(77)}})
			y.content = func(_ release.Env, _ release.Service, c release.Commit) ([]byte, error) {
				if c != commit(77) {
					return nil, nil
				}
				return []byte("image: " + old.Artifact.Reference()), nil
			}
		}},
		{name: "while an image of the service is built", rule: retention.Rule{Keep: 1}, change: func(t *testing.T, y *yard, _ release.Release) {
			started, end := make(chan struct{}), make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _, _ = y.fence.Building(func(context.Context, string, release.Release) (release.Facts, release.Verdict, error) {
					close(started)
					<-end
					return release.Facts{}, release.Pass(), nil
				})(t.Context(), "key", built(1))
			}()
			<-started
			t.Cleanup(func() { close(end); <-done })
		}},
		{name: "when it is only asked what would be", rule: retention.Rule{Keep: 1, DryRun: true}, log: "retention would delete"},
		{name: "when the rule is off", rule: retention.Rule{}},
		{name: "when the registry allows no deletes", rule: retention.Rule{Keep: 1}, change: func(_ *testing.T, y *yard, _ release.Release) { y.server.KeepAll(true) }, err: "does not allow deletes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			y.release(t, 1)
			old := y.release(t, 4)
			if c.change != nil {
				c.change(t, y, old)
			}
			err := y.sweeper(t, c.rule).Sweep(t.Context())
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v", err)
			}
			if !y.whole(t, *old.Artifact) {
				t.Error("it was deleted")
			}
			if !strings.Contains(y.log.String(), c.log) {
				t.Errorf("the log is\n%s", y.log.String())
			}
		})
	}
}

func TestASweepThatWasCutShortIsTakenUpAgain(t *testing.T) {
	y := newYard(t, true)
	y.release(t, 1)
	old := y.release(t, 4)
	s := y.sweeper(t, retention.Rule{Keep: 1})
	deletes := 0
	cut := func(n int) ocitest.Break {
		return func(r *http.Request) int {
			if r.Method != http.MethodDelete {
				return 0
			}
			if deletes++; deletes > n {
				return http.StatusForbidden
			}
			return 0
		}
	}
	for n := range 4 {
		deletes = 0
		y.server.Fail(cut(n))
		if err := s.Sweep(t.Context()); err == nil {
			t.Fatalf("%d deletes were enough", n)
		}
	}
	y.server.Fail(nil)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := y.left(t, *old.Artifact); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestABuildWaitsWhileImagesOfItsServiceAreDeleted(t *testing.T) {
	y := newYard(t, true)
	y.release(t, 1)
	y.release(t, 4)
	asked := false
	build := y.fence.Building(func(context.Context, string, release.Release) (release.Facts, release.Verdict, error) {
		return release.Facts{}, release.Pass(), nil
	})
	y.server.Fail(func(r *http.Request) int {
		if r.Method == http.MethodDelete && !asked {
			asked = true
			if _, v, err := build(t.Context(), "key", built(1)); err != nil || v.Outcome() != release.Waiting {
				t.Errorf("%v, %v", v, err)
			}
			other := built(1)
			other.Service = "pay/api"
			if _, v, err := build(t.Context(), "key", other); err != nil || v.Outcome() != release.Passed {
				t.Errorf("another service: %v, %v", v, err)
			}
		}
		return 0
	})
	if err := y.sweeper(t, retention.Rule{Keep: 1}).Sweep(t.Context()); err != nil || !asked {
		t.Fatal(err, asked)
	}
	if _, v, err := build(t.Context(), "key", built(1)); err != nil || v.Outcome() != release.Passed {
		t.Errorf("afterwards: %v, %v", v, err)
	}
}

// quiet is a book that counts how often it was asked, and a registry never is.
type quiet struct{ asked int }

func (q *quiet) Slots(context.Context) ([]release.Slot, error) {
	q.asked++
	return nil, fmt.Errorf("delete: %w", oci.ErrNoDelete)
}

func (q *quiet) Releases(context.Context, store.Filter) ([]release.Release, string, error) {
	return nil, "", nil
}

func TestARegistryThatAllowsNoDeletesIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := &quiet{}
		s, err := retention.New(retention.Config{Rule: retention.Rule{Keep: 1}, Book: q, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
		defer cancel()
		if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if q.asked != 1 || strings.Count(log.String(), "retention ends until the next start") != 1 {
			t.Errorf("asked %d times in two days:\n%s", q.asked, log.String())
		}
	})
}

// TestWhateverIsNeededIsWholeAfterASweep makes up repositories in which images share
// platforms and tags, and services whose environments run some of them.
func TestWhateverIsNeededIsWholeAfterASweep(t *testing.T) {
	gone := 0
	for seed := range uint64(16) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		y := newYard(t, seed%2 == 0)
		y.server.KeepTags(seed%3 == 0)
		var all []release.Artifact
		for n := range 5 {
			r := built(n + 1)
			a := y.server.Push(t, "shop/web", r.Artifact.Tag, "linux/amd64", "linux/arm64")
			if n > 0 && rnd.IntN(3) == 0 {
				a = y.with(t, a, all[rnd.IntN(n)].Platforms[0], r.Artifact.Tag)
			}
			if err := y.reg.TagPlatforms(t.Context(), oci.Ref{Repository: a.Repository, Tag: a.Tag}, a.Platforms); err != nil {
				t.Fatal(err)
			}
			for _, d := range digests(a) {
				y.attach(t, a.Repository, d)
			}
			r.Artifact = &a
			all = append(all, a)
			y.save(t, r)
		}
		needed := map[int]string{0: "the newest"}
		slot := release.Slot{Service: "shop/web", Env: "prod"}
		for n := range all {
			p := release.Placed{Image: all[n].Reference()}
			switch rnd.IntN(6) {
			case 0:
				slot.Current, needed[n] = &p, "live"
				slot.Verified = append(slot.Verified, p)
			case 1:
				slot.Verified, needed[n] = append(slot.Verified, p), "verified before"
			case 2:
				y.server.Tag(t, all[n].Repository, fmt.Sprintf("kept-by-hand-%d", n), all[n].Digest)
				needed[n] = "tagged by somebody"
			}
		}
		last := built(9)
		last.Artifact = nil
		y.save(t, last, slot)
		if err := y.sweeper(t, retention.Rule{Keep: 1}).Sweep(t.Context()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for n, a := range all {
			_, err := y.reg.Whole(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
			why := needed[n]
			if errors.Is(err, oci.ErrNotFound) {
				gone++
			}
			if why == "" {
				continue
			}
			if err != nil {
				t.Errorf("seed %d: image %d, %s, is not whole: %v", seed, n+1, why, err)
			}
			for _, d := range digests(a) {
				if list, err := y.reg.Referrers(t.Context(), a.Repository, d); err != nil || len(list) == 0 {
					t.Errorf("seed %d: image %d, %s, lost what is attached to %s: %v", seed, n+1, why, d, err)
				}
			}
		}
	}
	if gone < 15 {
		t.Errorf("only %d images went", gone)
	}
}
