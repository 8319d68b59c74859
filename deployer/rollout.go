package deployer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	defaultSyncTimeout = 5 * time.Minute
	atOnce             = 16 // targets of a wave that are worked on at the same time
	askSync            = 400 * time.Millisecond
	askHealth          = 500 * time.Millisecond
	askReturn          = 250 * time.Millisecond
	askUnreachable     = 2 * time.Second
)

// Rollout carries out the steps of one release on the clusters. Its methods Sync, Health
// and Return are actions: they may be repeated at any point.
type Rollout struct {
	Content  Content
	Strategy Strategy // default: every release takes over at once
	Platform Platform
	Slot     Slot
	Desired  Desired
	Live     Clusters
	Locks    *Locks
	Presence *presence.Watch // default: nothing is known before a target is asked
	Now      func() time.Time
}

// stage is what every step needs to know about where the release stands.
type stage struct {
	env     release.Environment
	project release.Project
	s       release.Stage
	waves   []release.Wave
	planned bool                         // the waves were planned just now
	labels  map[string]map[string]string // of each cluster
}

// stage finds them. What the platform repo does not have (now) makes the release wait: one
// mistaken commit there must not roll back what is live.
func (o *Rollout) stage(r release.Release) (stage, *release.Verdict, error) {
	name := r.Env()
	env, ok := o.Platform.Environment(name)
	if !ok {
		return stage{}, nil, hint.Add(fmt.Errorf("environment %q is not configured any more", name), "put it back into the platform repo, or hold the release")
	}
	project, ok := o.Platform.Project(r.Project)
	if !ok {
		return stage{}, nil, hint.Add(fmt.Errorf("project %q is not configured any more", r.Project), "put it back into the platform repo")
	}
	st := stage{env: env, project: project, s: r.Now(), labels: labelsOf(o.Platform)}
	st.waves = st.s.Waves
	if len(st.waves) == 0 {
		st.waves, st.planned = release.Plan(env, o.Platform.Clusters()), true
	}
	if len(st.waves) == 0 {
		v := release.Refuse(fmt.Sprintf("environment %s selects no cluster", name), "check the labels in the platform repo: waves[].clusters.matchLabels against the clusters'")
		return stage{}, &v, nil
	}
	return st, nil, nil
}

func (st stage) facts() release.Facts {
	if st.planned {
		return release.Facts{Waves: st.waves}
	}
	return release.Facts{}
}

func (st stage) timeout() time.Duration {
	if d := st.env.Spec.SyncTimeout.Std(); d > 0 {
		return d
	}
	return defaultSyncTimeout
}

func (st stage) namespace() string {
	if len(st.project.Spec.Namespaces) == 0 {
		return ""
	}
	return st.project.Spec.Namespaces[0]
}

// room is how many targets of a wave may fail beside those in quarantine.
func (st stage) room(wave release.Wave, all []seen) int {
	room := release.WaveOf(st.env, wave.Name).FailureBudget
	for _, t := range wave.Targets {
		if quarantined(t) {
			room--
		}
	}
	for _, s := range all {
		if quarantined(s.target) {
			room--
		}
	}
	return room
}

// labelsOf are the labels of each cluster.
func labelsOf(p Platform) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, c := range p.Clusters() {
		all[c.Meta.Name] = c.Meta.Labels
	}
	return all
}

func (st stage) want(svc release.Service, c desired.Content, cluster string, hooks bool) live.Want {
	return live.Want{Service: svc, Revision: c.Revision, Namespace: st.namespace(), Objects: c.Rendered.For(st.labels[cluster]),
		Prune: st.env.Spec.Prune, Rules: st.env.Spec.Sync, Hooks: hooks}
}

// Sync commits the desired state, once per stage, and applies it to the wave's targets.
func (o *Rollout) Sync(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	st, refused, err := o.stage(r)
	if err != nil || refused != nil {
		return release.Facts{}, deref(refused), err
	}
	facts := st.facts()
	if r.Wave >= len(st.waves) {
		return facts, release.Pass().Because("no wave is left"), nil
	}
	if st.s.Desired == "" {
		commit, verdict, err := o.commit(ctx, r, st)
		if err != nil || verdict != nil {
			return facts, deref(verdict), err
		}
		facts.Desired, st.s.Desired = commit, commit
	}
	content, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, st.s.Desired)
	if err != nil {
		return facts, release.Verdict{}, fmt.Errorf("read the desired state of %s: %w", r.Service, err)
	}
	if v := unlike(content, st.s.Manifests); v != nil {
		return facts, *v, nil
	}
	waves, planned := st.shifted(r, content)
	if st.waves = waves; planned {
		facts.Waves = waves
	}
	goals, err := o.goals(ctx, r, st, content)
	if err != nil {
		return facts, release.Verdict{}, err
	}
	wave := st.waves[r.Wave]
	wave.Targets = begin(wave.Targets, goals)
	limit := unavailable(st.env, wave)
	all := o.each(ctx, nextBatch(wave, limit, st, o.Now()), func(ctx context.Context, t release.Target) seen {
		if givenUp(t, goals) {
			return seen{target: t, result: live.Result{State: live.Degraded, Message: t.Message}}
		}
		g := goals[t.Cluster]
		s := o.syncTarget(ctx, g.want, t)
		if limit < len(wave.Targets) && s.err == nil && s.result.State == live.Synced {
			return g.settled(o.healthTarget(ctx, g.want, s.target), o.Now())
		}
		return s
	})
	overdue(all, wave, st.timeout(), o.Now())
	quarantine(all, st.room(wave, all)-failures(all), o.Now())
	facts.Targets = targetsOf(all)
	return facts, syncVerdict(r, wave, all, st, o.Now()), nil
}

