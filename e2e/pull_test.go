//go:build lab

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// The Dockerfiles of the repo and of a fork that wants to know more than it should: each
// leaves a mark in a cache of the same name and refuses to be built beside the other's.
const (
	ownGuard = "FROM --platform=$BUILDPLATFORM golang:1.26 AS guard\nCOPY note /note\n" +
		"RUN --mount=type=cache,target=/var/hold test ! -e /var/hold/fork && : > /var/hold/main\n" + image
	forkGuard = "FROM --platform=$BUILDPLATFORM golang:1.26 AS guard\nCOPY note /note\n" +
		"RUN --mount=type=cache,target=/var/hold test ! -e /var/hold/main && : > /var/hold/fork\n" +
		"RUN test ! -e /run/secrets && case \"$(export -p)\" in *TOKEN*|*SECRET*|*PASSPHRASE*|*PASSWORD*) exit 9;; esac\n" + image
	image = "FROM scratch\nARG TARGETARCH\nCOPY program-$TARGETARCH /web\nUSER 65532:65532\nENTRYPOINT [\"/web\"]\n"
)

// guarded is a service whose pull requests are built, verified everywhere.
func guarded(t *testing.T, ctx context.Context, name release.Service) (*rig.Service, release.Release) {
	t.Helper()
	s := add(t, ctx, name)
	check(t, s.Trust(ctx, "mira"))
	file := must(s.Read(".seatrial.yaml"))(t)
	file = strings.NewReplacer("push: {branches: [main]}", "push: {branches: [main]}, pullRequest: {}", "checks: []", "checks: [{name: guard, target: guard}]").Replace(file)
	if !strings.Contains(file, "pullRequest: {}") || !strings.Contains(file, "target: guard") {
		t.Fatalf("the pipeline file is another one by now:\n%s", file)
	}
	check(t, s.Repo().Write(".seatrial.yaml", file))
	check(t, s.Repo().Write("Dockerfile", ownGuard))
	check(t, s.Repo().Write("note", "one\n"))
	return s, begin(t, ctx, s)
}

// exists waits for a release that the server makes by itself.
func exists(t *testing.T, ctx context.Context, id release.ID) release.Release {
	t.Helper()
	var r release.Release
	check(t, rig.WaitFor(ctx, string(id), 300*time.Millisecond, func() (ok bool, err error) {
		r, err = stage.API.Release(ctx, id)
		return err == nil, err
	}))
	return r
}

// waiting demands that a fork's commit is held until somebody says ok.
func waiting(t *testing.T, ctx context.Context, r release.Release) {
	t.Helper()
	if r.Phase != release.Building || r.Hold == nil || r.Hold.By != "seatrial" || !r.Pull.Fork || r.Pull.Author != "eve" {
		t.Fatalf("%s is %s, held %+v, of %+v", r.ID, r.Phase, r.Hold, r.Pull)
	}
	status(t, ctx, r, "pending", "/ok-to-test "+string(r.Commit))
}

// unkept demands that nothing is left of a build but its word.
func unkept(t *testing.T, ctx context.Context, s *rig.Service, r release.Release, tags []string) {
	t.Helper()
	ended(t, r, release.Done, "")
	if r.Artifact != nil || len(r.Stages) != 0 || said(r, "signing", release.Passed) || !passed(r, "build") {
		t.Errorf("it has artifact %+v, stages %+v, verdicts %+v", r.Artifact, r.Stages, r.Verdicts)
	}
	if now := must(stage.Tags(ctx, s.Name))(t); !slices.Equal(now, tags) {
		t.Errorf("the registry had %v and has %v", tags, now)
	}
	status(t, ctx, r, "success", "built and checked")
}

