package views

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/course"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/objectives"
)

// What is looked at for the annotations of one course.
const (
	askedAtOnce  = 4
	mostReleases = 100
	mostRuns     = 500
)

// Objectives reads what services promise. How they are doing of late is what the watch has
// measured; what is left of a budget is asked for when somebody looks.
type Objectives struct {
	SLOs   func() []openslo.SLO
	States func() []slo.State
	Ask    course.Asks
	Book   *store.Book
	Runs   shelf.Runs
	Now    func() time.Time
}

// Objectives is a page, by name.
func (v Objectives) Objectives(ctx context.Context, f objectives.Filter) (objectives.Page, error) {
	page := objectives.Page{Items: []objectives.Objective{}}
	slos := slices.SortedFunc(slices.Values(v.SLOs()), func(a, b openslo.SLO) int { return strings.Compare(a.Name, b.Name) })
	var shown []openslo.SLO
	states := v.states()
	for _, o := range slos {
		item, ok := chosen(worded(o, states[o.Name]), f)
		if !ok {
			continue
		}
		if len(page.Items) == f.Limit {
			page.Next = page.Items[f.Limit-1].Name
			break
		}
		page.Items, shown = append(page.Items, item), append(shown, o)
	}
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	now := v.Now()
	for i := range page.Items {
		for j := range page.Items[i].Clusters {
			g.Go(func() error { v.weigh(ctx, &page.Items[i].Clusters[j], shown[i], now); return nil })
		}
	}
	return page, g.Wait()
}

func (v Objectives) states() map[string]slo.State {
	out := map[string]slo.State{}
	for _, s := range v.States() {
		out[s.Name] = s
	}
	return out
}

// worded is an objective as it was last measured.
func worded(o openslo.SLO, s slo.State) objectives.Objective {
	item := objectives.Objective{Name: o.Name, Title: o.Title, Service: o.Service, Objective: o.Objective, Window: s.Window, Clusters: []objectives.Standing{}}
	if item.Window == "" {
		item.Window = o.Period()
	}
	for _, c := range s.Clusters {
		item.Clusters = append(item.Clusters, objectives.Standing{Cluster: c.Cluster, Env: c.Env, State: c.State, Code: string(c.Code), Problem: c.Problem,
			Busy: c.Busy, Measured: c.Measured, Burn: c.Burn, At: c.At})
	}
	slices.SortFunc(item.Clusters, func(a, b objectives.Standing) int { return strings.Compare(a.Cluster, b.Cluster) })
	return item
}

// chosen is the part of an objective that a filter selects.
func chosen(o objectives.Objective, f objectives.Filter) (objectives.Objective, bool) {
	if o.Name <= f.After || (f.Service != "" && o.Service != f.Service) {
		return o, false
	}
	if f.Env != "" {
		o.Clusters = slices.DeleteFunc(o.Clusters, func(c objectives.Standing) bool { return c.Env != f.Env })
	}
	in := f.State == "" || slices.ContainsFunc(o.Clusters, func(c objectives.Standing) bool { return c.State == f.State })
	return o, in && (f.Env == "" || len(o.Clusters) > 0)
}

// weigh adds what is left of the budget, and how long that lasts.
func (v Objectives) weigh(ctx context.Context, c *objectives.Standing, o openslo.SLO, now time.Time) {
	left, err := course.Left(ctx, v.Ask, o, c.Cluster, now)
	if err != nil {
		c.Problem = err.Error()
		return
	}
	c.Remaining = left
	if left == nil || (c.Burn == nil && *left > 0) {
		return
	}
	rate := 0.0
	if c.Burn != nil {
		rate = *c.Burn
	}
	if lasts := burn.Exhausted(*left, rate, o.Window); lasts != burn.Never {
		seconds := lasts.Seconds()
		c.Exhausted = &seconds
	}
}

