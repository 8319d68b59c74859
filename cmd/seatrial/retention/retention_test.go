package retention_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/retention"
	"github.com/seatrial/seatrial/release"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const repository = "registry.example/shop/web"

func digest(n int) release.Digest { return release.Digest(fmt.Sprintf("sha256:%064x", n)) }

func commit(n int) release.Commit { return release.Commit(fmt.Sprintf("%08x%032x", n, n)) }

// built is release n: done, n days old, with an image of one platform of its own.
func built(n int) release.Release {
	at := now.Add(-time.Duration(n) * 24 * time.Hour)
	c := commit(n)
	return release.Release{ID: release.NewID("shop/web", c), Service: "shop/web", Project: "shop", Commit: c, Created: at, Updated: at, Phase: release.Done,
		Artifact: &release.Artifact{Repository: repository, Tag: string(c) + "-00000000", Digest: digest(n), Platforms: []release.Platform{{Name: "linux/amd64", Digest: digest(1000 + n)}}}}
}

func placed(n int) release.Placed {
	return release.Placed{Release: built(n).ID, Commit: commit(n), Image: repository + "@" + string(digest(n))}
}

func TestPlan(t *testing.T) {
	four := retention.Rule{Keep: 1}
	p := placed(4)
	for _, c := range []struct {
		name   string
		rule   retention.Rule
		change func(s *retention.State) // of four releases: the newest is 1, the oldest 4
		want   []int
	}{
		{name: "off, nothing goes", rule: retention.Rule{}, want: nil},
		{name: "the newest are kept", rule: retention.Rule{Keep: 2}, want: []int{4, 3}},
		{name: "only what has rested goes", rule: retention.Rule{Keep: 1, OlderThan: release.Duration(84 * time.Hour)}, want: []int{4}},
		{name: "what is live anywhere is kept", rule: four, change: func(s *retention.State) { s.Slots = []release.Slot{{Env: "dev", Service: "shop/web", Current: &p}} }, want: []int{3, 2}},
		{name: "what was verified and may be returned to is kept", rule: four, change: func(s *retention.State) {
			s.Slots = []release.Slot{{Env: "dev", Service: "shop/web", Verified: []release.Placed{placed(2), placed(4)}}}
		}, want: []int{3}},
		{name: "what another service's manifests name is kept", rule: four, change: func(s *retention.State) { s.Named = []release.Digest{digest(3)} }, want: []int{4, 2}},
		{name: "an image whose platform alone is named is kept", rule: four, change: func(s *retention.State) { s.Named = []release.Digest{digest(1003)} }, want: []int{4, 2}},
		{name: "a release on its way is kept, and what it would return to", rule: four, change: func(s *retention.State) {
			s.Releases[1].Phase, s.Releases[1].Stages = release.Deploying, []release.Stage{{Env: "dev", Previous: &p}}
		}, want: []int{3}},
		{name: "what is built of a commit on its way is kept", rule: four, change: func(s *retention.State) {
			again := built(3)
			again.ID, again.Phase, again.Artifact = "again", release.Building, nil
			s.Releases = append(s.Releases, again)
		}, want: []int{4, 2}},
		{name: "what was refused and never returned is kept", rule: four, change: func(s *retention.State) {
			s.Releases[2].Phase, s.Releases[2].Stages = release.Held, []release.Stage{{Env: "dev", Live: true}}
		}, want: []int{4, 2}},
		{name: "what was returned may go", rule: four, change: func(s *retention.State) {
			s.Releases[2].Phase, s.Releases[2].Stages = release.RolledBack, []release.Stage{{Env: "dev", Live: true, Returned: now}}
		}, want: []int{4, 3, 2}},
		{name: "an image that two releases share rests with the later one", rule: retention.Rule{Keep: 1, OlderThan: release.Duration(60 * time.Hour)}, change: func(s *retention.State) {
			s.Releases[3].Artifact.Digest = digest(2)
		}, want: []int{3}},
		{name: "a tag that is not a build's is not ours", rule: four, change: func(s *retention.State) { s.Releases[2].Artifact.Tag = "latest" }, want: []int{4, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := retention.State{Now: now, Releases: []release.Release{built(1), built(2), built(3), built(4)}}
			if c.change != nil {
				c.change(&s)
			}
			var got []release.Digest
			for _, img := range retention.Plan(c.rule, s) {
				got = append(got, img.Digest)
			}
			var want []release.Digest
			for _, n := range c.want {
				want = append(want, digest(n))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v goes, want %v", got, want)
			}
		})
	}
}

