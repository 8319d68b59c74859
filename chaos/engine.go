package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

// The steps of one experiment, in order; Trial.Step holds one of them.
const (
	stepSteady     = "steady"     // steady state measured, targets chosen, limits checked
	stepPlanned    = "planned"    // the intent is saved: the fault may or may not exist
	stepInjecting  = "injecting"  // created; waiting until it is active
	stepMeasuring  = "measuring"  // the SLOs under the fault
	stepReverting  = "reverting"  // until it is verified to be gone
	stepRecovering = "recovering" // until the service is whole again
	stepJudging    = "judging"    // what was measured, read for the last time
	stepClearing   = "clearing"   // an earlier attempt's fault goes, then from the start
	stepEnded      = "ended"
)

// Limits of time that no experiment can change.
const (
	planLimit     = 5 * time.Minute  // and a window, for a plan to be acted on: the server or the cluster may have been away
	injectLimit   = 30 * time.Second // for the controller to inject
	failureGrace  = 3 * time.Second  // a failed injection is retried by the controller that long
	readyLimit    = 2 * time.Minute  // for enough ready pods before
	recoverLimit  = 2 * time.Minute  // for the pods to be ready again after
	steadyFor     = 3 * time.Second  // and to stay so
	waitForLimits = 2 * time.Second  // until pods are counted again that were too few
	stopEvery     = time.Second      // the kill switch is looked at while a question is under way
	maxAttempts   = 3                // at faults that ended before they were measured
)

// Subject is what one experiment is run against.
type Subject struct {
	Release    release.ID // empty in a scheduled run
	Service    release.Service
	Env        release.Env
	Cluster    string
	Revision   release.Commit
	Namespaces []string // where the service's project may break things
	OptIn      bool     // and of them only those that say so
	Experiment release.Experiment
	Observe    time.Duration
	Baseline   []release.Evidence // its SLOs without the fault, when they are known already
	Before     *release.Trial     // of the last verified release, to compare with
	BeforeOn   string             // its cluster, when it was tried at the same time; default: Cluster
	BeforeNote string             // why it was not, when it should have been
	Compare    release.CompareSpec
}

// Engine carries one experiment through its steps.
type Engine struct {
	Provider Provider
	Finder   Finder
	Measure  Measure
	Now      func() time.Time
	Stop     func() string                  // why nothing may be broken now; nil or "": nothing stops it
	Name     func(experiment string) string // of a fault; nil: RandomName
	Admit    Admit                          // nil: at any time
}

// Admit says whether an experiment may begin now: Pass, Wait with a reason until when, or
// Inconclusive, which ends it. An error is "could not ask": nothing is broken meanwhile.
type Admit func(ctx context.Context, s Subject) (release.Verdict, error)

// RandomName is a fault's name that nobody can guess and nothing else has.
func RandomName(experiment string) string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return "seatrial-" + experiment[:min(len(experiment), 32)] + "-" + hex.EncodeToString(b)
}

// Step does the next thing and returns how far the experiment has come, which has to be
// saved before Step is called again. The verdict is Wait until the trial's Step is "ended".
// An error is "could not ask": nothing has changed.
func (e *Engine) Step(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	steps := map[string]func(context.Context, Subject, release.Trial) (release.Trial, release.Verdict, error){
		"": e.begin, stepSteady: e.steady, stepPlanned: e.inject, stepInjecting: e.injecting, stepMeasuring: e.measuring,
		stepReverting: e.reverting, stepRecovering: e.recovering, stepJudging: e.judging, stepClearing: e.reverting,
		stepEnded: func(_ context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
			return over(s, t)
		},
	}
	step, ok := steps[t.Step]
	if !ok {
		return t, release.Verdict{}, fmt.Errorf("trial step %q is unknown: it was saved by another version", t.Step)
	}
	t = clone(t)
	if why := e.stopped(); why != "" && (t.Step == stepPlanned || t.Step == stepInjecting || t.Step == stepMeasuring) {
		return e.again(t), release.Wait(why+"; the fault is being reverted", 0), nil
	}
	next, v, err := step(ctx, s, t)
	if err != nil {
		return t, release.Verdict{}, fmt.Errorf("%s on %s: %w", s.Experiment.Meta.Name, s.Cluster, err)
	}
	return next, v, nil
}

