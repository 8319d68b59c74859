package trial_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/release"
)

var begin = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// world is a cluster with Chaos Mesh and Prometheus that lives by its own clock: a
// deployment of three pods, one fault at a time, and a share of good requests that depends
// on whether the fault is active.
type world struct {
	now      time.Time
	pods     []chaos.Pod
	faults   map[string]*fault
	spans    []*fault // every fault there ever was
	injected int      // how often a fault was created
	log      []string

	goodWithout, goodUnder float64       // share of good requests
	replaceAfter           time.Duration // until a killed pod's replacement is ready
	injectAfter            time.Duration
	removeAfter            time.Duration
	wanted                 int    // pods, now; 0: nobody says
	cannot                 error  // of Inject
	never                  string // injected never, with this message
	lies                   bool   // says injected and does nothing
	down                   bool   // Prometheus
	lost                   bool   // Prometheus has nothing of windows under the first fault
	unreachable            bool   // the cluster
	events                 float64
	labels                 map[string]string // of the namespace
}

type fault struct {
	order   chaos.Order
	created time.Time
	deleted time.Time
	force   chaos.Force
}

func newWorld() *world {
	w := &world{now: begin, faults: map[string]*fault{}, goodWithout: 0.999, goodUnder: 0.995, replaceAfter: time.Second,
		injectAfter: 100 * time.Millisecond, removeAfter: 300 * time.Millisecond, events: 50}
	for i := range 3 {
		w.pods = append(w.pods, chaos.Pod{Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: fmt.Sprintf("uid-%d", i), Ready: true, ReadySince: begin.Add(-time.Hour)})
	}
	return w
}

var errAway = errors.New("cluster staging does not answer: connection refused")

func (w *world) Inject(_ context.Context, o chaos.Order) error {
	if w.unreachable {
		return errAway
	}
	if w.cannot != nil {
		return w.cannot
	}
	if w.faults[o.Fault.Name] != nil {
		return nil
	}
	w.injected++
	w.log = append(w.log, "inject")
	x := &fault{order: o, created: w.now}
	w.faults[o.Fault.Name] = x
	w.spans = append(w.spans, x)
	if w.never != "" || w.lies {
		return nil
	}
	for _, id := range o.Fault.Targets {
		for i, p := range w.pods {
			if p.ID() != id {
				continue
			}
			at := w.now.Add(w.injectAfter)
			switch o.Fault.Action {
			case "pod-kill":
				w.pods[i] = chaos.Pod{Namespace: "shop", Name: p.Name + "x", UID: p.UID + "x", ReadySince: at.Add(w.replaceAfter)}
			default:
				w.pods[i].Restarts++
				w.pods[i].ReadySince = at.Add(w.replaceAfter)
			}
		}
	}
	return nil
}

func (w *world) Look(_ context.Context, f release.FaultRecord) (chaos.Sight, error) {
	if w.unreachable {
		return chaos.Sight{}, errAway
	}
	x := w.faults[f.Name]
	if x == nil || !x.deleted.IsZero() && w.now.Sub(x.deleted) >= w.removeAfter {
		if x != nil {
			w.log = append(w.log, "gone")
		}
		delete(w.faults, f.Name)
		return chaos.Sight{State: chaos.Gone, Seen: true}, nil
	}
	at := x.created.Add(w.injectAfter)
	switch {
	case !x.deleted.IsZero():
		return chaos.Sight{State: chaos.Recovering, Message: "its finalizer stays", Seen: true}, nil
	case w.never == "no target":
		return chaos.Sight{State: chaos.NoTarget, Message: "no target has been selected", Seen: true}, nil
	case w.never == "no controller":
		return chaos.Sight{State: chaos.Starting}, nil
	case w.never != "":
		return chaos.Sight{State: chaos.NotInjected, Message: w.never, Seen: true}, nil
	case w.now.Before(at):
		return chaos.Sight{State: chaos.Starting, Seen: true}, nil
	case x.order.Fault.Action == "pod-failure" && w.now.Sub(x.created) > x.order.Duration:
		return chaos.Sight{State: chaos.Recovered, Seen: true}, nil
	}
	return chaos.Sight{State: chaos.Injected, Injected: at, Targets: x.order.Fault.Targets, Seen: true}, nil
}

func (w *world) Revert(_ context.Context, f release.FaultRecord, force chaos.Force) error {
	if w.unreachable {
		return errAway
	}
	if x := w.faults[f.Name]; x != nil {
		if x.deleted.IsZero() {
			x.deleted = w.now
			w.log = append(w.log, "revert")
		}
		x.force = force
	}
	return nil
}

func (w *world) Pods(_ context.Context, _, _ string, _ map[string]string) ([]chaos.Pod, error) {
	if w.unreachable {
		return nil, errAway
	}
	var all []chaos.Pod
	for _, p := range w.pods {
		p.Ready = !p.ReadySince.After(w.now)
		all = append(all, p)
	}
	return all, nil
}

func (w *world) Wanted(context.Context, string, string, map[string]string) (int, error) {
	return w.wanted, nil
}

