package slo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/analysis"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/course"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

// Gate is the slo step of a wave: what was deployed there keeps its promises.
type Gate struct {
	SLOs        func(context.Context) ([]openslo.SLO, error)
	Environment func(context.Context, release.Env) (release.Environment, error)
	Analyses    func(context.Context) (map[string]analysis.Template, error) // nil: there are none
	Prometheus  *source.Prometheus
	Now         func() time.Time
	Log         *slog.Logger
}

// Check is the action of Deploying at StepSLO: it measures every SLO of the service on
// every healthy target of the current wave, from the moment the last of them became
// healthy at this stage's revision. It asks and returns; it never waits itself. What
// could not be asked is an error; MaxErrors of them in a row are for a person to look at.
func (g *Gate) Check(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	var found release.Facts
	slos, settings, err := g.about(ctx, r.Service, r.Env())
	if err != nil {
		return found, release.Verdict{}, err
	}
	v, err := g.look(ctx, r, slos, settings, &found)
	if err != nil && ctx.Err() == nil && r.Tries+1 >= settings.MaxErrors {
		return release.Facts{}, unasked(r, err), nil
	}
	return found, v, err
}

// unasked gives up asking: the release stands still and people are told.
func unasked(r release.Release, err error) release.Verdict {
	next := "then: seatrial release retry " + string(r.ID)
	if h := hint.Of(err); h != "" {
		next = h + "; " + next
	}
	return release.Inconclusive(fmt.Sprintf("could not be asked %d times in a row: %v", r.Tries+1, err), next).Coded(string(CodeOf(err)))
}

func (g *Gate) look(ctx context.Context, r release.Release, slos []openslo.SLO, settings Settings, found *release.Facts) (release.Verdict, error) {
	targets, left := healthy(r)
	shift, _ := r.Shifting()
	settings.Observe = max(settings.Observe, shift.Observe.Std())
	settings.MaxWait = max(settings.MaxWait, settings.Observe)
	if len(slos) == 0 && len(settings.Analysis) == 0 && len(settings.Compare.Metrics) == 0 {
		if rest := latest(targets).Add(shift.Observe.Std()).Sub(g.Now()); rest > 0 && len(targets) > 0 {
			return wait(CodeMeasuring, fmt.Sprintf("%s: another %s, as its strategy says", shift.Name, rest.Round(time.Second)), rest), nil
		}
		return noSLO(r), nil
	}
	if len(targets) == 0 {
		return release.Inconclusive(
			fmt.Sprintf("no target of wave %s is healthy at %s: %s", r.WaveName(), r.Now().Desired.Short(), strings.Join(left, "; ")),
			"look at the targets, then: seatrial release retry "+string(r.ID)).Coded(string(CodeNoTarget)), nil
	}
	start := latest(targets).Add(settings.Settle)
	now := step(g.Now())
	if rest := start.Sub(now); rest > 0 {
		return wait(CodeSettling, fmt.Sprintf("settling: measuring begins in %s", rest.Round(time.Second)), rest), nil
	}
	if now.Sub(start) < time.Second {
		return wait(CodeMeasuring, "measuring has begun", time.Second), nil
	}
	rulings, err := g.rulings(ctx, slos, targets, start, now, settings)
	if err != nil {
		return release.Verdict{}, err
	}
	more, err := g.analyses(ctx, r, settings, targets, start, now)
	if err != nil {
		return release.Verdict{}, err
	}
	rulings = append(rulings, more...)
	if v := verdict(r.ID, rulings); v.Outcome() != release.Passed || len(settings.Compare.Metrics) == 0 {
		return v, nil
	}
	if more, found.Metrics, err = g.versions(ctx, r, settings, targets, start, now); err != nil {
		return release.Verdict{}, err
	}
	return verdict(r.ID, append(rulings, more...)), nil
}

func wait(code Code, reason string, after time.Duration) release.Verdict {
	return release.Wait(reason, after).Coded(string(code))
}

// about is what the service promises in an environment and how that is judged there.
func (g *Gate) about(ctx context.Context, service release.Service, env release.Env, names ...string) ([]openslo.SLO, Settings, error) {
	all, err := g.SLOs(ctx)
	if err != nil {
		return nil, Settings{}, fmt.Errorf("read the SLOs of %s: %w", service, err)
	}
	e, err := g.Environment(ctx, env)
	if err != nil {
		return nil, Settings{}, fmt.Errorf("read environment %s: %w", env, err)
	}
	return openslo.Of(all, service, names...), SettingsOf(e.Spec.SLO), nil
}

func noSLO(r release.Release) release.Verdict {
	reason := fmt.Sprintf("no SLO is defined for %s: nothing was measured; add an openslo/v1 SLO with the label %s: %s to the platform repo",
		r.Service, openslo.LabelService, r.Service)
	return release.Pass(release.Evidence{
		Gate: "slo", Claim: fmt.Sprintf("no SLO is defined for %s", r.Service), Holds: true, Detail: reason,
		Facts: map[string]string{"slos": "0"},
	}).Because(reason).Coded(string(CodeNoSLO))
}