// Abort makes an experiment end as soon as its fault is reverted; why is its result.
func Abort(t release.Trial, experiment, why string, now time.Time) release.Trial {
	t = clone(t)
	switch t.Step {
	case stepEnded:
		return t
	}
	if Progress(t).Aborted {
		return t
	}
	switch t.Step {
	case stepReverting, stepRecovering, stepJudging, stepClearing:
		t = note(t, experiment, evidence.Aborted, release.Evidence{Claim: "the experiment ran to its end", Detail: why})
		if t.Step == stepClearing {
			t.Step = stepReverting
		}
		return t
	}
	t = note(t, experiment, evidence.Aborted, release.Evidence{Claim: "the experiment ran to its end", Detail: why})
	if !live(t) {
		return move(t, stepEnded, now)
	}
	return move(t, stepReverting, now)
}

func (e *Engine) stopped() string {
	if e.Stop == nil {
		return ""
	}
	return e.Stop()
}

// again starts the experiment anew once its fault is gone.
func (e *Engine) again(t release.Trial) release.Trial {
	return move(t, stepClearing, e.Now())
}

func (e *Engine) begin(_ context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	t.Attempt = max(1, t.Attempt)
	reason := fmt.Sprintf("experiment %s begins on %s", s.Experiment.Meta.Name, s.Cluster)
	if live(t) {
		return move(t, stepClearing, e.Now()), release.Wait(reason+": an earlier fault is reverted first", 0), nil
	}
	t.Fault = nil
	return move(t, stepSteady, e.Now()), release.Wait(reason, 0), nil
}

// steady measures the service without the fault, checks the limits and plans.
func (e *Engine) steady(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	name, now := s.Experiment.Meta.Name, e.Now()
	if why := e.stopped(); why != "" {
		return t, release.Wait(why, 10*time.Second), nil
	}
	if err := Check(s.Experiment.Spec, s.Namespaces); err != nil {
		return e.end(t, s, evidence.Limits, "experiment "+name+": "+err.Error())
	}
	switch v, err := e.admitted(ctx, s); {
	case err != nil:
		return t, release.Verdict{}, err
	case v != nil && v.Outcome() == release.Waiting:
		return move(t, stepSteady, now), *v, nil // what is measured then is measured then
	case v != nil:
		return e.end(t, s, evidence.Limits, v.Reason())
	}
	t, wait, err := e.baseline(ctx, s, t)
	if err != nil || wait != nil {
		return t, verdictOr(wait), err
	}
	if broken := evidence.Failing(evidence.Latest(t.Evidence, name), evidence.Baseline); broken != nil {
		return over(s, move(t, stepEnded, now))
	}
	return e.plan(ctx, s, t)
}

func (e *Engine) name(experiment string) string {
	if e.Name != nil {
		return e.Name(experiment)
	}
	return RandomName(experiment)
}

