package pipeline_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

// TestStories runs testdata/*.journey: stories in a small language over the real Runner
// and the real store, with a clock that costs nothing. See testdata/README.md.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.journey")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".journey"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tell(t, f) })
		})
	}
}

func tell(t *testing.T, file string) {
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := newStory(t)
	defer s.close()
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.do(line); err != nil {
			t.Fatalf("%s:%d: %s: %v", file, n, line, err)
		}
	}
}

// story is one run of the language.
type story struct {
	t    *testing.T
	db   *bolt.DB
	book *store.Book
	wave map[release.Env][]string
	ring map[release.Env]string          // the wave that the trial comes after
	side map[release.Env][]release.Shift // of every wave
	now  release.ID                      // the release that the lines speak of

	runner *pipeline.Runner
	pulls  *pulls // the forge, as far as pull requests go
	stop   func()

	mu      sync.Mutex // guards answers and done
	answers map[string][]answer
	done    map[string]int // how often an action with this key changed the world
}

type answer struct {
	verdict release.Verdict
	err     error
}

func newStory(t *testing.T) *story {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, db: db, book: store.NewBook(db), wave: map[release.Env][]string{}, ring: map[release.Env]string{}, side: map[release.Env][]release.Shift{}, answers: map[string][]answer{}, done: map[string]int{}, pulls: newPulls()}
	s.start()
	return s
}

func (s *story) start() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.runner = &pipeline.Runner{Book: s.book, Active: s.book.Active, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Actions: map[release.Phase]pipeline.Action{}}
	for phase, gate := range map[release.Phase]string{release.Building: "build", release.Signing: "signing", release.Checking: "policy",
		release.Approving: "approval", release.Trying: "trial", release.RollingBack: "rollback"} {
		s.runner.Actions[phase] = s.action(gate)
	}
	s.runner.Actions[release.Approving] = pipeline.EnterTogether(s.runner.Actions[release.Approving], s.book.With)
	s.runner.Actions[release.RollingBack] = s.runner.ReturnTogether(s.runner.Actions[release.RollingBack], s.book.With)
	s.runner.Actions[release.Deploying] = func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		return s.action(r.Step.String())(ctx, key, r)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = s.runner.Run(ctx) })
	running.Go(func() { _ = s.intake().Run(ctx) })
	s.stop = func() { cancel(); running.Wait() }
}

func (s *story) close() { s.stop(); s.db.Close() }

// action answers what the story said, and waits for it when it has not said anything yet.
func (s *story) action(gate string) pipeline.Action {
	return func(_ context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		list := s.answers[r.Commit.Short()[:4]+" "+gate]
		if len(list) == 0 {
			return release.Facts{}, release.Wait(r.Reason, time.Second), nil
		}
		s.answers[r.Commit.Short()[:4]+" "+gate] = list[1:]
		s.done[key]++
		return s.facts(gate, r), list[0].verdict, list[0].err
	}
}

func (s *story) facts(gate string, r release.Release) release.Facts {
	f := release.Facts{}
	switch gate {
	case "build":
		f.Artifact = &release.Artifact{Repository: "registry.example/" + string(r.Service), Digest: "sha256:" + release.Digest(strings.Repeat("a", 64))}
	case "approval":
		for _, w := range s.wave[r.Env()] {
			f.Waves = append(f.Waves, release.Wave{Name: w, Trial: w == s.ring[r.Env()], Shifts: s.side[r.Env()], Targets: []release.Target{{Cluster: string(r.Env()) + "-" + w, State: "Pending"}}})
		}
	case "sync":
		f.Desired = r.Commit
		f.Targets = []release.Target{{Cluster: string(r.Env()) + "-" + r.WaveName(), State: "Syncing", Revision: r.Commit}}
		if shift, ok := r.Shifting(); ok {
			f.Targets[0].Shift = shift.Name
		}
	case "rollback":
		f.Return = release.Commit(strings.Repeat("f", 40))
	}
	return f
}

var (
	push       = regexp.MustCompile(`^push (\S+)@([0-9a-f]{4})(?: of set (\S+))? to (.+)$`)
	waves      = regexp.MustCompile(`^waves of (\S+): (.+)$`)
	trialAfter = regexp.MustCompile(`^trial of (\S+) after (\S+)$`)
	shifts     = regexp.MustCompile(`^shifts of (\S+): (.+)$`)
	target     = regexp.MustCompile(`^expect (\S+) of (\S+) to be on ([0-9a-f]{4}|nothing)( and put back)?$`)
	gate       = regexp.MustCompile(`^(build|signing|policy|approval|sync|health|slo|trial|rollback) (passes|refuses|waits|is inconclusive|cannot be asked)(?: "(.*)")?$`)
	expect     = regexp.MustCompile(`^expect (\w+)(?: in (\S+))?(?: wave (\S+))?(?: step (\S+))?(?: shift (\S+))?$`)
	person     = regexp.MustCompile(`^(\w+) (holds|frees|retries|rolls back|cannot roll back|cannot retry)(?: (\S+))?(?: to (\S+))? "(.*)"$`)
	byHand     = regexp.MustCompile(`^somebody pushes ([0-9a-f]{4}) to the branch of (\S+)$`)
	slot       = regexp.MustCompile(`^expect (\S+) (?:to have|to be) (.+)$`)
)