func TestAForksPullRequestWaitsAndIsBuiltWithoutSecrets(t *testing.T) {
	t.Parallel()
	ctx := within(t, 15*time.Minute)
	buoy, before := guarded(t, ctx, "bell/buoy")
	repo, tags := string(buoy.Name), must(stage.Tags(ctx, "bell/buoy"))(t)
	eve, mira := must(stage.Forge.As(ctx, "eve"))(t), must(stage.Forge.As(ctx, "mira"))(t)

	fork := must(eve.Clone(ctx, must(eve.Fork(ctx, repo))(t), filepath.Join(stage.Dir, "checkouts", "eve-buoy")))(t)
	check(t, fork.Begin(ctx, "fix"))
	file := must(buoy.Read(".seatrial.yaml"))(t)
	check(t, fork.Write(".seatrial.yaml", strings.Replace(file, "checks: [{name: guard, target: guard}]", "args: {EVE: was-here}", 1)))
	check(t, fork.Write("Dockerfile", forkGuard))
	head := must(fork.Push(ctx, "buoy: a kind change"))(t)
	number := must(eve.Offer(ctx, repo, "eve:fix", "a kind change"))(t)
	r := exists(t, ctx, release.NewPullID(buoy.Name, number, release.Commit(head)))
	waiting(t, ctx, r)

	check(t, eve.Comment(ctx, repo, number, "/ok-to-test "+head))
	check(t, mira.Comment(ctx, repo, number, "/ok-to-test "+string(before.Commit)))
	check(t, rig.WaitFor(ctx, "mira's word to count", 3*time.Second, func() (bool, error) { // the platform repo is read every 5s
		if now, err := stage.API.Release(ctx, r.ID); err != nil || now.Hold == nil {
			return err == nil, err
		}
		return false, mira.Comment(ctx, repo, number, "I have read it.\n\n/ok-to-test "+head)
	}))
	r = must(stage.API.AwaitEnd(ctx, r.ID))(t)
	unkept(t, ctx, buoy, r, tags)
	if said := r.History[1]; said.By != "mira" {
		t.Errorf("%q freed it: %s", said.By, said.Reason)
	}
	var build struct {
		Plan json.RawMessage `json:"plan"`
	}
	check(t, stage.API.Call(ctx, http.MethodGet, "/api/v1/releases/"+string(r.ID)+"/build", nil, &build))
	if plan := string(build.Plan); !strings.Contains(plan, "guard") || strings.Contains(plan, "EVE") {
		t.Errorf("it was built by the fork's own pipeline file: %s", plan)
	}

	t.Run("the next commit waits again, and a closed pull request ends it", func(t *testing.T) {
		check(t, fork.Write("note", "two\n"))
		head := must(fork.Push(ctx, "buoy: something else"))(t)
		next := exists(t, ctx, release.NewPullID(buoy.Name, number, release.Commit(head)))
		waiting(t, ctx, next)
		check(t, eve.ClosePull(ctx, repo, number))
		ended(t, must(stage.API.AwaitEnd(ctx, next.ID))(t), release.Superseded, "was closed")
	})
	t.Run("what runs is what ran, and the repo's own cache has never seen the fork", func(t *testing.T) {
		running(t, ctx, buoy, "staging", before.Artifact.Reference())
		desired(t, ctx, buoy, "staging", before.Artifact.Reference())
		check(t, buoy.Repo().Write("note", "three\n"))
		own := until(t, ctx, must(buoy.Push(ctx, "buoy: look into the hold"))(t), func(r release.Release) bool {
			return r.Phase > release.Checking && !r.Phase.Final() // nothing is attached to its image any more
		})
		if own.Pull != nil || own.Origin != release.FromPush {
			t.Errorf("the release is %+v", own)
		}
	})
	t.Run("a pull request of the repo's own branch is built at once, and not kept either", func(t *testing.T) {
		check(t, buoy.Repo().Begin(ctx, "own"))
		check(t, buoy.Repo().Write("note", "four\n"))
		tags := must(stage.Tags(ctx, buoy.Name))(t)
		head := must(buoy.Repo().Push(ctx, "buoy: from a branch"))(t)
		number := must(stage.Forge.Offer(ctx, repo, "own", "from a branch"))(t)
		r := exists(t, ctx, release.NewPullID(buoy.Name, number, release.Commit(head)))
		if r.Hold != nil || r.Pull.Fork {
			t.Errorf("held %+v, of %+v", r.Hold, r.Pull)
		}
		unkept(t, ctx, buoy, must(stage.API.AwaitEnd(ctx, r.ID))(t), tags)
		previewed(t, ctx, repo, number, head, "staging", "Its policies hold", "Deployment/buoy in bell is changed (staging)", "+        image: ", "sha256:(new)")

		overlay := must(buoy.Read("deploy/overlays/prod/kustomization.yaml"))(t)
		check(t, buoy.Repo().Write("deploy/overlays/prod/kustomization.yaml", strings.Replace(overlay, "value: eu", "value: us", 1)))
		head = must(buoy.Repo().Push(ctx, "buoy: another region"))(t)
		must(stage.API.AwaitEnd(ctx, release.NewPullID(buoy.Name, number, release.Commit(head))))(t)
		previewed(t, ctx, repo, number, head, "prod", "value: us", "prod-canary")
	})
	t.Run("a stranger is told nothing of what runs", func(t *testing.T) {
		if all := must(stage.Forge.Comments(ctx, repo, number, stage.Forge.User()))(t); len(all) != 0 {
			t.Errorf("below the fork's pull request stands %q", all)
		}
	})
}

// previewed demands one comment of the platform's, about a commit, that says all that is
// wanted of it.
func previewed(t *testing.T, ctx context.Context, repo string, number int, head string, want ...string) {
	t.Helper()
	check(t, rig.WaitFor(ctx, "a preview of "+head, time.Second, func() (bool, error) {
		all, err := stage.Forge.Comments(ctx, repo, number, stage.Forge.User())
		if err != nil || len(all) != 1 {
			return false, fmt.Errorf("%d comments: %v", len(all), err)
		}
		for _, w := range append(want, head[:12]) {
			if !strings.Contains(all[0], w) {
				return false, fmt.Errorf("no %q in\n%s", w, all[0])
			}
		}
		return true, nil
	}))
}