// baseline makes sure that the trial knows the SLOs without the fault; a verdict says that
// it has to wait for that.
func (e *Engine) baseline(ctx context.Context, s Subject, t release.Trial) (release.Trial, *release.Verdict, error) {
	name := s.Experiment.Meta.Name
	if has(evidence.Latest(t.Evidence, name), t.Attempt, evidence.Baseline) {
		return t, nil, nil
	}
	found := s.Baseline
	if len(found) == 0 {
		from, to, now := t.Since, t.Since.Add(s.Observe), e.Now()
		if now.Sub(from) < time.Second {
			v := release.Wait("measuring the steady state", time.Second)
			return t, &v, nil
		}
		var err error
		if found, err = e.Measure(ctx, s.Service, s.Env, s.Cluster, s.Experiment.Spec.Hypothesis, from, to); err != nil {
			return t, nil, err
		}
		if left := to.Sub(now); left > 0 && len(found) > 0 && worst(found) == release.Waiting.String() {
			v := release.Wait(fmt.Sprintf("measuring the steady state, %s to go", left.Round(time.Second)), min(left, 5*time.Second))
			return t, &v, nil
		}
		if worst(found) == release.Undetermined.String() && t.Attempt < maxAttempts {
			t.Attempt, t.Since = t.Attempt+1, now.UTC() // Prometheus may have been away
			v := release.Wait("the steady state was not measured: trying again", time.Second)
			return t, &v, nil
		}
	}
	if len(found) == 0 {
		found = []release.Evidence{{Claim: fmt.Sprintf("no SLO is defined for %s: only the recovery is judged", s.Service), Holds: true,
			Facts: map[string]string{"outcome": release.Passed.String()}}}
	}
	for _, ev := range found {
		ev.Cluster, ev.Revision = s.Cluster, s.Revision
		t = note(t, name, evidence.Baseline, ev)
		t = cell(t, name, s.Cluster, evidence.Baseline, ev)
	}
	return t, nil, nil
}

// inject acts on the saved intent.
func (e *Engine) inject(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	f, now := s.Experiment.Spec.Fault, e.Now()
	if now.Sub(t.Since) > planLimit+s.Observe { // it may have been injected all the same
		return e.again(t), release.Wait("planned too long ago: its pods and limits are looked at again", 0), nil
	}
	err := e.Provider.Inject(ctx, Order{Fault: *t.Fault, Container: f.Container, Duration: f.Duration.Std(), Release: s.Release})
	if c, ok := errors.AsType[*CannotInject](err); ok {
		if !c.Final && now.Sub(t.Since) < injectLimit {
			return t, release.Wait(c.Error(), 2*time.Second), nil
		}
		return e.notInjected(t, s, c.Cause), release.Wait(c.Error(), 0), nil
	}
	if err != nil {
		return t, release.Verdict{}, err
	}
	t.Fault.Created = now
	return move(t, stepInjecting, now), release.Wait("waiting for "+title(t.Fault)+" to be injected", 100*time.Millisecond), nil
}

func (e *Engine) injecting(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	sight, err := e.Provider.Look(ctx, *t.Fault)
	if err != nil {
		return t, release.Verdict{}, err
	}
	now := e.Now()
	waited := now.Sub(t.Since)
	switch {
	case sight.State == Injected:
		t.Fault.Injected = later(sight.Injected, t.Fault.Created) // a status knows whole seconds only
		if t.Fault.Injected.After(now) {
			t.Fault.Injected = now
		}
		if len(sight.Targets) > 0 {
			t.Fault.Targets = sight.Targets
		}
		t = note(t, s.Experiment.Meta.Name, evidence.Injected, release.Evidence{
			Claim: title(t.Fault) + " was injected", Holds: true, Cluster: s.Cluster, From: t.Fault.Created, To: t.Fault.Injected, Fault: record(t.Fault)})
		return move(t, stepMeasuring, now), release.Wait(title(t.Fault)+" is active: measuring", time.Second), nil
	case sight.State == NotInjected && waited >= failureGrace, sight.State == NoTarget:
		return e.notInjected(t, s, sight.Message), release.Wait("cannot inject: "+sight.Message, 0), nil
	case sight.State == Recovered, sight.State == Recovering, sight.State == Gone:
		return e.again(t), release.Wait(title(t.Fault)+" ended before it was seen active: trying again", 0), nil
	case waited >= injectLimit:
		return e.notInjected(t, s, tooSlow(sight)), release.Wait("the fault is not injected", 0), nil
	}
	return t, release.Wait("waiting for "+title(t.Fault)+" to be injected", 200*time.Millisecond), nil
}

