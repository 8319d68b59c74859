package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

// pulls is a forge's side of pull requests, and the queue of what it tells.
type pulls struct {
	told chan pipeline.Push

	mu     sync.Mutex // guards everything below
	of     map[int]pipeline.PullRequest
	said   []comment
	forks  string // what the project does with forks
	builds bool   // the pipeline builds pull requests
	wrong  error  // the pipeline file's mistake
}

type comment struct {
	by    string
	names release.Commit
}

func newPulls() *pulls {
	return &pulls{told: make(chan pipeline.Push, 100), of: map[int]pipeline.PullRequest{}, forks: release.ForksWait, builds: true}
}

// base is where a fork's pipeline file is read.
var base = release.Commit(hex("dddd"))

func (p *pulls) Pull(_ context.Context, _ string, n int) (pipeline.PullRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr, ok := p.of[n]
	if !ok {
		return pr, release.ErrNotFound
	}
	return pr, nil
}

func (p *pulls) Comment(_ context.Context, _ string, id int64) (string, release.Commit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id > int64(len(p.said)) {
		return "", "", release.ErrNotFound
	}
	c := p.said[id-1]
	return c.by, c.names, nil
}

func (p *pulls) Source(_ context.Context, _ string, _ int, pr pipeline.PullRequest) (pipeline.Source, error) {
	s := pipeline.Source{Commit: pr.Head, Message: "m", Author: "whoever the commit says", Pipeline: []byte("its own")}
	if pr.Fork {
		s.Pipeline, s.PipelineAt = []byte("the base's"), base
	}
	return s, nil
}

func (p *pulls) parse(_ release.Project, _ string, s pipeline.Source) (pipeline.Spec, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Pull.Fork != (string(s.Pipeline) == "the base's") {
		return pipeline.Spec{}, errors.New("that is not the file that counts")
	}
	return pipeline.Spec{Service: "shop/web", Environments: []release.Env{"staging"}, Wanted: p.builds}, p.wrong
}

// Pushes hands on what the forge tells.
func (p *pulls) Pushes(ctx context.Context, fn func(string, pipeline.Push)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-p.told:
			fn("push/"+t.Delivery, t)
		}
	}
}

func (p *pulls) Drop(context.Context, string) error { return nil }

// tell changes a pull request and sends the hint of it, or of a comment.
func (p *pulls) tell(n int, change func(*pipeline.PullRequest), said ...comment) {
	p.mu.Lock()
	pr := p.of[n]
	change(&pr)
	p.of[n] = pr
	hint := pipeline.Push{Repo: "shop/web", Ref: fmt.Sprintf("refs/pull/%d/head", n), Pull: n, At: time.Now()}
	hint.Named = pr.Head
	for _, c := range said {
		p.said = append(p.said, c)
		hint.Comment, hint.Named = int64(len(p.said)), c.names
	}
	p.mu.Unlock()
	p.told <- hint
	time.Sleep(2 * time.Second)
}