func (w *world) Namespace(context.Context, string, string) (map[string]string, error) {
	if w.unreachable {
		return nil, errAway
	}
	return w.labels, nil
}

func (w *world) Faults(_ context.Context, cluster string) ([]chaos.Found, error) {
	if w.unreachable {
		return nil, errAway
	}
	var all []chaos.Found
	for name, x := range w.faults {
		if x.order.Fault.Cluster == cluster {
			all = append(all, chaos.Found{Fault: x.order.Fault, Run: name, Release: x.order.Release})
		}
	}
	return all, nil
}

// measure answers as slo.Gate.Measure does, for one SLO with an objective of 99 %.
func (w *world) measure(_ context.Context, _ release.Service, _ release.Env, cluster string, _ []string, from, to time.Time) ([]release.Evidence, error) {
	if w.down {
		return nil, errors.New("Prometheus at http://127.0.0.1:9095 does not answer: connection refused")
	}
	at := to
	if w.now.Before(to) {
		at = w.now
	}
	under := false
	for _, x := range w.spans {
		active := !from.Before(x.created.Add(w.injectAfter)) && (x.deleted.IsZero() || from.Before(x.deleted))
		under = under || active
	}
	share, total := w.goodWithout, math.Floor(at.Sub(from).Seconds()*w.events)
	if under {
		share = w.goodUnder
		if w.lost && w.injected == 1 {
			total = 0
		}
	}
	return []release.Evidence{cellOf(share, total, cluster, from, at, at.Equal(to))}, nil
}

func cellOf(share, total float64, cluster string, from, to time.Time, over bool) release.Evidence {
	objective, good := 0.99, math.Floor(share*total)
	o := release.Passed
	switch {
	case total < 100 && !over:
		o = release.Waiting
	case total < 100:
		o = release.Undetermined
	case share < objective-0.02, over && share < objective:
		o = release.Refused
	case !over:
		o = release.Waiting
	}
	return release.Evidence{
		Gate: "slo", Claim: "availability of shop/web is at least 99 %", Holds: o == release.Passed, Cluster: cluster, From: from, To: to,
		Measured: &share, Threshold: &objective,
		Facts: map[string]string{"slo": "web-availability", "title": "availability", "outcome": o.String(),
			"good": strconv.FormatFloat(good, 'g', -1, 64), "total": strconv.FormatFloat(total, 'g', -1, 64)},
	}
}

func (w *world) engine() *chaos.Engine {
	n := 0
	return &chaos.Engine{Provider: w, Finder: w, Measure: w.measure, Now: func() time.Time { return w.now },
		Name: func(x string) string { n++; return fmt.Sprintf("seatrial-%s-%d-%d", x, w.injected, n) }}
}

// kill is an experiment that kills one of the service's pods.
func kill() release.ExperimentSpec {
	return release.ExperimentSpec{Fault: release.Fault{
		Kind: "PodChaos", Action: "pod-kill", Namespace: "shop", Duration: release.Duration(30 * time.Second),
		Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}},
	}}
}

const desired = release.Commit("3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817")

func platform(experiments ...string) *chaos.Platform {
	p := &chaos.Platform{
		Clusters: map[string]release.Cluster{"staging": {Meta: release.Meta{Name: "staging"}, Spec: release.ClusterSpec{Chaos: true}}},
		Projects: map[string]release.Project{"shop": {Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Environments: []release.Environment{{Meta: release.Meta{Name: "staging"},
			Spec: release.EnvironmentSpec{Trial: release.TrialSpec{Experiments: experiments, Observe: release.Duration(20 * time.Second)}}}},
		Experiments: map[string]release.Experiment{},
	}
	for _, action := range []string{"pod-kill", "pod-failure", "container-kill"} {
		x := kill()
		x.Fault.Action, x.Fault.Container = action, "web"
		p.Experiments[action] = release.Experiment{Meta: release.Meta{Name: action}, Spec: x}
	}
	return p
}

func onTrial() release.Release {
	return release.Release{
		ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Project: "shop", Phase: release.Trying,
		Stages: []release.Stage{{Env: "staging", Desired: desired, Waves: []release.Wave{{Name: "all", Targets: []release.Target{
			{Cluster: "staging", State: "Healthy", Revision: desired, Healthy: begin},
		}}}}},
	}
}

// journey drives a trial as the Runner does: facts and verdict are saved together, and
// nothing else lives on. each sees every saved state.
func journey(t *testing.T, w *world, p *chaos.Platform, r release.Release, each func(n int, r release.Release, v release.Verdict)) (release.Release, release.Verdict) {
	t.Helper()
	for n := range 2000 {
		tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: w.engine(), Log: slog.New(slog.DiscardHandler)}
		facts, v, err := tr.Run(t.Context(), "", r)
		if err != nil {
			w.now = w.now.Add(2 * time.Second)
			if each != nil {
				each(n, r, release.Verdict{})
			}
			continue
		}
		r = r.With(facts)
		if each != nil {
			each(n, r, v)
		}
		if v.Outcome() != release.Waiting {
			return r, v
		}
		w.now = w.now.Add(max(v.After(), 10*time.Millisecond))
	}
	t.Fatal("the trial never ended")
	return r, release.Verdict{}
}
