package views_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/objectives"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func shelfOf(t *testing.T) *store.Book {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return store.NewBook(db)
}

// well answers every question with one bad event of a thousand, or not at all.
type well struct{ away map[string]bool } // clusters that it knows nothing of

func (w well) answer(name, expr string, times ...time.Time) (release.Query, error) {
	if w.away[expr] {
		return release.Query{}, hint.Add(source.ErrUnreachable, "start it")
	}
	q := release.Query{Name: name, Expr: expr}
	for _, at := range times {
		q.Samples = append(q.Samples, release.Sample{Time: at, Value: map[string]float64{"bad": 1, "total": 1000}[name]})
	}
	return q, nil
}

func (w well) Ask(_ context.Context, name, expr string, at time.Time) (release.Query, error) {
	return w.answer(name, expr, at)
}

func (w well) AskRange(_ context.Context, name, expr string, from, to time.Time, every time.Duration) (release.Query, error) {
	var times []time.Time
	for at := from; !at.After(to); at = at.Add(every) {
		times = append(times, at)
	}
	return w.answer(name, expr, times...)
}

func promises(t *testing.T) views.Objectives {
	t.Helper()
	book := shelfOf(t)
	rate := 2.0
	of := func(name string, service release.Service) openslo.SLO {
		return openslo.SLO{Name: name, Service: service, Objective: 0.998, Window: 24 * time.Hour, Bad: "bad {{.Cluster}}", Total: "total {{.Cluster}}"}
	}
	return views.Objectives{
		SLOs: func() []openslo.SLO {
			return []openslo.SLO{of("web-latency", "shop/web"), of("web-availability", "shop/web"), of("api", "pay/api")}
		},
		States: func() []slo.State {
			return []slo.State{
				{Name: "web-availability", Window: "1d", Clusters: []slo.ClusterState{{Cluster: "b", Env: "prod", State: slo.StateUnasked, Code: slo.CodeUnasked, Problem: "it does not answer"}, {Cluster: "a", Env: "staging", State: slo.StateOK, Code: slo.CodeKept, Burn: &rate}}},
				{Name: "web-latency", Window: "1d", Clusters: []slo.ClusterState{{Cluster: "a", Env: "staging", State: slo.StateBreach, Code: slo.CodePageBurn}}},
			}
		},
		Ask: well{away: map[string]bool{"bad b": true}}, Book: book, Runs: shelf.Runs{KV: book.KV()}, Now: func() time.Time { return noon },
	}
}

func TestObjectivesAreListedWithWhatIsLeft(t *testing.T) {
	v := promises(t)
	for name, c := range map[string]struct {
		filter objectives.Filter
		want   string
	}{
		"all, by name":         {objectives.Filter{}, "api web-availability(a b) web-latency(a)"},
		"of a service":         {objectives.Filter{Service: "pay/api"}, "api"},
		"of an environment":    {objectives.Filter{Env: "prod"}, "web-availability(b)"},
		"in a state":           {objectives.Filter{State: "unasked"}, "web-availability(a b)"},
		"in a state there":     {objectives.Filter{State: "unasked", Env: "staging"}, ""},
		"a page":               {objectives.Filter{Limit: 1}, "api, next api"},
		"the page behind it":   {objectives.Filter{Limit: 1, After: "api"}, "web-availability(a b), next web-availability"},
		"the last of them":     {objectives.Filter{Limit: 1, After: "web-availability"}, "web-latency(a)"},
		"of no such a service": {objectives.Filter{Service: "shop/no"}, ""},
	} {
		if c.filter.Limit == 0 {
			c.filter.Limit = 50
		}
		page, err := v.Objectives(t.Context(), c.filter)
		var got []string
		for _, o := range page.Items {
			var clusters []string
			for _, s := range o.Clusters {
				clusters = append(clusters, s.Cluster)
			}
			text := o.Name
			if len(clusters) > 0 {
				text += "(" + strings.Join(clusters, " ") + ")"
			}
			got = append(got, text)
		}
		text := strings.Join(got, " ")
		if page.Next != "" {
			text += ", next " + page.Next
		}
		if err != nil || text != c.want {
			t.Errorf("%s: %q, %v, want %q", name, text, err, c.want)
		}
	}
	page, _ := v.Objectives(t.Context(), objectives.Filter{Service: "shop/web", Limit: 1})
	a, b := page.Items[0].Clusters[0], page.Items[0].Clusters[1]
	if a.Remaining == nil || math.Abs(*a.Remaining-0.5) > 1e-9 || a.Exhausted == nil || math.Abs(*a.Exhausted-6*3600) > 1e-6 {
		t.Errorf("half of it is left and burns twice as fast: %+v", a)
	}
	if b.Remaining != nil || b.Exhausted != nil || b.Code != "could-not-ask" || !strings.Contains(b.Problem, "does not answer") {
		t.Errorf("what could not be asked has numbers: %+v", b)
	}
}