func (s *story) intake() *pipeline.Intake {
	project := func(string) (release.Project, bool) {
		s.pulls.mu.Lock()
		defer s.pulls.mu.Unlock()
		rules := release.PullRules{Trusted: []string{"ann", "bo"}, Forks: s.pulls.forks}
		return release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Team: "shop", PullRequests: rules}}, true
	}
	return &pipeline.Intake{Queue: s.pulls, Submit: s.runner.Submit, Project: project, Parse: s.pulls.parse, Pulls: s.pulls, Road: s.runner,
		Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

var (
	opens  = regexp.MustCompile(`^(\w+) opens pull request (\d+) at ([0-9a-f]{4})(?: from a fork(?: of (\w+))?)?$`)
	moves  = regexp.MustCompile(`^pull request (\d+) moves to ([0-9a-f]{4})$`)
	closes = regexp.MustCompile(`^pull request (\d+) is (closed|open) again$|^pull request (\d+) is closed$`)
	says   = regexp.MustCompile(`^(\w+) says /ok-to-test ([0-9a-f]{4}) in pull request (\d+)$`)
	early  = regexp.MustCompile(`^the forge tells of ([0-9a-f]{4}) in pull request (\d+) before its git has it$`)
	late   = regexp.MustCompile(`^the forge's git has pull request (\d+) at ([0-9a-f]{4})$`)
	waits  = regexp.MustCompile(`^expect it to (wait for /ok-to-test|be free|not exist)$`)
)

// pullRequest does what a line says of pull requests; false when it speaks of something else.
func (s *story) pullRequest(line string) (did bool, err error) {
	number := func(text string) int {
		n, e := strconv.Atoi(text)
		err = errors.Join(err, e)
		return n
	}
	if m := opens.FindStringSubmatch(line); m != nil {
		pr := pipeline.PullRequest{Author: m[1], Owner: m[1], Base: "main", Open: true, Head: release.Commit(hex(m[3])), Fork: strings.Contains(line, " from a fork")}
		if m[4] != "" {
			pr.Owner = m[4]
		}
		s.pulls.tell(number(m[2]), func(p *pipeline.PullRequest) { *p = pr })
		s.now = release.NewPullID("shop/web", number(m[2]), pr.Head)
		return true, err
	}
	if m := moves.FindStringSubmatch(line); m != nil {
		s.pulls.tell(number(m[1]), func(p *pipeline.PullRequest) { p.Head = release.Commit(hex(m[2])) })
		s.now = release.NewPullID("shop/web", number(m[1]), release.Commit(hex(m[2])))
		return true, err
	}
	if m := closes.FindStringSubmatch(line); m != nil {
		open := m[2] == "open"
		s.pulls.tell(number(m[1]+m[3]), func(p *pipeline.PullRequest) { p.Open = open })
		return true, err
	}
	if m := says.FindStringSubmatch(line); m != nil {
		s.pulls.tell(number(m[3]), func(*pipeline.PullRequest) {}, comment{m[1], release.Commit(hex(m[2]))})
		return true, err
	}
	if m := early.FindStringSubmatch(line); m != nil {
		s.pulls.told <- pipeline.Push{Repo: "shop/web", Pull: number(m[2]), Named: release.Commit(hex(m[1])), At: time.Now()}
		s.now = release.NewPullID("shop/web", number(m[2]), release.Commit(hex(m[1])))
		return true, err
	}
	if m := late.FindStringSubmatch(line); m != nil {
		s.pulls.mu.Lock()
		defer s.pulls.mu.Unlock()
		pr := s.pulls.of[number(m[1])]
		pr.Head = release.Commit(hex(m[2]))
		s.pulls.of[number(m[1])] = pr
		return true, err
	}
	if m := waits.FindStringSubmatch(line); m != nil {
		return true, s.standing(m[1])
	}
	switch line {
	case "the project refuses forks":
		s.pulls.forks = release.ForksRefuse
	case "the pipeline builds no pull requests":
		s.pulls.builds = false
	case "the pipeline file is wrong":
		s.pulls.wrong = errors.New(".seatrial.yaml:3:1: unknown field")
	default:
		return false, nil
	}
	return true, nil
}

func (s *story) standing(want string) error {
	r, err := s.book.Release(s.t.Context(), s.now)
	if want == "not exist" {
		if !errors.Is(err, release.ErrNotFound) {
			return fmt.Errorf("it is %s, %v", r.Phase, err)
		}
		return nil
	}
	waiting := r.Hold != nil && r.Hold.By == pipeline.Seatrial && r.Hold.Reason == "a fork's commit waits for /ok-to-test "+string(r.Commit)
	if err != nil || waiting != (want == "wait for /ok-to-test") || (!waiting && r.Hold != nil) {
		return fmt.Errorf("it is %s, held %+v, %v", r.Phase, r.Hold, err)
	}
	return nil
}

func TestWhatIsBuiltForAPullRequestNeverComesNearAKeyOrACluster(t *testing.T) {
	now := time.Unix(1, 0)
	verdicts := []release.Verdict{release.Pass(), release.Refuse("no", ""), release.Inconclusive("?", ""), release.Wait("soon", time.Second)}
	var walk func(r release.Release, steps int)
	walk = func(r release.Release, steps int) {
		switch r.Phase {
		case release.Building, release.Done, release.Failed, release.Held, release.Superseded:
		default:
			t.Fatalf("it came to %s", r.Phase)
		}
		if steps == 0 {
			return
		}
		if !r.Phase.Final() {
			for _, v := range verdicts {
				walk(pipeline.Next(r, v, now), steps-1)
			}
		}
		if next, err := pipeline.Retry(r, "ann", "again", now); err == nil {
			walk(next, steps-1)
		}
		if next, ok := pipeline.Cancel(r, "closed", now); ok {
			walk(next, steps-1)
		}
		if next, err := pipeline.Free(r, "ann", now); err == nil {
			walk(next, steps-1)
		}
		if _, err := pipeline.RollBack(r, "staging", "", "ann", "back", now); err == nil {
			t.Error("it was rolled back")
		}
	}
	r := release.Release{ID: "shop.web.pr7.aaaaaaaaaaaa", Service: "shop/web", Origin: release.FromPull, Pull: &release.Pull{Number: 7, Fork: true},
		Phase: release.Building, History: []release.Transition{{To: release.Building, Attempt: 1}}}
	walk(r, 4)
	r.Hold = &release.Hold{By: pipeline.Seatrial, Reason: "waits"}
	walk(r, 4)
}

func TestARetryIsOfTheSameInputsAndOnlyOfWhatFailed(t *testing.T) {
	now := time.Unix(1, 0)
	artifact := &release.Artifact{Repository: "registry.example/shop/web", Digest: release.Digest("sha256:" + strings.Repeat("a", 64))}
	branch := release.Release{ID: "shop.web.aaaaaaaaaaaa", Service: "shop/web", Repo: "shop/web", Ref: "refs/heads/main", Commit: release.Commit(hex("aaaa")),
		Phase: release.Building, Attempt: 1, Stages: []release.Stage{{Env: "staging"}}}
	fork := branch
	fork.ID, fork.Stages, fork.Pull = "shop.web.pr7.aaaaaaaaaaaa", nil, &release.Pull{Number: 7, Base: "main", Fork: true, Pipeline: base}
	built, signed := branch, branch
	built.Phase, built.Artifact = release.Signing, artifact
	signed.Phase, signed.Artifact = release.Checking, artifact
	for _, c := range []struct {
		name string
		r    release.Release
		to   release.Phase
	}{
		{"a build", branch, release.Building}, {"a fork's build", fork, release.Building},
		{"a signature: what was built is found again", built, release.Building}, {"a check: what was signed stays", signed, release.Checking},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.History = []release.Transition{{To: c.r.Phase, Attempt: 1}}
			failed := pipeline.Next(c.r, release.Refuse("no", ""), now)
			again, err := pipeline.Retry(failed, "ann", "once more", now)
			if err != nil || again.Phase != c.to || pipeline.Key(again) == pipeline.Key(c.r) {
				t.Fatalf("it is %s with key %s, %v", again.Phase, pipeline.Key(again), err)
			}
			if again.Repo != c.r.Repo || again.Ref != c.r.Ref || again.Commit != c.r.Commit || again.Pull != c.r.Pull || again.Artifact != c.r.Artifact {
				t.Errorf("it is of other inputs: %+v", again)
			}
		})
	}
}

func TestWhoLetAForksCommitBeBuiltIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		defer s.close()
		for _, line := range []string{"eve opens pull request 7 at aaaa from a fork", "ann says /ok-to-test aaaa in pull request 7", "build passes"} {
			if err := s.do(line); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		r := s.release()
		if r.Pusher != "eve" || r.Pull.Author != "eve" || !r.Pull.Fork || r.Pull.Pipeline != base || len(r.Stages) != 0 || r.Origin != release.FromPull {
			t.Errorf("the release is %+v of %+v", r, r.Pull)
		}
		var said []string
		for _, h := range r.History {
			said = append(said, fmt.Sprintf("%s %s by %s", h.To, h.Reason, h.By))
		}
		if len(said) != 3 || !strings.HasPrefix(said[1], "Building ok to test, says ann by ann") {
			t.Errorf("the history is %q", said)
		}
	})
}