func tooSlow(s Sight) string {
	if !s.Seen {
		return fmt.Sprintf("Chaos Mesh did not look at the fault within %s: its controller does not run, or is not of the version of its CRDs", injectLimit)
	}
	if s.Message != "" {
		return fmt.Sprintf("not injected within %s: %s", injectLimit, s.Message)
	}
	return fmt.Sprintf("not injected within %s", injectLimit)
}

func (e *Engine) notInjected(t release.Trial, s Subject, why string) release.Trial {
	t.Fault.Message = why
	t = note(t, s.Experiment.Meta.Name, evidence.Injected, release.Evidence{
		Claim: title(t.Fault) + " was injected", Cluster: s.Cluster, Detail: why, Fault: record(t.Fault)})
	return move(t, stepReverting, e.Now())
}

// reverting removes the fault and does not go on before it is verified to be gone. It is
// also the step "clearing", which starts the experiment again afterwards.
func (e *Engine) reverting(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	waited := e.Now().Sub(t.Since)
	if err := e.Provider.Revert(ctx, *t.Fault, Escalate(waited)); err != nil {
		return t, release.Verdict{}, err
	}
	sight, err := e.Provider.Look(ctx, *t.Fault)
	if err != nil {
		return t, release.Verdict{}, err
	}
	now, name := e.Now(), s.Experiment.Meta.Name
	gone := release.Evidence{Claim: title(t.Fault) + " is gone", Cluster: s.Cluster, From: t.Since, To: now}
	if sight.State != Gone {
		if waited < stuckAfter {
			return t, release.Wait("reverting "+title(t.Fault), 200*time.Millisecond), nil
		}
		gone.Detail = fmt.Sprintf("%s %s/%s on %s could not be removed within %s: %s", t.Fault.Kind, t.Fault.Namespace, t.Fault.Name, s.Cluster, stuckAfter, sight.Message)
		t.Fault.Message = gone.Detail
		gone.Fault = record(t.Fault)
		return over(s, move(note(t, name, evidence.Reverted, gone), stepEnded, now))
	}
	gone.Holds, gone.Fault = true, record(t.Fault)
	clearing, injected := t.Step == stepClearing, !t.Fault.Injected.IsZero()
	t = note(t, name, evidence.Reverted, gone)
	switch {
	case clearing && t.Attempt >= maxAttempts && e.stopped() == "":
		return e.end(t, s, evidence.Limits, fmt.Sprintf("the fault ended early, or could not be injected in time, in %d attempts", t.Attempt))
	case clearing:
		t.Attempt++
		t.Fault = nil
		return move(t, stepSteady, now), release.Wait("reverted; starting the experiment again", 0), nil
	case injected:
		return move(t, stepRecovering, now), release.Wait("reverted; waiting for the pods to be ready again", 0), nil
	}
	return over(s, move(t, stepEnded, now))
}