// unlike refuses content that is not what the gates saw: somebody else wrote the commit,
// under a key of ours.
func unlike(c desired.Content, seen release.Digest) *release.Verdict {
	if seen == "" || c.Rendered.Digest == seen {
		return nil
	}
	v := release.Refuse(fmt.Sprintf("commit %s of the desired-state branch holds manifests %s, but %s was checked", c.Revision.Short(), c.Rendered.Digest, seen),
		"find out who pushed that commit: it carries a trailer that only the server writes")
	return &v
}

func targetsOf(all []seen) []release.Target {
	var out []release.Target
	for _, s := range all {
		out = append(out, s.target)
	}
	return out
}

func deref(v *release.Verdict) release.Verdict {
	if v == nil {
		return release.Verdict{}
	}
	return *v
}

// commit writes the rendered content to the branch before any cluster hears of it.
func (o *Rollout) commit(ctx context.Context, r release.Release, st stage) (release.Commit, *release.Verdict, error) {
	out, err := o.Content(ctx, r, st.env)
	if err != nil {
		return "", nil, fmt.Errorf("render %s for %s: %w", r.Service, st.env.Meta.Name, err)
	}
	if st.s.Manifests != "" && out.Digest != st.s.Manifests {
		v := release.Refuse(fmt.Sprintf("the manifests render to %s now, but %s was checked", out.Digest, st.s.Manifests),
			"push again: the gates have to see what is deployed")
		return "", &v, nil
	}
	rec := desired.Record{Service: r.Service, Release: r.ID, Commit: r.Commit, Repo: r.Repo, Manifests: out.Digest,
		Renderer: out.Kind, Path: out.Path, Namespace: st.namespace()}
	if r.Artifact != nil {
		rec.Image = r.Artifact.Reference()
	}
	if o.Strategy != nil {
		if rec.Strategy, err = o.Strategy(ctx, r, st.env); err != nil {
			return "", nil, fmt.Errorf("find the strategy of %s: %w", r.Service, err)
		}
	}
	c, err := o.Desired.Write(ctx, st.env.Spec.DesiredState, rec, out, stageKey(r, "deploy"))
	if err != nil {
		return "", nil, fmt.Errorf("commit the desired state of %s: %w", r.Service, err)
	}
	return c, nil, nil
}

// stageKey is the same for every wave and step of one stage, and another when a person
// has the release tried again.
func stageKey(r release.Release, what string) string {
	return fmt.Sprintf("%s/%s/%s/%d", r.ID, what, r.Env(), r.Attempt)
}

// seen is what one look at one target came to.
type seen struct {
	target release.Target
	before release.Target // as it was saved after the look before
	result live.Result
	err    error // it could not be asked
	over   bool  // its time is
}

// failed reports whether the target refuses its content, breaks with it or takes too long.
func (s seen) failed() bool {
	return s.err == nil && (s.result.State == live.Refused || s.result.State == live.Degraded || s.over)
}

// overdue finds the targets that have had their time, and says so in their place.
func overdue(all []seen, wave release.Wave, limit time.Duration, now time.Time) {
	for i, s := range all {
		res := &all[i].result
		switch {
		case s.err != nil || !s.late(wave, limit, now):
		case res.State == live.Syncing:
			all[i].over, res.Hint = true, "look at the hook or the object it waits for"
			res.Message = fmt.Sprintf("the sync did not end within %s: %s", limit, res.Message)
		case res.State == live.Progressing:
			all[i].over, res.Hint = true, "look at the pods and their events; environment's syncTimeout is the limit"
			res.Message = fmt.Sprintf("not healthy within %s: %s", limit, res.Message)
		}
	}
}

func failures(all []seen) int {
	n := 0
	for _, s := range all {
		if s.failed() {
			n++
		}
	}
	return n
}

// late reports whether a target has had its time since the wave, or its sync, began. The
// first look, and the one after it could not be asked, never are: nobody looked meanwhile.
func (s seen) late(wave release.Wave, limit time.Duration, now time.Time) bool {
	switch live.State(s.before.State) {
	case "", live.Pending, live.Unreachable:
		return false
	}
	began := s.began(wave)
	return !began.IsZero() && now.Sub(began) > limit
}

