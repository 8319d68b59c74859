package trial_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/release"
)

func TestTrial(t *testing.T) {
	tests := []struct {
		name   string
		action string
		change func(*world)
		want   release.Outcome
		reason []string
	}{
		{"what holds under a killed pod passes", "pod-kill", nil, release.Passed,
			[]string{"availability was 99.5 % while PodChaos pod-kill was active (objective 99 %)", "recovered within 2 s"}},
		{"what holds under a failed pod passes", "pod-failure", nil, release.Passed, []string{"PodChaos pod-failure"}},
		{"what breaks under the fault is refused, with both figures", "pod-kill", func(w *world) { w.goodUnder = 0.912 }, release.Refused,
			[]string{"availability fell to 91.2 % while PodChaos pod-kill was active (objective 99 %; 99.9 % without it)"}},
		{"a little too much is refused at the end of the window", "pod-kill", func(w *world) { w.goodUnder = 0.985 }, release.Refused, []string{"98.5 %"}},
		{"what is broken without a fault is refused and nothing is injected", "pod-kill", func(w *world) { w.goodWithout = 0.9 }, release.Refused,
			[]string{"availability is 90 % without any fault (objective 99 %)"}},
		{"a service that does not come back is refused", "pod-kill", func(w *world) { w.replaceAfter = time.Hour }, release.Refused,
			[]string{"it did not recover from PodChaos pod-kill within 2m0s: 2 pods are ready, there were 3"}},
		{"a service that an autoscaler has made smaller has come back", "pod-kill", func(w *world) { w.replaceAfter, w.wanted = time.Hour, 2 }, release.Passed, nil},
		{"no Chaos Mesh is neither", "pod-kill", func(w *world) {
			w.cannot = &chaos.CannotInject{Cluster: "staging", Cause: "Chaos Mesh is not installed: the cluster knows no PodChaos", Final: true}
		}, release.Undetermined, []string{"cannot inject: Chaos Mesh is not installed"}},
		{"a webhook that stays away is neither", "pod-kill", func(w *world) {
			w.cannot = &chaos.CannotInject{Cluster: "staging", Cause: "Chaos Mesh's webhook does not answer"}
		}, release.Undetermined, []string{"cannot inject: Chaos Mesh's webhook does not answer"}},
		{"a fault that fails to apply is neither", "pod-kill", func(w *world) { w.never = "unable to set tcs" }, release.Undetermined, []string{"cannot inject: unable to set tcs"}},
		{"no target is neither", "pod-kill", func(w *world) { w.never = "no target" }, release.Undetermined, []string{"cannot inject: no target has been selected"}},
		{"a controller that never looks is neither", "pod-kill", func(w *world) { w.never = "no controller" }, release.Undetermined, []string{"cannot inject: Chaos Mesh did not look at the fault within 30s"}},
		{"a status that lies is neither", "pod-kill", func(w *world) { w.lies = true }, release.Undetermined, []string{"cannot inject: Chaos Mesh says it was injected, but pod shop/web-", "was not killed"}},
		{"too little traffic is neither", "pod-kill", func(w *world) { w.events = 1 }, release.Undetermined, []string{"not measured without a fault"}},
		{"too few ready pods are neither", "pod-kill", func(w *world) { w.pods = w.pods[:1] }, release.Undetermined, []string{"nothing was injected: 1 of 1 pods are ready, the limit asks for 2"}},
		{"a fault that cannot be removed is neither, and says so", "pod-kill", func(w *world) { w.removeAfter = time.Hour }, release.Undetermined,
			[]string{"could not be removed within 1m0s: its finalizer stays"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if tt.change != nil {
				tt.change(w)
			}
			r, v := journey(t, w, platform(tt.action), onTrial(), func(_ int, r release.Release, v release.Verdict) {
				if v.Outcome() == release.Refused && len(w.faults) > 0 {
					t.Error("refused while the fault exists")
				}
			})
			if v.Outcome() != tt.want {
				t.Errorf("got %v %q, want %v", v.Outcome(), v.Reason(), tt.want)
			}
			for _, reason := range tt.reason {
				if !strings.Contains(v.Reason(), reason) {
					t.Errorf("reason %q does not say %q", v.Reason(), reason)
				}
			}
			if len(w.faults) > 0 && tt.want != release.Undetermined {
				t.Errorf("left behind: %v", w.faults)
			}
			replay(t, r, v)
		})
	}
}

