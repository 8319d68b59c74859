package policies_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

// votes is the smallest store of approvals.
type votes struct{ all []policies.Approval }

func (v *votes) Approvals(context.Context, release.ID, release.Env) ([]policies.Approval, error) {
	return v.all, nil
}

func (v *votes) Approve(_ context.Context, a policies.Approval) error {
	v.all = append(v.all, a)
	return nil
}

// world is one release waiting for prod, with everything around it.
type world struct {
	policies.Approving
	votes   votes
	env     release.Environment
	rules   release.Digest
	now     time.Time
	recheck release.Verdict
	groups  map[string][]string
	release release.Release
	checked int
}

func newWorld() *world {
	w := &world{rules: "sha256:rules", now: time.Date(2026, 10, 6, 2, 0, 0, 0, time.UTC), recheck: release.Pass(), groups: map[string][]string{"bob": {"sre"}, "cat": {"sre"}, "dan": {"devs"}}}
	w.env.Meta.Name = "prod"
	w.env.Spec.Windows = one("Mon-Fri 09:00-18:00", "Asia/Shanghai")
	w.env.Spec.Approvals = release.Approvals{Required: 1, Groups: []string{"sre"}}
	w.release = release.Release{ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Author: "Ann <ann@example.com>", Pusher: "ann", Artifact: artifact(),
		Stages: []release.Stage{{Env: "prod", Manifests: "sha256:manifests"}}}
	w.Approving = policies.Approving{
		Rules: func(context.Context, release.Release) (policies.Rules, error) {
			return policies.Rules{Environment: w.env, Policies: w.rules, Excluded: []string{"eve"}}, nil
		},
		Recheck:   func(context.Context, release.Release) (release.Verdict, error) { w.checked++; return w.recheck, nil },
		Approvals: &w.votes,
		Groups:    func(_ context.Context, person string) ([]string, error) { return w.groups[person], nil },
		Now:       func() time.Time { return w.now },
	}
	return w
}

// says records a vote on what is shown now.
func (w *world) says(t *testing.T, by string, d policies.Decision) error {
	t.Helper()
	c, err := w.Content(t.Context(), w.release)
	if err != nil {
		t.Fatal(err)
	}
	return w.Say(t.Context(), w.release, policies.Approval{By: by, Groups: w.groups[by], Digest: c.Digest(), Decision: d})
}

func TestApprove(t *testing.T) {
	for _, c := range []struct {
		name    string
		votes   []string
		change  func(*world) // after the votes
		outcome release.Outcome
		says    string
		after   time.Duration
		checked int
	}{
		{name: "approved inside the window, and checked again, it may go", votes: []string{"bob"}, outcome: release.Passed, checked: 1},
		{name: "not approved it waits, and nothing is checked yet", outcome: release.Waiting, says: "0 of 1 approvals of sre", after: 30 * time.Second},
		{name: "outside the window it waits exactly until it opens", votes: []string{"bob"}, change: func(w *world) { w.now = w.now.Add(-2 * time.Hour) }, outcome: release.Waiting,
			says: "outside the window Mon-Fri 09:00-18:00 Asia/Shanghai, opens Tue 09:00 Asia/Shanghai", after: time.Hour},
		{name: "both reasons to wait are said", change: func(w *world) { w.now = w.now.Add(-2 * time.Hour) }, outcome: release.Waiting, says: "0 of 1 approvals of sre; outside the window", after: 30 * time.Second},
		{name: "a policy that refuses meanwhile refuses", votes: []string{"bob"}, change: func(w *world) { w.recheck = release.Refuse("unsigned", "sign it") }, outcome: release.Refused, says: "unsigned", checked: 1},
		{name: "new rules make the approval void", votes: []string{"bob"}, change: func(w *world) { w.rules = "sha256:other" }, outcome: release.Waiting, says: "void because the content has changed since: bob", after: 30 * time.Second},
		{name: "other manifests make the approval void", votes: []string{"bob"}, change: func(w *world) { w.release.Stages[0].Manifests = "sha256:other" }, outcome: release.Waiting, says: "void", after: 30 * time.Second},
		{name: "another artifact makes the approval void", votes: []string{"bob"}, change: func(w *world) { w.release.Artifact = &release.Artifact{Digest: "sha256:other"} }, outcome: release.Waiting, says: "void", after: 30 * time.Second},
		{name: "who left the group since does not count", votes: []string{"bob"}, change: func(w *world) { w.groups = nil }, outcome: release.Waiting, says: "bob (is not in sre)", after: 30 * time.Second},
		{name: "who joined the group only since does not count either", votes: []string{"bob"}, change: func(w *world) { w.votes.all[0].Groups = []string{"devs"} }, outcome: release.Waiting, says: "bob (is not in sre)", after: 30 * time.Second},
		{name: "a vote of another release does not count", votes: []string{"bob"}, change: func(w *world) { w.votes.all[0].Release = "shop.web.000000000000" }, outcome: release.Waiting, says: "0 of 1", after: 30 * time.Second},
		{name: "a vote of another environment does not count", votes: []string{"bob"}, change: func(w *world) { w.votes.all[0].Env = "staging" }, outcome: release.Waiting, says: "0 of 1", after: 30 * time.Second},
		{name: "without approvals and windows only the policies are checked", change: func(w *world) { w.env.Spec = release.EnvironmentSpec{} }, outcome: release.Passed, checked: 1},
		{name: "manifests without a digest cannot be approved", votes: []string{"bob"}, change: func(w *world) { w.release.Stages[0].Manifests = "" }, outcome: release.Refused, says: "nothing to bind an approval to"},
		{name: "without a policy check nothing passes", votes: []string{"bob"}, change: func(w *world) { w.Recheck = nil }, outcome: release.Refused, says: "not configured"},
		{name: "without a store nothing passes", votes: []string{"bob"}, change: func(w *world) { w.Approving.Approvals = nil }, outcome: release.Refused, says: "not configured"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			for _, by := range c.votes {
				if err := w.says(t, by, policies.Approve); err != nil {
					t.Fatal(err)
				}
			}
			if c.change != nil {
				c.change(w)
			}
			facts, v, err := w.Approve(t.Context(), "key", w.release)
			if err != nil || facts.Artifact != nil {
				t.Fatal(err)
			}
			if v.Outcome() != c.outcome || !strings.Contains(v.Reason(), c.says) || v.After() != c.after || w.checked != c.checked {
				t.Errorf("%v %q after %s, checked %d times", v.Outcome(), v.Reason(), v.After(), w.checked)
			}
		})
	}
}