func (s *story) do(line string) error {
	defer synctest.Wait()
	switch {
	case line == "kill and restart":
		s.stop()
		s.start()
		time.Sleep(3 * time.Second)
		return nil
	case strings.HasPrefix(line, "about "):
		return s.about(strings.TrimPrefix(line, "about "))
	case strings.HasPrefix(line, "later "):
		d, err := time.ParseDuration(strings.TrimPrefix(line, "later "))
		time.Sleep(d)
		return err
	}
	if m := push.FindStringSubmatch(line); m != nil {
		return s.push(m)
	}
	if m := waves.FindStringSubmatch(line); m != nil {
		s.wave[release.Env(m[1])] = strings.Fields(m[2])
		return nil
	}
	if m := trialAfter.FindStringSubmatch(line); m != nil {
		s.ring[release.Env(m[1])] = m[2]
		return nil
	}
	if m := shifts.FindStringSubmatch(line); m != nil {
		for _, name := range strings.Fields(m[2]) {
			s.side[release.Env(m[1])] = append(s.side[release.Env(m[1])], release.Shift{Name: name, SLO: strings.HasSuffix(name, "%")})
		}
		s.side[release.Env(m[1])] = append(s.side[release.Env(m[1])], release.Shift{SLO: true})
		return nil
	}
	if m := target.FindStringSubmatch(line); m != nil {
		return s.target(m[1], release.Env(m[2]), m[3], m[4] != "")
	}
	if m := byHand.FindStringSubmatch(line); m != nil {
		return s.pushByHand(m[1], release.Env(m[2]))
	}
	if m := gate.FindStringSubmatch(line); m != nil {
		return s.say(m[1], m[2], m[3])
	}
	if m := person.FindStringSubmatch(line); m != nil {
		return s.person(m[1], m[2], release.Env(m[3]), m[4], m[5])
	}
	if quoted, ok := strings.CutPrefix(line, "expect reason "); ok {
		return s.reason(strings.Trim(quoted, `"`))
	}
	if did, err := s.pullRequest(line); did {
		return err
	}
	if m := slot.FindStringSubmatch(line); m != nil {
		return s.slot(release.Env(m[1]), m[2])
	}
	if m := expect.FindStringSubmatch(line); m != nil {
		return s.expect(m)
	}
	return errors.New("no such sentence")
}

// about is a commit of shop/web, "shop/db@aaaa", or "aaaa of pull request 7".
func (s *story) about(what string) error {
	commit, number, ok := strings.Cut(what, " of pull request ")
	service, at, other := strings.Cut(commit, "@")
	if !other {
		service, at = "shop/web", commit
	}
	s.now = release.NewID(release.Service(service), release.Commit(hex(at)))
	if ok {
		n, err := strconv.Atoi(number)
		s.now = release.NewPullID("shop/web", n, release.Commit(hex(commit)))
		return err
	}
	return nil
}

func hex(four string) string { return strings.Repeat(four, 10) }

func (s *story) push(m []string) error {
	r := release.Release{Service: release.Service(m[1]), Commit: release.Commit(hex(m[2])), Created: time.Now(), Updated: time.Now(), Due: time.Now(),
		Phase: release.Building, Attempt: 1, Origin: release.FromPush, Project: "shop", Set: m[3]}
	r.ID = release.NewID(r.Service, r.Commit)
	for _, env := range strings.Fields(m[4]) {
		r.Stages = append(r.Stages, release.Stage{Env: release.Env(env)})
		if s.wave[release.Env(env)] == nil {
			s.wave[release.Env(env)] = []string{"all"}
		}
	}
	s.now = r.ID
	err := s.runner.Submit(s.t.Context(), r)
	if errors.Is(err, release.ErrStale) {
		err = nil // pushed twice
	}
	time.Sleep(2 * time.Second)
	return err
}

func (s *story) pushByHand(commit string, env release.Env) error {
	r := pipeline.ByHand(release.Release{Service: "shop/web", Commit: release.Commit(hex(commit)), Origin: release.FromDesiredState}, env, time.Now())
	s.now = r.ID
	time.Sleep(time.Second)
	return s.runner.Submit(s.t.Context(), r)
}

func (s *story) say(gate, what, why string) error {
	a := answer{}
	switch what {
	case "passes":
		a.verdict = release.Pass()
	case "refuses":
		a.verdict = release.Refuse(why, "")
	case "waits":
		a.verdict = release.Wait(why, 10*time.Second)
	case "is inconclusive":
		a.verdict = release.Inconclusive(why, "")
	case "cannot be asked":
		a.err = errors.New(why)
	}
	commit := string(s.release().Commit[:4])
	s.mu.Lock()
	key := commit + " " + gate
	s.answers[key] = append(s.answers[key], a)
	s.mu.Unlock()
	time.Sleep(2 * time.Second)
	return nil
}