// replay reads the stored trial again and wants the same verdict from its evidence.
func replay(t *testing.T, r release.Release, v release.Verdict) {
	t.Helper()
	stored, err := json.Marshal(r.Now().Trial)
	if err != nil {
		t.Fatal(err)
	}
	var trial release.Trial
	if err := json.Unmarshal(stored, &trial); err != nil {
		t.Fatal(err)
	}
	again := chaos.Replay(trial, func(ev release.Evidence) (release.Outcome, error) {
		for _, o := range []release.Outcome{release.Passed, release.Refused, release.Undetermined, release.Waiting} {
			if o.String() == ev.Facts["outcome"] {
				return o, nil
			}
		}
		return release.NoOutcome, fmt.Errorf("no outcome")
	})
	if again.Outcome() != v.Outcome() || again.Reason() != v.Reason() {
		t.Errorf("replayed to %v %q, was %v %q", again.Outcome(), again.Reason(), v.Outcome(), v.Reason())
	}
}

func TestTrialSavesTheIntentBeforeItActs(t *testing.T) {
	w := newWorld()
	saved := map[string]bool{}
	journey(t, w, platform("pod-kill"), onTrial(), func(_ int, r release.Release, _ release.Verdict) {
		for name := range w.faults {
			if !saved[name] {
				t.Errorf("fault %s existed before it was saved", name)
			}
		}
		if f := r.Now().Trial.Fault; f != nil {
			saved[f.Name] = true
		}
	})
	if got := strings.Join(w.log, " "); got != "inject revert gone" {
		t.Errorf("it did %s", got)
	}
}

// A crash loses what one call returned: the call is made again from what was saved before.
func TestTrialSurvivesACrashAtEveryStep(t *testing.T) {
	calls := 0
	journey(t, newWorld(), platform("pod-kill"), onTrial(), func(n int, _ release.Release, _ release.Verdict) { calls = n })
	for crash := range calls + 1 {
		w, p, r := newWorld(), platform("pod-kill"), onTrial()
		tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: w.engine(), Log: slog.New(slog.DiscardHandler)}
		var v release.Verdict
		for n := 0; v.Outcome() != release.Passed; n++ {
			if n > 2000 {
				t.Fatalf("crash at call %d: never ended, in %+v", crash, r.Now().Trial)
			}
			facts, verdict, err := tr.Run(t.Context(), "", r)
			if err != nil {
				t.Fatal(err)
			}
			if n == crash {
				w.now = w.now.Add(time.Second) // the server comes back
				continue
			}
			r, v = r.With(facts), verdict
			w.now = w.now.Add(max(v.After(), 10*time.Millisecond))
			if v.Outcome() != release.Waiting && v.Outcome() != release.Passed {
				t.Fatalf("crash at call %d: %v %s", crash, v.Outcome(), v.Reason())
			}
		}
		if w.injected != 1 || len(w.faults) != 0 {
			t.Errorf("crash at call %d: injected %d times, left %d", crash, w.injected, len(w.faults))
		}
	}
}

func TestTrialTriesAgainWhenAFaultEndedBeforeItWasMeasured(t *testing.T) {
	w := newWorld()
	away := false
	r, v := journey(t, w, platform("pod-failure"), onTrial(), func(_ int, r release.Release, _ release.Verdict) {
		if r.Now().Trial.Step == "injecting" && !away {
			away = true
			w.now = w.now.Add(10 * time.Minute) // the server was away; the duration has ended the fault
		}
	})
	if v.Outcome() != release.Passed || r.Now().Trial.Attempt != 2 || w.injected != 2 {
		t.Errorf("%v %q, attempt %d, injected %d times", v.Outcome(), v.Reason(), r.Now().Trial.Attempt, w.injected)
	}
}

