// Package trial is the sea trial of a release: its SLOs without and with each experiment
// of the environment, one experiment after the other, and where the environment has two
// rings beside the last verified release under the same fault at the same time.
//
// Start at Trial.Run. It never breaks anything itself: chaos.Engine does, one saved step
// at a time, and it never gives a verdict while a fault of either side may still be active.
package trial

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// Trial is the sea trial of a release: its SLOs without and with each experiment of the
// environment, on the first target that allows it.
type Trial struct {
	Platform func(context.Context) (chaos.Platform, error)
	Engine   *chaos.Engine
	Log      *slog.Logger

	// Stuck hears of a fault that nobody watches and that could not be removed for a while,
	// each time; nil: nobody does.
	Stuck func(context.Context, chaos.Found, error) error

	mu      sync.Mutex           // guards failing
	failing map[string]time.Time // faults that could not be removed, since when
}

// Run is the action of Trying. It does one thing, returns how far it has come in the
// facts, and asks to be called again; the intent to break something is returned, and so
// saved, before the call that does it.
func (tr *Trial) Run(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	p, err := tr.Platform(ctx)
	if err != nil {
		return release.Facts{}, release.Verdict{}, fmt.Errorf("read the platform: %w", err)
	}
	t := chaos.Resume(r.Now().Trial)
	s, verdict := tr.next(p, r, t)
	env, _ := environment(p, r.Env())
	switch {
	case verdict != nil && chaos.Progress(t).Live: // the platform changed under an active fault: it goes first
		s = leftover(r, t.Fault)
		t = chaos.Abort(t, t.Fault.Experiment, verdict.Reason(), tr.Engine.Now())
	case verdict != nil && besideLive(t):
		t, v, err := tr.settle(ctx, r, t, verdict.Reason())
		return release.Facts{Trial: &t}, v, err
	case verdict != nil:
		return release.Facts{Trial: r.Now().Trial}, *verdict, nil
	}
	before := t.Step
	t, v, err := tr.step(ctx, p, r, s, t)
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	if t.Step != before {
		tr.Log.Info("trial", "release", r.ID, "env", r.Env(), "experiment", s.Experiment.Meta.Name, "from", before, "to", t.Step, "attempt", t.Attempt)
	}
	return advance(t, v, env.Spec.Trial.Experiments)
}

// step does the next thing of the candidate, and of the last verified release beside it
// where there is one.
func (tr *Trial) step(ctx context.Context, p chaos.Platform, r release.Release, s chaos.Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	if other, ok := beside(p, r, s, t); ok {
		return tr.together(ctx, r, s, other, t)
	}
	return tr.Engine.Step(ctx, s, t)
}

// next is what the trial's current experiment is run against; or the verdict when there is
// nothing to run, or it cannot be run.
func (tr *Trial) next(p chaos.Platform, r release.Release, t release.Trial) (chaos.Subject, *release.Verdict) {
	held := func(format string, args ...any) *release.Verdict {
		v := release.Inconclusive(fmt.Sprintf(format, args...), "correct the platform repo, then: seatrial release retry "+string(r.ID))
		return &v
	}
	env, ok := environment(p, r.Env())
	if !ok {
		return chaos.Subject{}, held("environment %s does not exist any more", r.Env())
	}
	names := env.Spec.Trial.Experiments
	switch {
	case len(names) == 0:
		reason := fmt.Sprintf("no experiment is configured for %s: nothing was broken", r.Env())
		v := release.Pass(release.Evidence{Gate: "trial", Claim: reason, Holds: true}).Because(reason)
		return chaos.Subject{}, &v
	case t.Experiment >= len(names):
		v := chaos.Replay(t, nil)
		return chaos.Subject{}, &v
	case chaos.Progress(t).Live && t.Fault.Experiment != names[t.Experiment]:
		return chaos.Subject{}, held("experiment %s was taken out of the trial of %s", t.Fault.Experiment, r.Env())
	}
	s, problem := subject(p, env, r, names[t.Experiment], t)
	if problem != "" {
		return s, held("%s", problem)
	}
	return s, nil
}