func TestApproveThatCannotAsk(t *testing.T) {
	down := errors.New("no answer")
	for name, change := range map[string]func(*world){
		"rules that cannot be read": func(w *world) {
			w.Rules = func(context.Context, release.Release) (policies.Rules, error) { return policies.Rules{}, down }
		},
		"policies that cannot be asked": func(w *world) {
			w.Recheck = func(context.Context, release.Release) (release.Verdict, error) { return release.Verdict{}, down }
		},
		"groups that cannot be read": func(w *world) {
			w.Groups = func(context.Context, string) ([]string, error) { return nil, down }
		},
	} {
		t.Run(name+" are an error that is tried again", func(t *testing.T) {
			w := newWorld()
			if err := w.says(t, "bob", policies.Approve); err != nil {
				t.Fatal(err)
			}
			change(w)
			_, v, err := w.Approve(t.Context(), "key", w.release)
			if !errors.Is(err, down) || v.Outcome() != release.NoOutcome || !strings.HasPrefix(err.Error(), "approve shop.web.3f2a91c07d0b for prod: ") {
				t.Errorf("%v, %v", v.Outcome(), err)
			}
		})
	}
	t.Run("a window that cannot be read waits for the platform repo, with a hint", func(t *testing.T) {
		w := newWorld()
		w.env.Spec.Windows = one("whenever", "")
		if _, _, err := w.Approve(t.Context(), "key", w.release); err == nil || hint.Of(err) == "" {
			t.Errorf("err = %v", err)
		}
	})
}

func TestSay(t *testing.T) {
	w := newWorld()
	for _, c := range []struct {
		name, by string
		decision policies.Decision
		refused  string
	}{
		{name: "somebody of the group may approve", by: "bob", decision: policies.Approve},
		{name: "the pusher may not", by: "Ann", decision: policies.Approve, refused: "has a hand in the change"},
		{name: "the author by address may not", by: "ann@example.com", decision: policies.Approve, refused: "has a hand in the change"},
		{name: "a committer may not", by: "eve", decision: policies.Approve, refused: "has a hand in the change"},
		{name: "somebody of another group may not", by: "dan", decision: policies.Approve, refused: "is not in [sre]"},
		{name: "anybody may reject", by: "dan", decision: policies.Reject},
		{name: "and withdraw", by: "dan", decision: policies.Withdraw},
		{name: "nobody may say nothing", by: "", decision: policies.Reject, refused: "nobody is named"},
		{name: "a word that is none is refused", by: "bob", decision: "maybe", refused: "none of approve, reject, withdraw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(w.votes.all)
			err := w.says(t, c.by, c.decision)
			if c.refused == "" && (err != nil || len(w.votes.all) != before+1) {
				t.Errorf("err = %v, %d votes", err, len(w.votes.all))
			}
			if c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused) || len(w.votes.all) != before) {
				t.Errorf("err = %v, %d votes", err, len(w.votes.all))
			}
		})
	}
	t.Run("what was shown is no longer what is there", func(t *testing.T) {
		err := w.Say(t.Context(), w.release, policies.Approval{By: "bob", Groups: []string{"sre"}, Digest: shown, Decision: policies.Approve})
		if err == nil || hint.Of(err) == "" {
			t.Errorf("err = %v", err)
		}
	})
}