func TestTrialRevertsInTimeWithoutPrometheusAndJudgesLater(t *testing.T) {
	w := newWorld()
	var gone time.Time
	_, v := journey(t, w, platform("pod-kill"), onTrial(), func(n int, r release.Release, _ release.Verdict) {
		step := r.Now().Trial.Step
		if step == "measuring" {
			w.down = true
		}
		if step == "recovering" && gone.IsZero() {
			gone = w.now
		}
		if step == "judging" && w.now.Sub(gone) > 5*time.Minute {
			w.down = false
		}
	})
	if v.Outcome() != release.Passed {
		t.Errorf("%v %q", v.Outcome(), v.Reason())
	}
	if gone.Sub(begin) > time.Minute {
		t.Errorf("the fault stayed for %s", gone.Sub(begin))
	}
}

func TestTrialMeasuresAgainWhatPrometheusMissed(t *testing.T) {
	w := newWorld()
	w.lost = true
	r, v := journey(t, w, platform("pod-kill"), onTrial(), nil)
	if v.Outcome() != release.Passed || w.injected != 2 || r.Now().Trial.Attempt != 2 || len(w.faults) > 0 {
		t.Errorf("%v %q, injected %d times, attempt %d", v.Outcome(), v.Reason(), w.injected, r.Now().Trial.Attempt)
	}
	replay(t, r, v)
}

func TestTrialWaitsForAClusterThatIsAway(t *testing.T) {
	for _, step := range []string{"steady", "planned", "injecting", "measuring", "reverting", "recovering"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld()
			since := time.Time{}
			_, v := journey(t, w, platform("pod-kill"), onTrial(), func(_ int, r release.Release, _ release.Verdict) {
				if r.Now().Trial.Step == step && since.IsZero() {
					w.unreachable, since = true, w.now
				}
				if w.unreachable && w.now.Sub(since) > 10*time.Second {
					w.unreachable = false
				}
			})
			if v.Outcome() != release.Passed || len(w.faults) > 0 {
				t.Errorf("%v %q, left %d", v.Outcome(), v.Reason(), len(w.faults))
			}
		})
	}
}

// after is a release on trial after one that was verified with these shares of good events.
func after(without, under float64) release.Release {
	r := onTrial()
	cells := map[string]release.Ratio{}
	for what, share := range map[string]float64{"baseline": without, "fault": under} {
		cells[chaos.CellKey("pod-kill", "web-availability", "staging", what)] = release.Ratio{Good: share * 100_000, Total: 100_000}
	}
	r.Stages[0].Previous = &release.Placed{Trial: &release.Trial{Cells: cells, Broke: map[string]string{"pod-kill": "PodChaos pod-kill of 1"}}}
	return r
}

func compares(worse string) *chaos.Platform {
	p := platform("pod-kill")
	p.Environments[0].Spec.Trial.Compare = release.CompareSpec{Worse: worse, Tolerance: 0.5}
	return p
}

func TestTrialComparesWithTheLastVerifiedRelease(t *testing.T) {
	for _, c := range []struct {
		name   string
		worse  string
		under  float64
		before release.Release
		want   release.Outcome
		faults int
		says   string
	}{
		{"below the objective that decides, and the other is told", release.WorseRefuse, 0.95, after(0.999, 0.9998), release.Refused, 1,
			"the last verified release had 99.98 % under the same fault"},
		{"no worse passes", release.WorseRefuse, 0.995, after(0.999, 0.996), release.Passed, 1, "no worse than the last verified release"},
		{"worse within the objective is tried twice and refused", release.WorseRefuse, 0.991, after(0.999, 0.9998), release.Refused, 2,
			"availability keeps its objective and is worse than the last verified release (less-resilient): 99.9 % without the fault and 99.1 % under it, that one had 99.9 % and 99.98 %"},
		{"or held", release.WorseHold, 0.991, after(0.999, 0.9998), release.Undetermined, 2, "less-resilient"},
		{"or told", release.WorseTell, 0.991, after(0.999, 0.9998), release.Passed, 1, "but the fault changes it by -0."},
		{"a fault that changes nothing is no reason", release.WorseRefuse, 0.999, after(0.99999, 0.999), release.Passed, 1, "no worse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.goodUnder, w.events = c.under, 1000
			r, v := journey(t, w, compares(c.worse), c.before, nil)
			if v.Outcome() != c.want || !strings.Contains(v.Reason(), c.says) || w.injected != c.faults {
				t.Errorf("%v after %d faults: %q", v.Outcome(), w.injected, v.Reason())
			}
			replay(t, r, v)
		})
	}
}