// healthy splits the current wave's targets into those whose health was seen at this
// stage's revision and a sentence for each of the others.
func healthy(r release.Release) (targets []release.Target, left []string) {
	stage := r.Now()
	if r.Wave < 0 || r.Wave >= len(stage.Waves) {
		return nil, []string{"the stage has no such wave"}
	}
	for _, t := range stage.Waves[r.Wave].Targets {
		switch {
		case t.State != "Healthy" || t.Healthy.IsZero():
			left = append(left, t.Cluster+" is "+t.State)
		case t.Revision != stage.Desired || stage.Desired == "":
			left = append(left, fmt.Sprintf("%s is on %s", t.Cluster, t.Revision.Short()))
		default:
			targets = append(targets, t)
		}
	}
	return targets, left
}

func latest(targets []release.Target) time.Time {
	var at time.Time
	for _, t := range targets {
		if t.Healthy.After(at) {
			at = t.Healthy
		}
	}
	return at
}

func (g *Gate) rulings(ctx context.Context, slos []openslo.SLO, targets []release.Target, from, to time.Time, s Settings) ([]judged, error) {
	ask := newAsker(g.Prometheus)
	var all []judged
	for _, t := range targets {
		for _, o := range slos {
			w := window{slo: o, cluster: t.Cluster, revision: t.Revision, from: from, to: to}
			s := s
			// Of slices, some have to end after the rollout.
			s.Observe = max(s.Observe, 3*o.Every)
			s.MaxWait = max(s.MaxWait, s.Observe+2*o.Every)
			s.Page = burn.Paging(o.Window) // whatever its own alert says
			j, err := ask.judge(ctx, w, s)
			if err != nil {
				return nil, err
			}
			if j.lacks() {
				if away := g.away(ctx, from); away > 0 { // what was missed meanwhile is nobody's fault
					s.MaxWait += away
					if j, err = ask.judge(ctx, w, s); err != nil {
						return nil, err
					}
				}
			}
			all = append(all, j)
		}
	}
	return all, nil
}

// lacks reports whether events are missing that were waited for.
func (j judged) lacks() bool {
	return j.Outcome == release.Undetermined || j.Outcome == release.Refused && j.Code.missing()
}

// away is for how long Prometheus was not running since from.
func (g *Gate) away(ctx context.Context, from time.Time) time.Duration {
	began, ok := g.Prometheus.Began(ctx)
	if !ok {
		return 0
	}
	return max(0, began.Sub(from))
}

// verdict is the worst of the rulings: one refusal refuses, one unfinished waits, one
// undecided holds, and only then all have passed.
func verdict(id release.ID, rulings []judged) release.Verdict {
	var evidence []release.Evidence
	reasons, codes := map[release.Outcome][]string{}, map[release.Outcome]Code{}
	after := time.Duration(0)
	for _, j := range rulings {
		evidence = append(evidence, j.evidence)
		reasons[j.Outcome] = append(reasons[j.Outcome], fmt.Sprintf("%s on %s: %s", j.title, j.cluster, j.Reason))
		codes[j.Outcome] = cmp.Or(codes[j.Outcome], j.Code)
		if j.Outcome == release.Waiting && (after == 0 || j.After < after) {
			after = j.After
		}
	}
	said := func(o release.Outcome) string { return strings.Join(reasons[o], "; ") }
	code := func(o release.Outcome) string { return string(codes[o]) }
	switch {
	case len(reasons[release.Refused]) > 0:
		return release.Refuse(said(release.Refused), "compare with the last verified release; the samples are in the evidence").With(evidence...).Coded(code(release.Refused))
	case len(reasons[release.Waiting]) > 0:
		return release.Wait(said(release.Waiting), after).Coded(code(release.Waiting))
	case len(reasons[release.Passed]) == len(rulings) && len(rulings) > 0:
		return release.Pass(evidence...).Because(said(release.Passed)).Coded(code(release.Passed))
	}
	next := "send it traffic or correct the SLO's queries"
	if codes[release.Undetermined] == CodeNotCompared {
		next = "correct the queries in the environment's spec.slo.compare; a metric with a new name is compared from this release on"
	}
	return release.Inconclusive(said(release.Undetermined), next+", then: seatrial release retry "+string(id)).With(evidence...).Coded(code(release.Undetermined))
}

// Measure asks for the SLOs of a service on one cluster between two moments, for a trial:
// the named ones, or all. Each evidence carries its outcome, good and total in its facts.
// Before to has come the outcome is Wait, or Refuse when it is clear already; after it
// there is no more waiting for events. No evidence: the service has no such SLO.
func (g *Gate) Measure(ctx context.Context, service release.Service, env release.Env, cluster string, names []string, from, to time.Time) ([]release.Evidence, error) {
	slos, s, err := g.about(ctx, service, env, names...)
	if err != nil {
		return nil, err
	}
	s.Observe = to.Sub(from)
	s.MaxWait = s.Observe
	at := to // when the window is over, all of it: a second less would not be its end
	if now := g.Now(); now.Before(to) {
		at = step(now)
	}
	ask := newAsker(g.Prometheus)
	var all []release.Evidence
	for _, o := range slos {
		j, err := ask.judge(ctx, window{slo: o, cluster: cluster, from: from, to: at}, s)
		if err != nil {
			return nil, err
		}
		if j.Outcome != release.Waiting {
			// It decides nothing: without it a page has a share and no line.
			way, _ := course.Way(ctx, g.Prometheus, o, cluster, from, at)
			j.evidence.Queries = append(j.evidence.Queries, storable(way, j.evidence.Facts)...)
		}
		all = append(all, j.evidence)
	}
	return all, nil
}
