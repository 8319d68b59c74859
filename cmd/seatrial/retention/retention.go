// Package retention deletes old images from the registry, and never one that an
// environment runs or could return to.
//
// Start at Plan, which decides; Sweeper acts on it. Only images that the store knows, of
// releases that have ended, are ever deleted: not a tag of anybody else's, and nothing at
// all while it cannot be told what an environment runs.
package retention

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// Rule says what is kept beyond what is needed. Its zero value keeps everything.
type Rule struct {
	Keep      int              `json:"keep"`                // the newest images of every service
	OlderThan release.Duration `json:"olderThan,omitempty"` // only of releases that have rested for so long
	Every     release.Duration `json:"every,omitempty"`     // default 1h
	DryRun    bool             `json:"dryRun,omitempty"`    // say what would be deleted, in the log
}

// On reports whether anything is ever deleted.
func (r Rule) On() bool { return r.Keep > 0 }

// Validate reports the first setting that cannot be meant.
func (r Rule) Validate() error {
	if r != (Rule{}) && r.Keep < 1 {
		return errors.New("keep: want at least 1: how many of the newest images of a service are kept")
	}
	return nil
}

// State is what is known when a decision is made.
type State struct {
	Releases []release.Release // all of the service
	Slots    []release.Slot    // of all services: one's manifests may name another's image
	Named    []release.Digest  // in manifests that are live, being deployed, or kept to return to
	Now      time.Time
}

// Image is one that may go.
type Image struct {
	Repository string
	Digest     release.Digest
	Tags       []string // that its builds gave it
	Parts      []string // tags that they gave its platforms
	Releases   []release.ID
	Rested     time.Time // since when nothing has happened to any of them

	of []release.Release
}

// Plan decides which images of a service are not needed, those that have rested longest
// first.
func Plan(rule Rule, s State) []Image {
	if !rule.On() {
		return nil
	}
	needed, commits := s.needed(), s.busy()
	for _, d := range s.newest(rule.Keep) {
		needed[d] = true
	}
	var out []Image
	for _, img := range s.images() {
		spared := needed[img.Digest] || s.Now.Sub(img.Rested) < rule.OlderThan.Std()
		for _, r := range img.of {
			spared = spared || !r.Phase.Final() || commits[r.Commit] || r.Artifact.Repository != img.Repository || !ourTag.MatchString(r.Artifact.Tag)
			for _, p := range r.Artifact.Platforms {
				spared = spared || needed[p.Digest]
			}
		}
		if !spared {
			out = append(out, img)
		}
	}
	slices.SortFunc(out, func(a, b Image) int { return cmp.Or(a.Rested.Compare(b.Rested), cmp.Compare(a.Digest, b.Digest)) })
	return out
}

// needed are the digests that an environment runs or could return to, and those of
// releases that have somewhere to go.
func (s State) needed() map[release.Digest]bool {
	out := map[release.Digest]bool{}
	add := func(p *release.Placed) {
		if p != nil {
			out[digestOf(p.Image)] = true
		}
	}
	for _, slot := range s.Slots {
		add(slot.Current)
		for _, p := range slot.Verified { // a person may roll back one after the other
			add(&p)
		}
	}
	for _, d := range s.Named {
		out[d] = true
	}
	for _, r := range s.Releases {
		if r.Artifact != nil && (!r.Phase.Final() || live(r)) {
			out[r.Artifact.Digest] = true
		}
		for _, stage := range r.Stages {
			if !r.Phase.Final() || live(r) {
				add(stage.Previous)
			}
		}
	}
	delete(out, "")
	return out
}

// live reports whether something of a release may still run although no slot says so: it
// was refused, and nothing has returned what it changed.
func live(r release.Release) bool {
	return slices.ContainsFunc(r.Stages, func(s release.Stage) bool {
		return s.Live && s.Returned.IsZero() && (s.Verified.IsZero() || r.Phase == release.Held)
	})
}

// busy are the commits of releases that have somewhere to go: what is built of one may be
// pushed, or taken over from an earlier build, at any moment.
func (s State) busy() map[release.Commit]bool {
	out := map[release.Commit]bool{}
	for _, r := range s.Releases {
		if !r.Phase.Final() {
			out[r.Commit] = true
		}
	}
	return out
}

// newest are the digests of the newest n images.
func (s State) newest(n int) []release.Digest {
	all := slices.Clone(s.Releases)
	slices.SortStableFunc(all, func(a, b release.Release) int { return b.Created.Compare(a.Created) })
	var out []release.Digest
	for _, r := range all {
		if r.Artifact != nil && !slices.Contains(out, r.Artifact.Digest) && len(out) < n {
			out = append(out, r.Artifact.Digest)
		}
	}
	return out
}

// images are those of all releases, each once.
func (s State) images() []Image {
	at := map[release.Digest]int{}
	var out []Image
	for _, r := range s.Releases {
		a := r.Artifact
		if a == nil {
			continue
		}
		i, known := at[a.Digest]
		if !known {
			i, at[a.Digest] = len(out), len(out)
			out = append(out, Image{Repository: a.Repository, Digest: a.Digest})
		}
		img := &out[i]
		img.Tags, img.Releases, img.of = append(img.Tags, a.Tag), append(img.Releases, r.ID), append(img.of, r)
		for _, p := range a.Platforms {
			img.Parts = append(img.Parts, oci.PlatformTag(a.Tag, p.Name))
		}
		for _, at := range []time.Time{r.Created, r.Updated} {
			if at.After(img.Rested) {
				img.Rested = at
			}
		}
	}
	return out
}

// digestOf is the digest of "repository@digest".
func digestOf(image string) release.Digest {
	_, d, _ := strings.Cut(image, "@")
	return release.Digest(d)
}

// ourTag is how a build tags what it pushes: the commit and the build's id.
var ourTag = regexp.MustCompile(`^[0-9a-f]{40}-[0-9a-f]{8}$`)

var anyDigest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// DigestsIn are all digests that stand in manifests, wherever they stand.
func DigestsIn(manifests []byte) []release.Digest {
	var out []release.Digest
	for _, d := range anyDigest.FindAll(manifests, -1) {
		out = append(out, release.Digest(d))
	}
	return out
}