func TestTrialThatWasWorseOnceByLuckPasses(t *testing.T) {
	w := newWorld()
	w.goodUnder, w.events = 0.991, 1000
	r, v := journey(t, w, compares(release.WorseRefuse), after(0.999, 0.9998), func(_ int, r release.Release, _ release.Verdict) {
		if r.Now().Trial.Attempt == 2 {
			w.goodUnder = 0.9995
		}
	})
	if v.Outcome() != release.Passed || w.injected != 2 || !strings.Contains(v.Reason(), "no worse than the last verified release") {
		t.Errorf("%v after %d faults: %q", v.Outcome(), w.injected, v.Reason())
	}
	replay(t, r, v)
}

func TestTrialComparesOnlyTheSameFault(t *testing.T) {
	r := after(0.999, 0.9998)
	r.Stages[0].Previous.Trial.Broke["pod-kill"] = "PodChaos pod-kill of 2"
	w := newWorld()
	w.goodUnder, w.events = 0.991, 1000
	_, v := journey(t, w, compares(release.WorseRefuse), r, nil)
	if v.Outcome() != release.Passed || !strings.Contains(v.Reason(), "tried with another fault: PodChaos pod-kill of 2, now PodChaos pod-kill of 1") {
		t.Errorf("%v %q", v.Outcome(), v.Reason())
	}
}

func TestScoreOfATrial(t *testing.T) {
	w := newWorld()
	w.goodUnder = 0.994 // half of what an objective of 99 % allows below 99.9 %
	r, _ := journey(t, w, platform("pod-kill"), onTrial(), nil)
	if got := r.Now().Trial.Score; got == nil || *got < 49 || *got > 51 {
		t.Errorf("%v", got)
	}
	w = newWorld()
	w.replaceAfter = time.Hour
	r, _ = journey(t, w, platform("pod-kill"), onTrial(), nil)
	if got := r.Now().Trial.Score; got == nil || *got != 0 {
		t.Errorf("not recovered: %v", got)
	}
}

func TestTrialUsesWhatTheGateMeasured(t *testing.T) {
	r := onTrial()
	ev := cellOf(0.998, 5000, "staging", begin.Add(-time.Minute), begin, true)
	ev.Revision = desired
	r.Verdicts = []release.Judgement{{Gate: "slo", Env: "staging", Verdict: release.Pass(ev)}}
	w := newWorld()
	w.goodUnder = 0.9
	after, v := journey(t, w, platform("pod-kill"), r, nil)
	if !strings.Contains(v.Reason(), "99.8 % without it") {
		t.Errorf("%q", v.Reason())
	}
	if !slices.Contains(w.log, "inject") || w.now.Sub(begin) > 20*time.Second {
		t.Errorf("it measured the steady state again: %s", w.now.Sub(begin))
	}
	ev.Revision = "0000000000000000000000000000000000000000"
	r.Verdicts[0].Verdict = release.Pass(ev)
	w = newWorld()
	w.goodUnder = 0.9
	_, v = journey(t, w, platform("pod-kill"), r, nil)
	if strings.Contains(v.Reason(), "99.8 % without it") {
		t.Errorf("it used evidence of another revision: %q", v.Reason())
	}
	_ = after
}

func TestTrialRunsEveryExperiment(t *testing.T) {
	w := newWorld()
	r, v := journey(t, w, platform("pod-kill", "container-kill", "pod-kill"), onTrial(), nil)
	if v.Outcome() != release.Passed || w.injected != 3 {
		t.Errorf("%v %q after %d faults", v.Outcome(), v.Reason(), w.injected)
	}
	replay(t, r, v)
}

// A pod that is hit may be evicted, scaled away or rolled over while it is: what is left is
// measured and put back, and the pod that took its place is waited for.
func TestTargetsThatVanishInTheMiddleAreNoReasonToStop(t *testing.T) {
	w := newWorld()
	gone := false
	r, v := journey(t, w, platform("pod-failure"), onTrial(), func(_ int, r release.Release, _ release.Verdict) {
		if r.Now().Trial.Step != "measuring" || gone {
			return
		}
		gone = true
		for i, p := range w.pods {
			if p.ID() == r.Now().Trial.Fault.Targets[0] {
				w.pods[i] = chaos.Pod{Namespace: "shop", Name: "web-instead", UID: "another", ReadySince: w.now.Add(3 * time.Second)}
			}
		}
	})
	if !gone || v.Outcome() != release.Passed || len(w.faults) > 0 {
		t.Errorf("%v %q, left %d", v.Outcome(), v.Reason(), len(w.faults))
	}
	replay(t, r, v)
}

