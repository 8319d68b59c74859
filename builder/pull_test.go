package builder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

func pullOf(r release.Release, fork bool) release.Release {
	r.ID, r.Origin, r.Ref = release.NewPullID(r.Service, 7, r.Commit), release.FromPull, "refs/pull/7/head"
	r.Pull = &release.Pull{Number: 7, Author: "eve", Base: "main", Fork: fork}
	return r
}

func TestEveryPullRequestHasCachesOfItsOwn(t *testing.T) {
	d := newDock(t)
	b := d.builder(t)
	other := pullOf(d.release, true)
	other.Pull = &release.Pull{Number: 8}
	elsewhere := pullOf(d.release, true)
	elsewhere.Repo = "http://forge.example/shop/cart.git"
	seen := map[string]bool{}
	for _, r := range []release.Release{d.release, pullOf(d.release, true), other, elsewhere} {
		scope, err := b.Caches(r)
		if err != nil || seen[scope] {
			t.Errorf("%s shares %q, %v", r.ID, scope, err)
		}
		seen[scope] = true
	}
	if !seen["shop/web/trusted"] || !seen["shop/web/http://forge.example/shop/web.git/pull/7"] {
		t.Errorf("the caches are %v", seen)
	}
	if again, _ := b.Caches(pullOf(d.release, false)); !seen[again] {
		t.Errorf("the next build of the same pull request has %q", again)
	}
}

func TestAForksBuildGetsNoLoginAndNoPullRequestIsPushed(t *testing.T) {
	d := newDock(t)
	registry, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: "registry.example", User: "robot", Password: "a password"}}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(d.cfg, builder.Parts{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		r      release.Release
		login  bool
		pushes int
	}{
		{name: "a branch", r: d.release, login: true, pushes: 1},
		{name: "a pull request of the repo's own branch", r: pullOf(d.release, false), login: true},
		{name: "a fork's", r: pullOf(d.release, true)},
	} {
		user, pushes, err := b.Handed(t.Context(), c.r, "registry.example")
		if err != nil || (user != "") != c.login || pushes != c.pushes {
			t.Errorf("%s: logs in as %q and pushes %d, %v", c.name, user, pushes, err)
		}
	}
}

func TestTheBuildOfAPullRequestProvesNothing(t *testing.T) {
	d := newDock(t)
	a := d.proved(t, nil)
	b := d.builder(t)
	before, _ := os.ReadFile(filepath.Join(d.state, "last", "shop.web"))
	pull := pullOf(d.release, true)

	// What a branch's build has proved is not taken over: there is nothing to hand out.
	if f, v, err := b.Build(t.Context(), "new key", pull); err == nil || f.Artifact != nil || d.checkouts != 1 {
		t.Errorf("%v %q %v, %d checkouts", v.Outcome(), v.Reason(), err, d.checkouts)
	}
	if err := b.RememberPull(pull, "its key"); err != nil {
		t.Fatal(err)
	}
	// A repeated key is done once, and gives no artifact.
	f, v, err := b.Build(t.Context(), "its key", pull)
	if err != nil || v.Outcome() != release.Passed || f.Artifact != nil || d.checkouts != 1 || strings.Contains(v.Evidence()[0].Detail, "@") {
		t.Errorf("%v %q %v, artifact %+v, %d checkouts, %+v", v.Outcome(), v.Reason(), err, f.Artifact, d.checkouts, v.Evidence())
	}
	if rep, err := b.Report(t.Context(), pull); err != nil || rep.Image != "" || rep.Failed != "" || rep.Why != "built for pull request 7" {
		t.Errorf("the report is %+v, %v", rep, err)
	}
	// The branch's next build sees only the branch's.
	if after, _ := os.ReadFile(filepath.Join(d.state, "last", "shop.web")); string(after) != string(before) || len(after) == 0 {
		t.Errorf("the last build of the service was %s and is %s", before, after)
	}
	if f, _, err := b.Build(t.Context(), "another key", d.release); err != nil || f.Artifact == nil || f.Artifact.Digest != a.Digest {
		t.Errorf("the branch's build is not proved any more: %+v, %v", f.Artifact, err)
	}
}