func TestACourseHasWhatHappenedMeanwhile(t *testing.T) {
	v := promises(t)
	fault := func(cluster string, at time.Time) *release.FaultRecord {
		return &release.FaultRecord{Experiment: "kill", Kind: "PodChaos", Action: "pod-kill", Name: cluster + at.String(), Cluster: cluster, Injected: at, Recovered: at.Add(time.Minute)}
	}
	for _, r := range []release.Release{
		{ID: "shop.web.aaaaaaaaaaaa", Message: "older than the window", Created: noon.Add(-72 * time.Hour)},
		{ID: "shop.web.bbbbbbbbbbbb", Message: "within", Created: noon.Add(-3 * time.Hour), Stages: []release.Stage{
			{Env: "staging", Verified: noon.Add(-2 * time.Hour), Waves: []release.Wave{{Started: noon.Add(-150 * time.Minute), Targets: []release.Target{{Cluster: "a"}}}},
				Trial: &release.Trial{Fault: fault("a", noon.Add(-140*time.Minute)), Evidence: []release.Evidence{{Fault: fault("a", noon.Add(-140*time.Minute))}}}},
			{Env: "prod", Waves: []release.Wave{{Started: noon.Add(-time.Hour), Targets: []release.Target{{Cluster: "b"}}}}}}},
	} {
		r.Service = "shop/web"
		if _, err := v.Book.Save(t.Context(), release.Change{Release: r}); err != nil {
			t.Fatal(err)
		}
	}
	for _, cluster := range []string{"a", "b"} {
		r := schedule.Run{ID: "run-" + cluster, Service: "shop/web", Cluster: cluster, Started: noon.Add(-time.Hour), Fault: fault(cluster, noon.Add(-time.Hour))}
		if _, err := v.Runs.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	c, err := v.Course(t.Context(), objectives.Question{Name: "web-availability"})
	if err != nil || c.Cluster != "a" || len(c.Points) != 300 || c.Code != "" || len(c.Queries) != 2 {
		t.Fatalf("%d points on %q, code %q, %v", len(c.Points), c.Cluster, c.Code, err)
	}
	if len(c.Releases) != 1 || c.Releases[0].Message != "within" || c.Releases[0].End != "verified" || !c.Releases[0].At.Equal(noon.Add(-150*time.Minute)) {
		t.Errorf("releases %+v", c.Releases)
	}
	if len(c.Faults) != 2 || c.Faults[0].Run != "" || c.Faults[1].Run != "run-a" || c.Faults[1].Kind != "PodChaos pod-kill" {
		t.Errorf("faults %+v", c.Faults)
	}
}

func TestACourseThatCouldNotBeAskedHasNoPoints(t *testing.T) {
	v := promises(t)
	c, err := v.Course(t.Context(), objectives.Question{Name: "web-availability", Cluster: "b"})
	if err != nil || len(c.Points) != 0 || c.Code != "could-not-ask" || c.Hint != "start it" {
		t.Errorf("%d points, code %q, hint %q, %v", len(c.Points), c.Code, c.Hint, err)
	}
	if c, err := v.Course(t.Context(), objectives.Question{Name: "api"}); err != nil || c.Code != "no-target" || c.Problem == "" {
		t.Errorf("of a service that is nowhere: %+v, %v", c, err)
	}
	for _, q := range []objectives.Question{{Name: "no"}, {Name: "web-availability", Cluster: "z"}} {
		if _, err := v.Course(t.Context(), q); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