func TestAnAbortedFaultThatLeftNoTraceIsOverSoon(t *testing.T) {
	w, p := newWorld(), platform("pod-failure")
	w.lies = true // the pods never showed it
	var aborted time.Time
	_, v := journey(t, w, p, onTrial(), func(_ int, r release.Release, _ release.Verdict) {
		if r.Now().Trial.Step == "measuring" && aborted.IsZero() {
			aborted, p.Environments = w.now, nil
		}
	})
	if v.Outcome() != release.Undetermined || w.now.Sub(aborted) > 20*time.Second {
		t.Errorf("%v %q after %s", v.Outcome(), v.Reason(), w.now.Sub(aborted))
	}
}

func TestTrialRetriedByAPersonBeginsAgain(t *testing.T) {
	w := newWorld()
	w.never = "unable to set tcs"
	r, v := journey(t, w, platform("pod-kill"), onTrial(), nil)
	if v.Outcome() != release.Undetermined {
		t.Fatalf("%v", v.Outcome())
	}
	w.never = ""
	r, v = journey(t, w, platform("pod-kill"), r, nil)
	if v.Outcome() != release.Passed || r.Now().Trial.Attempt != 2 {
		t.Errorf("%v %q attempt %d", v.Outcome(), v.Reason(), r.Now().Trial.Attempt)
	}
}

func TestKillSwitchRevertsAndWaits(t *testing.T) {
	w := newWorld()
	stop, seen := "", false
	p, r := platform("pod-kill"), onTrial()
	e := w.engine()
	e.Stop = func() string { return stop }
	tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: e, Log: slog.New(slog.DiscardHandler)}
	var v release.Verdict
	for n := 0; v.Outcome() != release.Passed && n < 2000; n++ {
		facts, verdict, err := tr.Run(t.Context(), "", r)
		if err != nil {
			t.Fatal(err)
		}
		r, v = r.With(facts), verdict
		w.now = w.now.Add(max(v.After(), 10*time.Millisecond))
		if r.Now().Trial.Step == "measuring" && !seen {
			seen, stop = true, "the kill switch is on"
		}
		if stop != "" && v.Reason() == stop {
			if len(w.faults) > 0 {
				t.Error("stopped and the fault is still there")
			}
			stop = ""
		}
	}
	if v.Outcome() != release.Passed || w.injected != 2 {
		t.Errorf("%v %q after %d faults", v.Outcome(), v.Reason(), w.injected)
	}
}

func TestTrialWithoutWhatItNeeds(t *testing.T) {
	tests := []struct {
		name   string
		change func(*chaos.Platform, *release.Release)
		want   release.Outcome
		reason string
	}{
		{"no experiments pass and say so", func(p *chaos.Platform, _ *release.Release) { p.Environments[0].Spec.Trial.Experiments = nil }, release.Passed, "no experiment is configured for staging"},
		{"an experiment that does not exist holds", func(p *chaos.Platform, _ *release.Release) { delete(p.Experiments, "pod-kill") }, release.Undetermined, "experiment pod-kill of environment staging does not exist"},
		{"no chaos cluster holds", func(p *chaos.Platform, _ *release.Release) { p.Clusters["staging"] = release.Cluster{} }, release.Undetermined, "cannot inject: no healthy target of staging has chaos: true"},
		{"a namespace of another project holds", func(p *chaos.Platform, _ *release.Release) { p.Projects["shop"] = release.Project{} }, release.Undetermined, "nothing was injected: experiment pod-kill: namespace shop is not one of the project's"},
		{"another service's experiment holds", func(p *chaos.Platform, _ *release.Release) {
			x := p.Experiments["pod-kill"]
			x.Spec.Service = "pay/api"
			p.Experiments["pod-kill"] = x
		}, release.Undetermined, "is for pay/api, not for shop/web"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, p, r := newWorld(), platform("pod-kill"), onTrial()
			tt.change(p, &r)
			_, v := journey(t, w, p, r, nil)
			if v.Outcome() != tt.want || !strings.Contains(v.Reason(), tt.reason) || w.injected > 0 {
				t.Errorf("%v %q, injected %d", v.Outcome(), v.Reason(), w.injected)
			}
		})
	}
}

