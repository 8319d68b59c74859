package arrivals_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/arrivals"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

const file = `apiVersion: seatrial.dev/v1
kind: Pipeline
metadata: {name: web, team: shop}
spec:
  on: {pullRequest: {branches: [main]}}
  build: {target: %s}
  deploy: {manifests: deploy/, environments: [staging]}
`

// yard is a forge with one repo: its git is real, its API says what api holds.
type yard struct {
	t     *testing.T
	dir   string
	api   map[string]string
	forge arrivals.Forge
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{t: t, dir: t.TempDir(), api: map[string]string{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := y.api[r.URL.Path]
		if !ok {
			http.Error(w, "{}", http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	repos, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	api, err := forge.New(forge.Config{Kind: forge.Gitea, URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	environment := release.Environment{Meta: release.Meta{Name: "staging"}}
	y.forge = arrivals.Forge{API: api, Repos: repos, URL: func(string) string { return "file://" + y.dir + "/.git" },
		Tree: func() platform.Tree { return platform.Tree{Environments: []release.Environment{environment}} }}
	y.git("init", "-q", "-b", "main")
	y.commit("base")
	return y
}

func (y *yard) git(args ...string) string {
	y.t.Helper()
	out, err := exec.CommandContext(y.t.Context(), "git", append([]string{"-C", y.dir, "-c", "user.name=mei", "-c", "user.email=mei@example.com"}, args...)...).CombinedOutput()
	if err != nil {
		y.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a pipeline file whose target is named and commits it.
func (y *yard) commit(target string) release.Commit {
	y.t.Helper()
	if err := os.WriteFile(filepath.Join(y.dir, ".seatrial.yaml"), fmt.Appendf(nil, file, target), 0o600); err != nil {
		y.t.Fatal(err)
	}
	y.git("add", "-A")
	y.git("commit", "-q", "-m", "target "+target)
	return release.Commit(y.git("rev-parse", "HEAD"))
}

// offer makes pull request 7 of what a branch is at; headRepo is the id of its repo.
func (y *yard) offer(branch string, headRepo int) {
	y.git("update-ref", "refs/pull/7/head", branch)
	y.api["/api/v1/repos/shop/web/pulls/7"] = fmt.Sprintf(`{"number":7,"state":"open","user":{"login":"eve"},"base":{"ref":"main","repo_id":1},
		"head":{"ref":"fix","repo":{"id":%d,"owner":{"login":"eve"}}}}`, headRepo)
}

// read is the pipeline's target that counts for pull request 7, and its commit.
func (y *yard) read() (pr pipeline.PullRequest, s pipeline.Source) {
	y.t.Helper()
	pr, err := y.forge.Pull(y.t.Context(), "shop/web", 7)
	if err == nil {
		s, err = y.forge.Source(y.t.Context(), "shop/web", 7, pr)
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return pr, s
}

func TestABranchOfTheRepoHasItsOwnPipelineFile(t *testing.T) {
	y := newYard(t)
	y.git("checkout", "-q", "-b", "fix")
	head := y.commit("own")
	y.offer("fix", 1)
	pr, s := y.read()
	want := pipeline.PullRequest{Author: "eve", Owner: "eve", Base: "main", Open: true, Head: head}
	if pr != want || s.Commit != head || !strings.Contains(string(s.Pipeline), "target: own") || s.PipelineAt != "" || s.Message != "target own" {
		t.Errorf("got %+v, %+v", pr, s)
	}
}

func TestAForkHasThePipelineFileOfTheBaseBranch(t *testing.T) {
	y := newYard(t)
	base := release.Commit(y.git("rev-parse", "main"))
	y.git("checkout", "-q", "-b", "fix")
	head := y.commit("evil")
	y.offer("fix", 2)
	y.git("branch", "-m", "fix", "elsewhere") // it is in another repo
	pr, s := y.read()
	if !pr.Fork || s.Commit != head || !strings.Contains(string(s.Pipeline), "target: base") || s.PipelineAt != base {
		t.Errorf("got %+v, %+v", pr, s)
	}

	// A retry goes by the same file, whatever the base branch says by then.
	y.git("checkout", "-q", "main")
	y.commit("later")
	sources := builds.Sources{Repos: y.forge.Repos, URL: y.forge.URL}
	r := release.Release{Repo: "shop/web", Ref: "refs/pull/7/head", Commit: head, Pull: &release.Pull{Number: 7, Base: "main", Fork: true, Pipeline: s.PipelineAt}}
	if p, err := sources.Pipeline(t.Context(), r); err != nil || p.Spec.Build.Target != "base" {
		t.Errorf("a retry goes by %+v, %v", p.Spec.Build, err)
	}
	r.Pull = &release.Pull{Number: 7, Base: "main", Fork: true}
	if p, err := sources.Pipeline(t.Context(), r); err == nil {
		t.Errorf("a fork without a base commit goes by %+v", p.Spec.Build)
	}
}

func TestAHeadThatNoBranchOfTheRepoIsAtCountsAsAForks(t *testing.T) {
	y := newYard(t)
	y.git("checkout", "-q", "-b", "fix")
	y.commit("pushed")
	y.git("checkout", "-q", "-b", "for")
	y.commit("offered") // as Gitea's refs/for does it: the API names the base's own repo
	y.offer("for", 1)
	if pr, s := y.read(); !pr.Fork || !strings.Contains(string(s.Pipeline), "target: base") {
		t.Errorf("another commit than the branch's: %+v, %s", pr, s.Pipeline)
	}
	y.git("branch", "-D", "-q", "fix")
	if pr, _ := y.read(); !pr.Fork {
		t.Errorf("no branch: %+v", pr)
	}
}

func TestAPullRequestThatIsClosedOrNowhere(t *testing.T) {
	y := newYard(t)
	if _, err := y.forge.Pull(t.Context(), "shop/web", 7); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	y.api["/api/v1/repos/shop/web/pulls/7"] = `{"state":"closed","base":{"ref":"main"},"head":{"ref":"fix"}}`
	if pr, err := y.forge.Pull(t.Context(), "shop/web", 7); err != nil || pr.Open {
		t.Errorf("closed: %+v, %v", pr, err)
	}
	y.api["/api/v1/repos/shop/web/issues/comments/42"] = `{"user":{"login":"ann"},"body":"/ok-to-test ` + strings.Repeat("a", 40) + `"}`
	if by, c, err := y.forge.Comment(t.Context(), "shop/web", 42); err != nil || by != "ann" || c != release.Commit(strings.Repeat("a", 40)) {
		t.Errorf("a comment: %s %s %v", by, c, err)
	}
}

func TestThePipelineSaysWhichPullRequestsAreBuilt(t *testing.T) {
	y := newYard(t)
	project := release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Team: "shop"}}
	text := fmt.Sprintf(file, "x")
	for _, c := range []struct {
		name, text, base string
		wanted, wrong    bool
	}{
		{name: "into a branch that is listed", text: text, base: "main", wanted: true},
		{name: "into another", text: text, base: "dev"},
		{name: "into any, when none is listed", text: strings.Replace(text, "{branches: [main]}", "{}", 1), base: "dev", wanted: true},
		{name: "none, when it says nothing of them", text: strings.Replace(text, "{pullRequest: {branches: [main]}}", "{}", 1), base: "main"},
		{name: "one whose file does not fit the platform fails", text: strings.Replace(text, "[staging]", "[moon]", 1), base: "main", wanted: true, wrong: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := y.forge.Parse(project, "refs/pull/7/head", pipeline.Source{Pipeline: []byte(c.text), Pull: &pipeline.PullRequest{Base: c.base}})
			if s.Wanted != c.wanted || (err != nil) != c.wrong || s.Service != "shop/web" {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
}