// leftover is enough of a subject to revert a fault whose experiment is gone.
func leftover(r release.Release, f *release.FaultRecord) chaos.Subject {
	s := chaos.Subject{Release: r.ID, Service: r.Service, Env: r.Env(), Cluster: f.Cluster, Revision: r.Now().Desired}
	s.Experiment.Meta.Name = f.Experiment
	s.Experiment.Spec.Fault = release.Fault{Kind: f.Kind, Action: f.Action, Namespace: f.Namespace}
	return s
}

// advance goes on to the next experiment when one has passed.
func advance(t release.Trial, v release.Verdict, experiments []string) (release.Facts, release.Verdict, error) {
	if !chaos.Progress(t).Ended || v.Outcome() != release.Passed {
		return release.Facts{Trial: &t}, v, nil
	}
	if t.Experiment+1 >= len(experiments) {
		return release.Facts{Trial: &t}, chaos.Replay(t, nil), nil
	}
	t = chaos.Follow(t, t.Experiment+1, experiments[t.Experiment+1])
	return release.Facts{Trial: &t}, release.Wait(v.Reason()+"; the next experiment follows", 0), nil
}

// subject is what an experiment of a release's trial is run against, or why it cannot be.
func subject(p chaos.Platform, env release.Environment, r release.Release, name string, t release.Trial) (chaos.Subject, string) {
	x, ok := p.Experiments[name]
	if !ok {
		return chaos.Subject{}, fmt.Sprintf("experiment %s of environment %s does not exist", name, env.Meta.Name)
	}
	if other := x.Spec.Service; other != "" && other != r.Service {
		return chaos.Subject{}, fmt.Sprintf("experiment %s is for %s, not for %s", name, other, r.Service)
	}
	stage := r.Now()
	cluster := ""
	if chaos.Progress(t).Live {
		cluster = t.Fault.Cluster
	}
	for _, w := range stage.Waves {
		for _, x := range w.Targets {
			if cluster == "" && x.State == "Healthy" && x.Revision == stage.Desired && p.Clusters[x.Cluster].Spec.Chaos {
				cluster = x.Cluster
			}
		}
	}
	if cluster == "" {
		return chaos.Subject{}, fmt.Sprintf("cannot inject: no healthy target of %s has chaos: true", env.Meta.Name)
	}
	namespaces := p.Projects[r.Project].Spec.Namespaces
	x = chaos.Aim(x, r.Service, namespaces)
	s := chaos.Subject{
		Release: r.ID, Service: r.Service, Env: r.Env(), Cluster: cluster, Revision: stage.Desired,
		Namespaces: namespaces, OptIn: p.Clusters[cluster].Spec.ChaosOptIn, Experiment: x, Observe: observe(env.Spec.Trial.Observe.Std()),
		Baseline: baselineOf(r, cluster, x.Spec.Hypothesis), Compare: env.Spec.Trial.Compare,
	}
	if stage.Previous != nil {
		s.Before = stage.Previous.Trial
	}
	return s, ""
}

func observe(d time.Duration) time.Duration {
	if d == 0 {
		return time.Minute
	}
	return d
}

// baselineOf is what the wave's slo gate measured on the cluster at the revision that is on
// trial: the cells without a fault. Nil when it did not measure all that is wanted.
func baselineOf(r release.Release, cluster string, wanted []string) []release.Evidence {
	found := map[string]release.Evidence{}
	var names []string
	for _, j := range r.Verdicts {
		if j.Gate != "slo" || j.Env != r.Env() || j.Verdict.Outcome() != release.Passed {
			continue
		}
		for _, ev := range j.Verdict.Evidence() {
			if slo := ev.Facts["slo"]; slo != "" && ev.Cluster == cluster && ev.Revision == r.Now().Desired {
				if _, again := found[slo]; !again {
					names = append(names, slo)
				}
				found[slo] = ev
			}
		}
	}
	if len(wanted) > 0 {
		names = wanted
	}
	var all []release.Evidence
	for _, n := range names {
		ev, ok := found[n]
		if !ok {
			return nil
		}
		all = append(all, ev)
	}
	return all
}

func environment(p chaos.Platform, env release.Env) (release.Environment, bool) {
	for _, e := range p.Environments {
		if e.Meta.Name == string(env) {
			return e, true
		}
	}
	return release.Environment{}, false
}