// recovering waits until the service is whole again, seen in its pods rather than in the
// fault's status.
func (e *Engine) recovering(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	f, name := s.Experiment.Spec.Fault, s.Experiment.Meta.Name
	pods, err := e.Finder.Pods(ctx, s.Cluster, t.Fault.Namespace, f.Selector.MatchLabels)
	if err != nil {
		return t, release.Verdict{}, err
	}
	now := e.Now()
	hit := record(t.Fault)
	if Progress(t).Aborted {
		hit.Targets = nil // it may have been too short to leave a trace on them
	}
	was := before(evidence.Latest(t.Evidence, name))
	state := Restored(was, pods, hit, 0)
	if state.Hit && !state.Whole {
		wanted, err := e.Finder.Wanted(ctx, s.Cluster, t.Fault.Namespace, f.Selector.MatchLabels)
		if err != nil {
			return t, release.Verdict{}, err
		}
		state = Restored(was, pods, hit, wanted)
	}
	ev := release.Evidence{Claim: "every pod is ready again", Cluster: s.Cluster, Revision: s.Revision, From: t.Since, To: now, Detail: state.Reason}
	switch {
	case state.Whole && now.Sub(later(state.At, ended(s, t))) >= steadyFor:
		t.Fault.Recovered = later(state.At, t.Fault.Injected) // clusters tell whole seconds
		took := max(0, state.At.Sub(ended(s, t)).Seconds())
		ev.Holds, ev.Measured, ev.Fault, ev.To = true, &took, record(t.Fault), now
		return move(note(t, name, evidence.Recovered, ev), stepJudging, now), release.Wait("recovered; judging", 0), nil
	case state.Whole:
		return t, release.Wait("recovered; watching that it stays so", time.Second), nil
	case now.Sub(t.Since) < recoverLimit:
		return t, release.Wait("waiting for recovery: "+state.Reason, 500*time.Millisecond), nil
	case !state.Hit:
		return e.end(t, s, evidence.Injected, "Chaos Mesh says it was injected, but "+state.Reason)
	}
	limit := recoverLimit.Seconds()
	ev.Threshold, ev.Fault = &limit, record(t.Fault)
	return move(note(t, name, evidence.Recovered, ev), stepJudging, now), release.Wait("not recovered; judging", 0), nil
}

// ended is when the fault stopped doing harm: a one-shot at once, another when reverted.
func ended(s Subject, t release.Trial) time.Time {
	if faults.Lasts(t.Fault.Kind, t.Fault.Action) {
		return t.Since
	}
	return t.Fault.Injected
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// judging reads the window under the fault once more, now that nothing is broken.
func (e *Engine) judging(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	name := s.Experiment.Meta.Name
	known := evidence.Latest(t.Evidence, name)
	if !has(known, t.Attempt, evidence.Fault) && len(evidence.About(known, evidence.Aborted)) == 0 {
		found, err := e.Measure(ctx, s.Service, s.Env, s.Cluster, s.Experiment.Spec.Hypothesis, t.Fault.Injected, until(s, t))
		if err != nil {
			return t, release.Verdict{}, err
		}
		t = e.underFault(t, s, found)
		if worst(found) == release.Undetermined.String() && t.Attempt < maxAttempts {
			t.Attempt, t.Fault = t.Attempt+1, nil // Prometheus may have been away; the fault is gone
			return move(t, stepSteady, e.Now()), release.Wait("not measured under the fault: trying again", 0), nil
		}
	}
	t = compare(t, s)
	if doubtful(t, name) && t.Attempt < maxAttempts {
		t.Attempt, t.Fault = t.Attempt+1, nil // once may be luck: which pod was hit, what it was doing
		return move(t, stepSteady, e.Now()), release.Wait("worse than the last verified release under the same fault: trying once more", 0), nil
	}
	return over(s, move(t, stepEnded, e.Now()))
}

// over is the end of an experiment: the verdict on what it left.
func over(s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	if n, ok := score(t); ok {
		t.Score = &n
	}
	return t, Conclude(evidence.Latest(t.Evidence, s.Experiment.Meta.Name), trusting), nil
}

// end stops an experiment whose fault does not exist.
func (e *Engine) end(t release.Trial, s Subject, about, why string) (release.Trial, release.Verdict, error) {
	t = note(t, s.Experiment.Meta.Name, about, release.Evidence{Claim: claim(about), Cluster: s.Cluster, Detail: why})
	return over(s, move(t, stepEnded, e.Now()))
}

func verdictOr(v *release.Verdict) release.Verdict {
	if v == nil {
		return release.Verdict{}
	}
	return *v
}

func move(t release.Trial, step string, now time.Time) release.Trial {
	t.Step, t.Since = step, now.UTC()
	return t
}

func attempt(t release.Trial) string { return strconv.Itoa(t.Attempt) }