// Course is the way of an objective on a cluster, with what happened there meanwhile.
func (v Objectives) Course(ctx context.Context, q objectives.Question) (objectives.Course, error) {
	out := objectives.Course{Points: []objectives.Point{}, Queries: []objectives.Asked{}, Releases: []objectives.Mark{}, Faults: []objectives.Shade{}}
	slos := v.SLOs()
	at := slices.IndexFunc(slos, func(o openslo.SLO) bool { return o.Name == q.Name })
	if at < 0 {
		return out, as{hint.Add(fmt.Errorf("slo %s: the platform repo has none of this name", q.Name), "list them: GET /api/v1/slos"), web.ErrNotFound}
	}
	o, now := slos[at], v.Now()
	out.Objective, out.Description = worded(o, v.states()[o.Name]), o.Description
	if len(out.Clusters) == 0 && q.Cluster == "" {
		out.Code, out.Problem = string(slo.CodeNoTarget), fmt.Sprintf("%s is on no cluster yet, or was not measured yet", o.Service)
		return out, nil
	}
	here := slices.IndexFunc(out.Clusters, func(c objectives.Standing) bool { return c.Cluster == q.Cluster || q.Cluster == "" })
	if here < 0 {
		return out, as{fmt.Errorf("slo %s: %s is not on cluster %q", o.Name, o.Service, q.Cluster), web.ErrNotFound}
	}
	for i := range out.Clusters {
		v.weigh(ctx, &out.Clusters[i], o, now)
	}
	out.Cluster = out.Clusters[here].Cluster
	c, err := course.Follow(ctx, v.Ask, o, out.Cluster, now)
	out.From, out.To, out.Step, out.Known = c.From, c.To, c.Step.Seconds(), min(1, c.Known)
	if err != nil {
		out.Code, out.Problem, out.Hint = string(slo.CodeOf(err)), err.Error(), hint.Of(err)
	} else if c.Known == 0 {
		out.Code, out.Problem = string(slo.CodeNoData), "Prometheus has no events of the whole window"
	} else {
		for _, p := range c.Points {
			out.Points = append(out.Points, objectives.Point(p))
		}
	}
	for _, asked := range c.Queries {
		out.Queries = append(out.Queries, objectives.Asked{Name: asked.Name, Expr: asked.Expr})
	}
	return out, v.annotate(ctx, &out, out.Clusters[here].Env)
}

// annotate adds the releases and the faults of the cluster.
func (v Objectives) annotate(ctx context.Context, c *objectives.Course, env release.Env) error {
	list, _, err := v.Book.Releases(ctx, store.Filter{Service: c.Service, Except: release.FromPull, Limit: mostReleases})
	if err != nil {
		return err
	}
	c.LeftOff = len(list) == mostReleases && list[len(list)-1].Created.After(c.From)
	for _, r := range list {
		for _, stage := range r.Stages {
			if stage.Env != env {
				continue
			}
			if m, ok := mark(r, stage, c.Cluster); ok && within(m.At, c) {
				c.Releases = append(c.Releases, m)
			}
			c.Faults = shade(c, stage.Trial, "")
		}
	}
	runs, more, err := v.Runs.Between(ctx, c.From.Add(-time.Hour), c.To, mostRuns)
	if err != nil {
		return err
	}
	c.LeftOff = c.LeftOff || more
	for _, r := range runs {
		if r.Service == c.Service && r.Cluster == c.Cluster {
			c.Faults = shade(c, &release.Trial{Fault: r.Fault}, r.ID)
		}
	}
	slices.SortFunc(c.Releases, func(a, b objectives.Mark) int { return a.At.Compare(b.At) })
	slices.SortFunc(c.Faults, func(a, b objectives.Shade) int { return a.From.Compare(b.From) })
	return nil
}

func within(at time.Time, c *objectives.Course) bool { return !at.Before(c.From) && !at.After(c.To) }

// mark is when a release came to a cluster.
func mark(r release.Release, s release.Stage, cluster string) (objectives.Mark, bool) {
	m := objectives.Mark{Release: r.ID, Commit: r.Commit, Message: r.Message, End: "under way"}
	switch {
	case !s.Refused.IsZero() || !s.Returned.IsZero():
		m.End = "refused"
	case !s.Verified.IsZero():
		m.End = "verified"
	}
	for _, w := range s.Waves {
		if slices.ContainsFunc(w.Targets, func(t release.Target) bool { return t.Cluster == cluster }) {
			m.At = w.Started
		}
	}
	return m, !m.At.IsZero()
}

// shade adds the faults of a trial or a run that were there, each once.
func shade(c *objectives.Course, t *release.Trial, run string) []objectives.Shade {
	if t == nil {
		return c.Faults
	}
	found := []*release.FaultRecord{t.Fault}
	for _, e := range t.Evidence {
		found = append(found, e.Fault)
	}
	last := map[string]*release.FaultRecord{} // evidence from before the revert knows less
	var names []string
	for _, f := range found {
		if f == nil || f.Cluster != c.Cluster || f.Injected.IsZero() || f.Injected.After(c.To) {
			continue
		}
		if old, ok := last[f.Name]; !ok {
			names = append(names, f.Name)
		} else if !old.Recovered.IsZero() {
			continue
		}
		last[f.Name] = f
	}
	out := c.Faults
	for _, name := range names {
		f := last[name]
		if !f.Recovered.IsZero() && f.Recovered.Before(c.From) {
			continue
		}
		out = append(out, objectives.Shade{From: f.Injected, To: f.Recovered, Experiment: f.Experiment, Kind: strings.TrimSpace(f.Kind + " " + f.Action), Run: run})
	}
	return out
}