// TestNothingThatIsNeededIsEverDeleted makes up states of every kind, sound or not, and
// asks of each whether something goes that an environment runs or could roll back to.
func TestNothingThatIsNeededIsEverDeleted(t *testing.T) {
	went := 0
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		s := madeUp(rnd)
		rule := retention.Rule{Keep: 1 + rnd.IntN(3), OlderThan: release.Duration(rnd.IntN(3)) * release.Duration(24*time.Hour)}
		plan := retention.Plan(rule, s)
		went += len(plan)
		needed := map[release.Digest]string{}
		of := func(p *release.Placed, why string) {
			if p != nil {
				_, d, _ := strings.Cut(p.Image, "@")
				needed[release.Digest(d)] = why
			}
		}
		for _, slot := range s.Slots {
			of(slot.Current, "live in "+string(slot.Env))
			for back := slot; ; { // rolled back, and again, until nothing is left
				p, ok := back.LastVerified("")
				if !ok {
					break
				}
				of(&p, "returned to in "+string(slot.Env))
				back.Verified = back.Verified[1:]
			}
		}
		for _, d := range s.Named {
			needed[d] = "named by live manifests"
		}
		for _, r := range s.Releases {
			if r.Phase.Final() {
				continue
			}
			if r.Artifact != nil {
				needed[r.Artifact.Digest] = "on its way"
			}
			for _, stage := range r.Stages {
				of(stage.Previous, "what a release on its way returns to")
			}
		}
		for _, img := range plan {
			if why := needed[img.Digest]; why != "" {
				t.Fatalf("seed %d: %s goes, %s", seed, img.Digest, why)
			}
			for _, r := range s.Releases {
				if r.Artifact == nil || r.Artifact.Digest != img.Digest {
					continue
				}
				for _, p := range r.Artifact.Platforms {
					if why := needed[p.Digest]; why != "" {
						t.Fatalf("seed %d: %s goes with its index, %s", seed, p.Digest, why)
					}
				}
			}
		}
		slices.SortFunc(s.Releases, func(a, b release.Release) int { return b.Created.Compare(a.Created) })
		for _, r := range s.Releases {
			if r.Artifact != nil && slices.ContainsFunc(plan, func(img retention.Image) bool { return img.Digest == r.Artifact.Digest }) {
				t.Fatalf("seed %d: the newest image goes", seed)
			}
			if r.Artifact != nil {
				break
			}
		}
	}
	if went < 400 {
		t.Errorf("only %d images went: the states are too tame", went)
	}
}

func madeUp(rnd *rand.Rand) retention.State {
	s := retention.State{Now: now}
	n := 1 + rnd.IntN(10)
	some := func() *release.Placed {
		if rnd.IntN(3) == 0 {
			return nil
		}
		p := placed(1 + rnd.IntN(n))
		return &p
	}
	phases := append(release.Phases(), release.Done, release.Done, release.RolledBack, release.Failed)
	for i := range n {
		r := built(i + 1)
		r.Phase = phases[rnd.IntN(len(phases))]
		if rnd.IntN(4) == 0 {
			r.Artifact.Digest = digest(1 + rnd.IntN(n)) // shared with another
		}
		if rnd.IntN(6) == 0 {
			r.Artifact = nil
		}
		for _, env := range []release.Env{"dev", "prod"} {
			stage := release.Stage{Env: env, Previous: some(), Live: rnd.IntN(2) == 0}
			if rnd.IntN(2) == 0 {
				stage.Verified = r.Updated
			}
			if rnd.IntN(2) == 0 {
				stage.Returned = r.Updated
			}
			r.Stages = append(r.Stages, stage)
		}
		s.Releases = append(s.Releases, r)
	}
	for _, env := range []release.Env{"dev", "prod"} {
		slot := release.Slot{Env: env, Service: "shop/web", Current: some()}
		for range rnd.IntN(4) {
			if p := some(); p != nil {
				slot.Verified = append(slot.Verified, *p)
			}
		}
		s.Slots = append(s.Slots, slot)
	}
	for range rnd.IntN(2) {
		s.Named = append(s.Named, digest(1+rnd.IntN(n)), digest(1001+rnd.IntN(n)))
	}
	rnd.Shuffle(len(s.Releases), func(i, j int) { s.Releases[i], s.Releases[j] = s.Releases[j], s.Releases[i] })
	return s
}

func TestEveryDigestInManifestsIsFoundWhereverItStands(t *testing.T) {
	text := fmt.Sprintf("image: reg/a@%s\nargs: [--sidecar=reg/b@%s]\n", digest(1), digest(2))
	if got := retention.DigestsIn([]byte(text)); !slices.Equal(got, []release.Digest{digest(1), digest(2)}) {
		t.Error(got)
	}
}