func TestTrialRevertsAFaultWhoseExperimentIsTakenAway(t *testing.T) {
	for name, change := range map[string]func(*chaos.Platform){
		"the experiment":       func(p *chaos.Platform) { delete(p.Experiments, "pod-kill") },
		"its place":            func(p *chaos.Platform) { p.Environments[0].Spec.Trial.Experiments = nil },
		"another in its place": func(p *chaos.Platform) { p.Environments[0].Spec.Trial.Experiments = []string{"pod-failure"} },
		"the environment":      func(p *chaos.Platform) { p.Environments = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w, p := newWorld(), platform("pod-kill")
			_, v := journey(t, w, p, onTrial(), func(_ int, r release.Release, _ release.Verdict) {
				if r.Now().Trial != nil && r.Now().Trial.Step == "measuring" {
					change(p)
				}
			})
			// Without any experiment there is nothing left to try.
			want := release.Undetermined
			if name == "its place" {
				want = release.Passed
			}
			if v.Outcome() != want || w.injected != 1 || len(w.faults) > 0 {
				t.Errorf("%v %q, left %d", v.Outcome(), v.Reason(), len(w.faults))
			}
		})
	}
}

func TestSweepAndRevertAllTakeOnlyTheirOwn(t *testing.T) {
	w, p := newWorld(), platform("pod-kill")
	tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: w.engine(), Log: slog.New(slog.DiscardHandler)}
	tr.Engine.Now = time.Now
	w.removeAfter = 0
	for i, id := range []release.ID{"shop.web.1", "shop.web.2", "shop.api.3"} {
		o := chaos.Order{Fault: release.FaultRecord{Kind: "PodChaos", Action: "pod-kill", Name: fmt.Sprint("run-", i), Cluster: "staging"}, Release: id}
		if err := w.Inject(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.RevertAll(t.Context(), "shop.web.1"); err != nil || len(w.faults) != 2 {
		t.Errorf("%v, left %d", err, len(w.faults))
	}
	gone, err := tr.Sweep(t.Context(), func(run string) bool { return run == "run-2" })
	if err != nil || len(gone) != 1 || gone[0].Name != "run-1" || len(w.faults) != 1 {
		t.Errorf("swept %v %v, left %d", gone, err, len(w.faults))
	}
	w.unreachable = true
	if err := tr.RevertAll(t.Context(), "shop.api.3"); err == nil {
		t.Error("a cluster that is away has no faults")
	}
}

func TestAPersonIsCalledToAnOrphanThatResists(t *testing.T) {
	synctest.Test(t, resists)
}

func resists(t *testing.T) {
	w, p := newWorld(), platform("pod-kill")
	now := time.Now()
	var told []string
	tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: w.engine(), Log: slog.New(slog.DiscardHandler),
		Stuck: func(_ context.Context, f chaos.Found, err error) error {
			told = append(told, f.Fault.Name+": "+err.Error())
			return nil
		}}
	tr.Engine.Now = func() time.Time { return now }
	o := chaos.Order{Fault: release.FaultRecord{Kind: "PodChaos", Action: "pod-kill", Name: "run-1", Cluster: "staging"}}
	if err := w.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sweep := func() error {
		_, err := tr.Sweep(t.Context(), func(string) bool { return false })
		return err
	}
	w.removeAfter = 1000
	if err := sweep(); err == nil || len(told) > 0 {
		t.Errorf("the first time: %v, told %q", err, told)
	}
	now = now.Add(time.Minute)
	if err := sweep(); err == nil || len(told) != 1 || !strings.HasPrefix(told[0], "run-1: ") {
		t.Errorf("a minute later: %v, told %q", err, told)
	}
	w.removeAfter = 0
	if err := sweep(); err != nil || len(w.faults) != 0 || len(told) != 1 {
		t.Errorf("in the end: %v, %d left, told %q", err, len(w.faults), told)
	}
}
