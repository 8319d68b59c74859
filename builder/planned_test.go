package builder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const goMod = "module example.org/web\n\ngo 1.26\n"

// planned is a dock whose service has no Dockerfile.
func planned(t *testing.T) *dock {
	t.Helper()
	d := newDock(t)
	if err := os.Remove(filepath.Join(d.dir, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	d.write(t, "go.mod", goMod)
	d.write(t, "main.go", "package main\n\nfunc main() {}\n")
	return d
}

func TestAPlannedBuildIsRefusedBeforeBuildKitIsAsked(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(t *testing.T, d *dock)
		want string
	}{
		{name: "nothing known", with: func(_ *testing.T, d *dock) { os.Remove(filepath.Join(d.dir, "go.mod")) },
			want: "there is no Dockerfile, and no plan either: there is nothing to plan a build from: looked for go.mod"},
		{name: "a Dockerfile that the pipeline names is missed, not replaced by a plan", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Dockerfile = "Dockerfile"
		}, want: "there is no Dockerfile in the repository"},
		{name: "a plan that is asked for beats the Dockerfile", with: func(t *testing.T, d *dock) {
			d.write(t, "Dockerfile", "FROM scratch\n")
			d.pipeline.Spec.Build.Plan = &release.BuildPlan{Language: "python"}
		}, want: "plan the build: nothing says what to run"},
		{name: "cgo", with: func(t *testing.T, d *dock) { d.write(t, "c.go", "package main\n\nimport \"C\"\n") },
			want: `c.go imports "C"`},
		{name: "modules without go.sum", with: func(t *testing.T, d *dock) { d.write(t, "go.mod", goMod+"\nrequire example.org/a v1.0.0\n") },
			want: "there is no go.sum"},
		{name: "a secret's value in the plan", with: func(_ *testing.T, d *dock) {
			d.secrets = []secret.Text{"correct-horse"}
			d.pipeline.Spec.Build.Plan = &release.BuildPlan{Command: []string{"web", "-password=correct-horse"}}
		}, want: "value of a secret"},
		{name: "a secret that no step takes", with: func(_ *testing.T, d *dock) { d.mount("correct-horse") }, want: `no step of the plan takes a secret "npmrc"`},
		{name: "a matrix", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Checks = []release.BuildCheck{{Name: "test", Target: "test", Matrix: map[string][]string{"GO": {"1.26"}}}}
		}, want: "check test: the stages of a plan take no arguments"},
		{name: "a named context", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "."}
		}, want: "a planned build has one context only"},
		{name: "a target", with: func(_ *testing.T, d *dock) { d.pipeline.Spec.Build.Target = "build" }, want: `makes its stage "image"`},
		{name: "a check that is no stage", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Checks = []release.BuildCheck{{Name: "lint", Target: "lint"}}
		}, want: `check lint: the plan has no stage "lint": there is go, test, build, root, image`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := planned(t)
			c.with(t, d)
			_, v, err := d.builder(t).Build(t.Context(), "k", d.release)
			if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), c.want) {
				t.Errorf("%v %q %v, want %q", v.Outcome(), v.Reason(), err, c.want)
			}
			if v.Hint() == "" || strings.Contains(v.Reason(), d.dir) {
				t.Errorf("reason %q, hint %q: a next step, and no path of the server", v.Reason(), v.Hint())
			}
		})
	}
}

func TestAPlanIsMadeOfTheContext(t *testing.T) {
	d := planned(t)
	d.write(t, "web/package.json", `{"main": "server.js"}`)
	d.write(t, "web/server.js", "")
	for _, context := range []string{".", "web"} {
		d.pipeline.Spec.Build.Context = context
		_, _, err := d.builder(t).Build(t.Context(), "k", d.release)
		if err == nil || !strings.Contains(err.Error(), "buildkitd at unix:///nowhere/buildkitd.sock does not answer") {
			t.Errorf("%s: %v, want it to get as far as buildkitd", context, err)
		}
	}
}
