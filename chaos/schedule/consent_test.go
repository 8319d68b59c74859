package schedule_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// ballot is what people have said.
type ballot struct {
	mu     sync.Mutex // guards the fields below
	votes  []consent.Vote
	broken error
	before func() // the next use, once
}

func (b *ballot) Given(context.Context, string, release.Env) ([]consent.Vote, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]consent.Vote{}, b.votes...), b.broken
}

// Names knows that ada has made the token.
func (b *ballot) Names(_ context.Context, by string) ([]string, error) {
	if by == "token:ci" {
		return []string{by, "ada"}, nil
	}
	return []string{by}, nil
}

func (b *ballot) Use(_ context.Context, votes []consent.Vote, run string) error {
	b.mu.Lock()
	first := b.before
	b.before = nil
	b.mu.Unlock()
	if first != nil {
		first()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range votes {
		if b.votes[v.Version-1].Run != v.Run {
			return release.ErrStale
		}
	}
	for _, v := range votes {
		b.votes[v.Version-1].Run = run
	}
	return nil
}

// say adds what an operator says of the experiment as it is now.
func (b *ballot) say(t *testing.T, s *schedule.Scheduler, trigger string, decision consent.Decision, people ...string) {
	t.Helper()
	terms, err := s.Terms(t.Context(), "restart-one", "staging", "", trigger)
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, by := range people {
		b.votes = append(b.votes, consent.Vote{Experiment: "restart-one", Env: "staging", Service: "shop/web", Trigger: trigger, By: by, Groups: []string{"operator"},
			Digest: terms.Content.Digest(), At: time.Now(), Decision: decision, Version: release.Revision(len(b.votes) + 1)})
	}
}

// guarded is a scheduler of an environment that asks two operators, and its platform repo.
func guarded(r *rig, cron string) (*schedule.Scheduler, *ballot, *chaos.Platform) {
	s, b := r.scheduler(cron, ""), &ballot{}
	p, _ := s.Platform(context.Background())
	env := release.Environment{Meta: release.Meta{Name: "staging"}}
	env.Spec.Chaos.Approvals = release.Consent{Required: 2, Groups: []string{"operator"}}
	p.Environments = []release.Environment{env}
	s.Votes = b
	s.Platform = func(context.Context) (chaos.Platform, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return p, nil
	}
	return s, b, &p
}

// change gives the experiment another duration.
func (r *rig) change(p *chaos.Platform) {
	r.set(func() {
		x := p.Experiments["restart-one"]
		x.Spec.Fault.Duration += release.Duration(time.Second)
		p.Experiments = map[string]release.Experiment{"restart-one": x}
	})
}

func (r *rig) injected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

func TestAScheduleWithoutApprovalsBreaksNothingAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s, b, p := guarded(r, "* * * * *")
		during(t, s, 8*time.Minute+50*time.Second, func() {
			time.Sleep(3*time.Minute + 30*time.Second) // three moments without any approval
			if n := r.injected(); n != 0 {
				t.Errorf("%d faults without an approval", n)
			}
			b.say(t, s, consent.ByPerson, consent.Approve, "ada", "bob") // of a run by hand: not of the schedule
			b.say(t, s, consent.BySchedule, consent.Approve, "bob")
			time.Sleep(time.Minute) // one moment with one of two
			b.say(t, s, consent.BySchedule, consent.Approve, "ada")
			time.Sleep(2 * time.Minute) // two moments that are run
			r.change(p)
			time.Sleep(2 * time.Minute) // and two with approvals of something else
		})
		none := "Invalid: skipped: 0 of 2 approvals of people of operator"
		want := []string{none, none, none, "Invalid: skipped: 1 of 2 approvals of people of operator, by bob", "Passed", "Passed",
			none + "; void because the experiment has changed since: ada, bob", none + "; void because the experiment has changed since: ada, bob"}
		if got := r.states(); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("runs:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n := r.injected(); n != 2 {
			t.Errorf("%d faults", n)
		}
		told := map[string]int{}
		for _, e := range r.events {
			if e.Kind == release.EventUnapproved {
				told[e.Reason]++
				if e.Subject != "experiment restart-one on shop/web in staging is not run: it needs approvals" || !strings.HasSuffix(e.Hint, "seatrial experiment approve restart-one --env staging --schedule") {
					t.Errorf("told %+v", e)
				}
			}
		}
		if len(told) != 3 || told["0 of 2 approvals of people of operator"] != 1 || told["1 of 2 approvals of people of operator, by bob"] != 1 {
			t.Errorf("told %v", told)
		}
		for _, run := range r.runs {
			if v := run.Verdict; run.State == schedule.Invalid && (v == nil || v.Code() != consent.Code || v.Hint() == "") {
				t.Errorf("run %s: verdict %+v", run.ID, v)
			}
		}
	})
}

func TestARunByHandNeedsOtherPeopleForEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s, b, p := guarded(r, "")
		refused := func(by, why string) {
			t.Helper()
			_, err := s.Start(t.Context(), "restart-one", "staging", "", by)
			u, ok := errors.AsType[*schedule.Unapproved](err)
			if !ok || u.Code() != consent.Code || !strings.Contains(err.Error(), why) || !strings.Contains(hint.Of(err), "seatrial experiment approve restart-one --env staging") {
				t.Errorf("%s: %v", by, err)
			}
			plan, err := s.Plan(t.Context(), "restart-one", "staging", "", by)
			if err != nil || plan.Code != consent.Code || !strings.Contains(plan.Why, why) || plan.Hint != hint.Of(u) || len(plan.Aims.Fault.Targets) != 1 {
				t.Errorf("the dry run of %s: %+v %v", by, plan, err)
			}
		}
		during(t, s, 3*time.Minute, func() {
			refused("ada", "0 of 2 approvals")
			b.say(t, s, consent.ByPerson, consent.Approve, "Ada", "bob")
			refused("ada", "1 of 2 approvals of people of operator, by bob; who starts a run does not count: Ada")
			refused("token:ci", "who starts a run does not count: Ada")
			b.say(t, s, consent.ByPerson, consent.Approve, "cem")
			r.change(p)
			refused("ada", "void because the experiment has changed since: bob, cem")
			b.say(t, s, consent.ByPerson, consent.Approve, "bob", "cem")
			if plan, err := s.Plan(t.Context(), "restart-one", "staging", "", "ada"); err != nil || plan.Why != "" {
				t.Errorf("the dry run of what is approved: %+v %v", plan, err)
			}
			if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			refused("ada", "used by an earlier run: bob, cem")
		})
		if got := strings.Join(r.states(), ", "); got != "Passed" || r.injected() != 1 {
			t.Errorf("runs: %s, %d faults", got, r.injected())
		}
	})
}

func TestWhatIsNoLongerApprovedIsNotInjected(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, *rig, *schedule.Scheduler, *ballot, *chaos.Platform)
		want  string
	}{
		"the experiment changes": {func(_ *testing.T, r *rig, _ *schedule.Scheduler, _ *ballot, p *chaos.Platform) { r.change(p) }, "void because the experiment has changed since: ada, bob"},
		"an approval is withdrawn": {func(t *testing.T, _ *rig, s *schedule.Scheduler, b *ballot, _ *chaos.Platform) {
			b.say(t, s, consent.ByPerson, consent.Withdraw, "BOB")
		}, "1 of 2 approvals of people of operator, by ada; withdrawn: BOB"},
		"the rule asks for more": {func(_ *testing.T, r *rig, _ *schedule.Scheduler, _ *ballot, p *chaos.Platform) {
			r.set(func() { p.Environments[0].Spec.Chaos.Approvals.Required = 3 })
		}, "2 of 3 approvals"},
		"the approvals cannot be read, for as long as that is so": {func(_ *testing.T, _ *rig, _ *schedule.Scheduler, b *ballot, _ *chaos.Platform) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.broken = errors.New("the store is away")
		}, schedule.Planned},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			s, b, p := guarded(r, "")
			during(t, s, 12*time.Minute, func() {
				b.say(t, s, consent.ByPerson, consent.Approve, "ada", "bob")
				if _, err := s.Start(t.Context(), "restart-one", "staging", "", "cem"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second) // the steady state is being measured
				c.spoil(t, r, s, b, p)
			})
			if got := r.states(); r.injected() != 0 || len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("%s: %d faults, runs %q", name, r.injected(), got)
			}
		})
	}
}

func TestOfTwoRunsThatWantTheSameApprovalsOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s, b, _ := guarded(r, "")
		b.say(t, s, consent.ByPerson, consent.Approve, "ada", "bob")
		b.before = func() { // another server is faster
			b.mu.Lock()
			defer b.mu.Unlock()
			b.votes[0].Run, b.votes[1].Run = "theirs", "theirs"
		}
		if _, err := s.Start(t.Context(), "restart-one", "staging", "", "cem"); err == nil || !strings.Contains(err.Error(), "used by an earlier run: ada, bob") {
			t.Errorf("started: %v", err)
		}
	})
}

func TestWithoutAPlaceForApprovalsNothingBeginsThatNeedsSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s, _, _ := guarded(r, "* * * * *")
		s.Votes = nil
		during(t, s, 70*time.Second, func() {
			if _, err := s.Start(t.Context(), "restart-one", "staging", "", "cem"); err == nil || !strings.Contains(err.Error(), "not configured") {
				t.Errorf("started: %v", err)
			}
		})
		if got := strings.Join(r.states(), ", "); !strings.Contains(got, "not configured") || r.injected() != 0 {
			t.Errorf("runs: %s", got)
		}
	})
}

func TestTermsNameWhatIsUnknown(t *testing.T) {
	s, _, _ := guarded(newRig(), "")
	if _, err := s.Terms(t.Context(), "none", "staging", "", consent.ByPerson); !errors.Is(err, schedule.ErrUnknownExperiment) {
		t.Errorf("an unknown experiment: %v", err)
	}
	if _, err := s.Terms(t.Context(), "restart-one", "moon", "", consent.ByPerson); !errors.Is(err, schedule.ErrUnknownPlace) {
		t.Errorf("an unknown environment: %v", err)
	}
}