// began is what a target's time counts from: its sync, once there is one.
func (s seen) began(wave release.Wave) time.Time {
	if s.target.Synced.After(wave.Started) {
		return s.target.Synced
	}
	return wave.Started
}

// each works on targets at once and keeps their order.
func (o *Rollout) each(ctx context.Context, targets []release.Target, do func(context.Context, release.Target) seen) []seen {
	out := make([]seen, len(targets))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, t := range targets {
		g.Go(func() error {
			out[i] = do(ctx, t)
			out[i].before = t
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out
}

// syncTarget brings one target to the content. A target that is on it already is only
// looked at again, which costs a few milliseconds.
func (o *Rollout) syncTarget(ctx context.Context, w live.Want, t release.Target) seen {
	ctx, done := o.Presence.During(ctx, t.Cluster)
	defer done()
	unlock, err := o.Locks.Lock(ctx, t.Cluster, w.Service)
	if err != nil && errors.Is(context.Cause(ctx), presence.ErrAway) {
		return o.unreachable(ctx, t, err)
	}
	if err != nil {
		return seen{target: t, err: err}
	}
	defer unlock()
	first := !on(t, w.Revision)
	w.Hooks = w.Hooks && first
	res, err := o.Live.Sync(ctx, t.Cluster, w)
	if err != nil {
		return o.unreachable(ctx, t, err)
	}
	before := t.State
	t.State, t.Message, t.Away = string(res.State), res.Message, time.Time{}
	switch res.State {
	case live.Syncing:
		if first && before != t.State {
			t.Synced = o.Now() // its time begins with its first answer
		}
	case live.Synced:
		if first {
			t.Revision, t.Synced, t.Healthy = w.Revision, o.Now(), time.Time{}
		}
		t.State = string(live.Progressing)
		if !t.Healthy.IsZero() {
			t.State = string(live.Healthy)
		}
	case live.Refused:
		t.State = string(live.Degraded)
	}
	return seen{target: t, result: res}
}

// syncVerdict weighs what the targets said. Failures within the budget do not stop the
// wave; an unreachable target that is not quarantined is waited for: nothing is known of it.
func syncVerdict(r release.Release, wave release.Wave, all []seen, st stage, now time.Time) release.Verdict {
	var failed, gone, running []seen
	var proof []release.Evidence
	for _, s := range all {
		switch {
		case s.err != nil:
			gone = append(gone, s)
		case quarantined(s.target):
		case s.failed():
			failed = append(failed, s)
		case s.result.State == live.Syncing:
			running = append(running, s)
		default:
			proof = append(proof, evidence("sync", fmt.Sprintf("%s holds the objects of %s", s.target.Cluster, r.Service), true, s.target, now, changesOf(s.result)))
		}
	}
	left := pendingAfter(wave, all, st.s.Desired)
	switch {
	case len(failed) > max(0, st.room(wave, all)):
		f, refuses := failed[0], " refuses "+string(r.Service)
		if f.over {
			refuses = ""
		}
		return release.Refuse(fmt.Sprintf("cluster %s%s: %s", f.target.Cluster, refuses, f.result.Message), f.result.Hint).
			With(evidence("sync", fmt.Sprintf("%s takes the objects of %s", f.target.Cluster, r.Service), false, f.target, now, f.result.Message))
	case len(gone) > 0:
		return awaitReach(gone)
	case len(running) > 0:
		return release.Wait(fmt.Sprintf("cluster %s: %s", running[0].target.Cluster, running[0].result.Message), askSync)
	case left > 0:
		return release.Wait(fmt.Sprintf("%d targets of wave %s wait for the others to be healthy", left, wave.Name), askHealth)
	}
	return lacking(release.Pass(proof...), r.Service, wave, all, now)
}

// awaitReach waits for clusters that do not answer.
func awaitReach(gone []seen) release.Verdict {
	var said []string
	for _, s := range gone {
		said = append(said, s.err.Error())
	}
	return release.Wait(strings.Join(said, "; "), askUnreachable).
		Advise("it goes on by itself when the cluster answers; which parts answer: seatrial doctor")
}

func changesOf(res live.Result) string {
	text := "nothing to change"
	if len(res.Objects) > 0 {
		text = fmt.Sprintf("%d changed: %s", len(res.Objects), strings.Join(res.Objects[:min(10, len(res.Objects))], ", "))
	}
	if res.Message != "" {
		text += "; " + res.Message // what is kept until somebody approves
	}
	return text
}

func evidence(gate, claim string, holds bool, t release.Target, now time.Time, detail string) release.Evidence {
	return release.Evidence{Gate: gate, Claim: claim, Holds: holds, Cluster: t.Cluster, Revision: t.Revision, From: t.Synced, To: now, Detail: detail}
}
