package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Platform is what the platform repo says, as far as it matters here.
type Platform struct {
	Clusters     map[string]release.Cluster
	Environments []release.Environment
	Projects     map[string]release.Project
	Experiments  map[string]release.Experiment
}

func (p Platform) environment(env release.Env) (release.Environment, bool) {
	for _, e := range p.Environments {
		if e.Meta.Name == string(env) {
			return e, true
		}
	}
	return release.Environment{}, false
}

// chaotic lists the clusters that faults may be injected into, by name.
func (p Platform) chaotic() []string {
	var names []string
	for name, c := range p.Clusters {
		if c.Spec.Chaos {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Trial is the sea trial of a release: its SLOs without and with each experiment of the
// environment, on the first target that allows it.
type Trial struct {
	Platform func(context.Context) (Platform, error)
	Engine   *Engine
	Log      *slog.Logger
}

// Run is the action of Trying. It does one thing, returns how far it has come in the
// facts, and asks to be called again; the intent to break something is returned, and so
// saved, before the call that does it.
func (tr *Trial) Run(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	p, err := tr.Platform(ctx)
	if err != nil {
		return release.Facts{}, release.Verdict{}, fmt.Errorf("read the platform: %w", err)
	}
	t := start(r.Now().Trial)
	s, verdict := tr.next(p, r, t)
	if verdict != nil && !live(t) {
		return release.Facts{Trial: r.Now().Trial}, *verdict, nil
	}
	if verdict != nil { // the platform changed under an active fault: it goes first
		s = leftover(r, t.Fault)
		t = Abort(t, t.Fault.Experiment, verdict.Reason(), tr.Engine.Now())
	}
	before := t.Step
	t, v, err := tr.Engine.Step(ctx, s, t)
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	if t.Step != before {
		tr.Log.Info("trial", "release", r.ID, "env", r.Env(), "experiment", s.Experiment.Meta.Name, "from", before, "to", t.Step, "attempt", t.Attempt)
	}
	env, _ := p.environment(r.Env())
	return advance(t, v, env.Spec.Trial.Experiments)
}

// next is what the trial's current experiment is run against; or the verdict when there is
// nothing to run, or it cannot be run.
func (tr *Trial) next(p Platform, r release.Release, t release.Trial) (Subject, *release.Verdict) {
	held := func(format string, args ...any) *release.Verdict {
		v := release.Inconclusive(fmt.Sprintf(format, args...), "correct the platform repo, then: seatrial release retry "+string(r.ID))
		return &v
	}
	env, ok := p.environment(r.Env())
	if !ok {
		return Subject{}, held("environment %s does not exist any more", r.Env())
	}
	names := env.Spec.Trial.Experiments
	switch {
	case len(names) == 0:
		reason := fmt.Sprintf("no experiment is configured for %s: nothing was broken", r.Env())
		v := release.Pass(release.Evidence{Gate: "trial", Claim: reason, Holds: true}).Because(reason)
		return Subject{}, &v
	case t.Experiment >= len(names):
		v := Replay(t, trusting)
		return Subject{}, &v
	case live(t) && t.Fault.Experiment != names[t.Experiment]:
		return Subject{}, held("experiment %s was taken out of the trial of %s", t.Fault.Experiment, r.Env())
	}
	s, problem := subject(p, env, r, names[t.Experiment], t)
	if problem != "" {
		return s, held("%s", problem)
	}
	return s, nil
}

// leftover is enough of a subject to revert a fault whose experiment is gone.
func leftover(r release.Release, f *release.FaultRecord) Subject {
	s := Subject{Release: r.ID, Service: r.Service, Env: r.Env(), Cluster: f.Cluster, Revision: r.Now().Desired}
	s.Experiment.Meta.Name = f.Experiment
	s.Experiment.Spec.Fault = release.Fault{Kind: f.Kind, Action: f.Action, Namespace: f.Namespace}
	return s
}

// start is the trial to go on with: a new one, or one that had ended and is tried again by
// a person.
func start(saved *release.Trial) release.Trial {
	if saved == nil {
		return release.Trial{Attempt: 1}
	}
	t := clone(*saved)
	if t.Step == stepEnded {
		t.Step, t.Attempt = "", t.Attempt+1
	}
	return t
}

// advance goes on to the next experiment when one has passed.
func advance(t release.Trial, v release.Verdict, experiments []string) (release.Facts, release.Verdict, error) {
	if t.Step != stepEnded || v.Outcome() != release.Passed {
		return release.Facts{Trial: &t}, v, nil
	}
	if t.Experiment+1 >= len(experiments) {
		return release.Facts{Trial: &t}, Replay(t, trusting), nil
	}
	t.Experiment, t.Step, t.Fault = t.Experiment+1, "", nil
	t.Attempt = attempts(t.Evidence, experiments[t.Experiment]) + 1
	return release.Facts{Trial: &t}, release.Wait(v.Reason()+"; the next experiment follows", 0), nil
}

// subject is what an experiment of a release's trial is run against, or why it cannot be.
func subject(p Platform, env release.Environment, r release.Release, name string, t release.Trial) (Subject, string) {
	x, ok := p.Experiments[name]
	if !ok {
		return Subject{}, fmt.Sprintf("experiment %s of environment %s does not exist", name, env.Meta.Name)
	}
	if other := x.Spec.Service; other != "" && other != r.Service {
		return Subject{}, fmt.Sprintf("experiment %s is for %s, not for %s", name, other, r.Service)
	}
	stage := r.Now()
	cluster := ""
	if live(t) {
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
		return Subject{}, fmt.Sprintf("cannot inject: no healthy target of %s has chaos: true", env.Meta.Name)
	}
	namespaces := p.Projects[r.Project].Spec.Namespaces
	x = Aim(x, r.Service, namespaces)
	s := Subject{
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

// RevertAll removes every fault of a release from the given clusters, or from all that run
// Chaos Mesh, and returns when each is verified to be gone; an error names the first that
// is not, and the call may be repeated.
func (tr *Trial) RevertAll(ctx context.Context, id release.ID, clusters ...string) error {
	if len(clusters) == 0 {
		p, err := tr.Platform(ctx)
		if err != nil {
			return fmt.Errorf("read the platform: %w", err)
		}
		clusters = p.chaotic()
	}
	_, err := tr.revert(ctx, clusters, func(f Found) bool { return f.Release == id })
	return err
}

// overdue is how long after its end a fault is left to its own run.
const overdue = time.Minute

// Sweep removes the faults that a run left behind: those of ours whose run is not active,
// or that should have ended and did not. It returns what it removed.
func (tr *Trial) Sweep(ctx context.Context, active func(run string) bool) ([]release.FaultRecord, error) {
	p, err := tr.Platform(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the platform: %w", err)
	}
	return tr.revert(ctx, p.chaotic(), func(f Found) bool {
		late := !f.Until.IsZero() && tr.Engine.Now().After(f.Until.Add(overdue))
		return late || !active(f.Run)
	})
}

func (tr *Trial) revert(ctx context.Context, clusters []string, which func(Found) bool) ([]release.FaultRecord, error) {
	var gone []release.FaultRecord
	var problems []error
	for _, cluster := range clusters {
		found, err := tr.Engine.Finder.Faults(ctx, cluster)
		if err != nil {
			problems = append(problems, fmt.Errorf("look for faults on %s: %w", cluster, err))
		}
		for _, f := range found {
			if !which(f) {
				continue
			}
			if err := tr.Engine.Remove(ctx, f.Fault); err != nil {
				problems = append(problems, err)
				continue
			}
			tr.Log.Info("fault reverted", "cluster", cluster, "fault", f.Fault.Name, "run", f.Run, "release", f.Release)
			gone = append(gone, f.Fault)
		}
	}
	return gone, errors.Join(problems...)
}

// removeLimit is how long Remove tries; Chaos Mesh needs well under a second.
const removeLimit = 30 * time.Second

// Remove reverts a fault and waits until it is verified to be gone.
func (e *Engine) Remove(ctx context.Context, f release.FaultRecord) error {
	limited, cancel := context.WithTimeout(ctx, removeLimit)
	defer cancel()
	what := fmt.Sprintf("revert %s %s/%s on %s", f.Kind, f.Namespace, f.Name, f.Cluster)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var seen Sight
	for began := e.Now(); ; {
		sight, err := e.remove(limited, f, Escalate(e.Now().Sub(began)))
		if err == nil && sight.State == Gone {
			return nil
		}
		if err == nil {
			seen = sight
		}
		if err != nil && (limited.Err() == nil || seen.State == SightUnknown) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-limited.Done():
			return hint.Add(fmt.Errorf("%s: still there after %s: %s", what, removeLimit, seen.Message), "look at Chaos Mesh's controller on "+f.Cluster+": it removes the fault")
		case <-tick.C:
		}
	}
}

func (e *Engine) remove(ctx context.Context, f release.FaultRecord, force Force) (Sight, error) {
	if err := e.Provider.Revert(ctx, f, force); err != nil {
		return Sight{}, err
	}
	return e.Provider.Look(ctx, f)
}