func (s *story) person(who, does string, env release.Env, to, why string) error {
	if env != "" && (does == "holds" || does == "frees") {
		return s.hold(who, does, env, why)
	}
	var back release.ID
	if to != "" {
		back = release.NewID("shop/web", release.Commit(hex(to)))
	}
	_, err := s.runner.Do(s.t.Context(), s.now, 0, func(r release.Release, now time.Time) (release.Release, error) {
		switch does {
		case "holds":
			return pipeline.Hold(r, who, why, now)
		case "frees":
			return pipeline.Free(r, who, now)
		case "retries", "cannot retry":
			return pipeline.Retry(r, who, why, now)
		}
		return pipeline.RollBack(r, env, back, who, why, now)
	})
	time.Sleep(2 * time.Second)
	if !strings.HasPrefix(does, "cannot") {
		return err
	}
	if err == nil || !strings.Contains(err.Error(), why) {
		return fmt.Errorf("got %v, want an error with %q", err, why)
	}
	return nil
}

// hold is of a place, not of a release.
func (s *story) hold(who, does string, env release.Env, why string) error {
	slot, err := s.book.Slot(s.t.Context(), "shop/web", env)
	if err != nil {
		return err
	}
	slot.Hold = nil
	if does == "holds" {
		slot.Hold = &release.Hold{By: who, Reason: why, At: time.Now()}
	}
	err = s.book.Place(s.t.Context(), slot)
	time.Sleep(2 * time.Second)
	return err
}

func (s *story) release() release.Release {
	r, err := s.book.Release(s.t.Context(), s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *story) reason(want string) error {
	if got := s.release().Reason; !strings.Contains(got, want) {
		return fmt.Errorf("the reason is %q", got)
	}
	return nil
}

func (s *story) expect(m []string) error {
	r := s.release()
	shift, _ := r.Shifting()
	got := []string{r.Phase.String(), string(r.Env()), r.WaveName(), r.Step.String(), shift.Name}
	for i, want := range m[1:] {
		if want != "" && want != got[i] {
			return fmt.Errorf("it is %s in %q, wave %q, step %q, shift %q (%s)", got[0], got[1], got[2], got[3], got[4], r.Reason)
		}
	}
	return nil
}

// target is what the slot says a cluster is to be on.
func (s *story) target(cluster string, env release.Env, want string, back bool) error {
	slot, err := s.book.Slot(s.t.Context(), "shop/web", env)
	if err != nil {
		return err
	}
	on := "nothing"
	if c := slot.Targets[cluster]; c != "" {
		on = string(c[:4])
	}
	if on != want || slices.Contains(slot.Undo, cluster) != back {
		return fmt.Errorf("it is to be on %s, to be put back: %v", on, slot.Undo)
	}
	return nil
}

func (s *story) slot(env release.Env, want string) error {
	slot, err := s.book.Slot(s.t.Context(), "shop/web", env)
	if err != nil {
		return err
	}
	current := "nothing"
	if slot.Current != nil {
		current = string(slot.Current.Commit[:4])
	}
	if want == "free" && slot.Occupant == "" || want == current || (want == "taken" && slot.Occupant != "") {
		return nil
	}
	return fmt.Errorf("it has %s, occupant %q, verified %d", current, slot.Occupant, len(slot.Verified))
}

func TestEveryPhaseHasAWordAndAWayOut(t *testing.T) {
	for _, p := range release.Phases() {
		got, err := release.ParsePhase(p.String())
		if err != nil || got != p {
			t.Errorf("phase %d: %q reads back as %v, %v", p, p, got, err)
		}
		if p.Final() {
			continue
		}
		for _, v := range []release.Verdict{release.Pass(), release.Refuse("no", ""), release.Inconclusive("?", "")} {
			r := release.Release{ID: "a.b.c", Phase: p, Stages: []release.Stage{{Env: "staging"}}}
			if next := pipeline.Next(r, v, time.Unix(1, 0)); next.Phase == p && p != release.Deploying {
				t.Errorf("%s has no way out on %s", p, v.Outcome())
			}
		}
	}
}

func TestAVerdictThatWasNeverGivenMovesNothing(t *testing.T) {
	r := release.Release{Phase: release.Trying, Stages: []release.Stage{{Env: "prod"}}}
	if next := pipeline.Next(r, release.Verdict{}, time.Unix(1, 0)); next.Phase != release.Trying {
		t.Errorf("the zero verdict moved the release to %s", next.Phase)
	}
}

func TestAPassedWaveIsLeftAloneForItsPause(t *testing.T) {
	now := time.Unix(1000, 0)
	waves := []release.Wave{{Name: "canary", Pause: release.Duration(10 * time.Minute)}, {Name: "rest"}}
	r := release.Release{Phase: release.Deploying, Step: release.StepSLO, Stages: []release.Stage{{Env: "prod", Live: true, Waves: waves}}}
	next := pipeline.Next(r, release.Pass(), now)
	begins := now.Add(10 * time.Minute)
	if next.Wave != 1 || !next.Due.Equal(begins) || !next.Stages[0].Waves[1].Started.Equal(begins) {
		t.Errorf("wave %d is due %s and began %s, want wave 1 at %s", next.Wave, next.Due, next.Stages[0].Waves[1].Started, begins)
	}
}
