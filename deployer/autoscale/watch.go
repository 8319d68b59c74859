package autoscale

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// Place is a service on a cluster.
type Place struct {
	Service release.Service
	Env     release.Env
	Cluster string
	Project string
}

// List is every autoscaler of ours on a cluster, and perhaps others.
type List func(ctx context.Context, cluster string) ([]autoscalingv2.HorizontalPodAutoscaler, error)

// Episodes keeps episodes, so that a restart neither repeats nor forgets one.
type Episodes interface {
	// Load is every episode that has not ended.
	Load(ctx context.Context) ([]Episode, error)
	// Change keeps one that is still at its version, or forgets one that has ended, and
	// queues the events; all or nothing: release.ErrStale.
	Change(ctx context.Context, e Episode, events ...release.Event) error
}

// Watch looks at every autoscaler of every service again and again. Between two looks
// everything it knows is in Episodes.
type Watch struct {
	Places   func(context.Context) ([]Place, error)
	List     List
	Episodes Episodes
	Rule     Rule // of autoscalers that name none; default Usual
	Now      func() time.Time
	Every    time.Duration // default 15s, as often as a controller looks
	Log      *slog.Logger

	trouble map[string]string // of Round: what was logged, by what it is about
}

const (
	most     = 20_000 // autoscalers of a cluster
	atOnce   = 8      // clusters
	patience = 20 * time.Second
)

// From lists the autoscalers that carry our label, a page at a time.
func From(k *kube.Clusters) List {
	return func(ctx context.Context, cluster string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
		c, err := k.Get(cluster)
		if err != nil {
			return nil, err
		}
		var all []autoscalingv2.HorizontalPodAutoscaler
		o := metav1.ListOptions{LabelSelector: live.ManagedByLabel + "=" + live.ManagedBy}
		err = kube.Each(ctx, c.Typed().AutoscalingV2().HorizontalPodAutoscalers(metav1.NamespaceAll).List, o, func(h *autoscalingv2.HorizontalPodAutoscaler) error {
			h.ManagedFields = nil
			if all = append(all, *h); len(all) > most {
				return fmt.Errorf("there are more than %d", most)
			}
			return nil
		})
		switch {
		case apierrors.IsForbidden(err):
			return nil, hint.Add(fmt.Errorf("list autoscalers of cluster %s: the server's account may not", cluster), "let it list horizontalpodautoscalers of autoscaling in all namespaces; seatrial cluster add does")
		case err != nil:
			return nil, fmt.Errorf("list autoscalers of cluster %s: %s", cluster, kube.Why(err))
		}
		return all, nil
	}
}

// Run looks until ctx ends. A cluster that cannot be asked changes nothing.
func (w *Watch) Run(ctx context.Context) error {
	every := w.Every
	if every == 0 {
		every = 15 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := w.Round(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.report("round", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// report logs trouble when it begins, when it changes and when it ends.
func (w *Watch) report(about string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch before := w.trouble[about]; {
	case text == before:
	case text == "":
		w.Log.Info("autoscalers", "about", about, "state", "in order again")
		delete(w.trouble, about)
	default:
		w.Log.Warn("autoscalers", "about", about, "error", text)
		if w.trouble == nil {
			w.trouble = map[string]string{}
		}
		w.trouble[about] = text
	}
}

// looked is what one cluster has answered.
type looked struct {
	at  time.Time
	all []autoscalingv2.HorizontalPodAutoscaler
	err error
}

// Round looks at every cluster once. One round goes on at a time.
func (w *Watch) Round(ctx context.Context) error {
	places, err := w.Places(ctx)
	if err != nil {
		return fmt.Errorf("read where services are: %w", err)
	}
	open, err := w.Episodes.Load(ctx)
	if err != nil {
		return fmt.Errorf("read episodes of autoscalers: %w", err)
	}
	here := map[string]map[release.Service]Place{}
	slices.SortFunc(places, func(a, b Place) int { return strings.Compare(string(b.Env), string(a.Env)) })
	for _, p := range places { // of two environments on one cluster, the first by name
		if here[p.Cluster] == nil {
			here[p.Cluster] = map[release.Service]Place{}
		}
		here[p.Cluster][p.Service] = p
	}
	known := map[string]map[string]Episode{}
	for _, e := range open {
		if known[e.Cluster] == nil {
			known[e.Cluster] = map[string]Episode{}
		}
		known[e.Cluster][e.key()] = e
	}
	clusters := slices.Sorted(maps.Keys(here))
	answers := w.ask(ctx, clusters)
	var all []error
	for i, c := range clusters {
		w.report("cluster "+c, answers[i].err)
		if answers[i].err == nil {
			all = append(all, w.cluster(ctx, here[c], known[c], answers[i]))
		}
		delete(known, c)
	}
	for _, left := range known { // of clusters that have no service any more
		all = append(all, w.end(ctx, nil, left, w.Now()))
	}
	return errors.Join(all...)
}

// ask asks clusters at the same time, a few at once.
func (w *Watch) ask(ctx context.Context, clusters []string) []looked {
	out := make([]looked, len(clusters))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, c := range clusters {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			out[i].all, out[i].err = w.List(ctx, c)
			out[i].at = w.Now().UTC()
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out
}

// cluster goes through what a cluster has answered, and takes what it sees out of open.
func (w *Watch) cluster(ctx context.Context, here map[release.Service]Place, open map[string]Episode, l looked) error {
	usual := w.Rule
	if usual == (Rule{}) {
		usual = Usual()
	}
	var all []error
	for _, h := range l.all {
		p, ok := here[serviceOf(h)]
		if !ok {
			continue // nobody's, or of a service that is not on this cluster
		}
		e := Episode{Cluster: p.Cluster, Namespace: h.Namespace, Name: h.Name, Service: p.Service, Env: p.Env}
		if before, ok := open[e.key()]; ok && before.Service == p.Service {
			e = before
			delete(open, e.key())
		}
		rule, err := ParseRule(h.Annotations[Annotation], usual)
		w.report(fmt.Sprintf("%s of %s on %s", h.Name, p.Service, p.Cluster), err)
		after, change := Next(e, rule, Look(h, l.at))
		all = append(all, w.keep(ctx, after, change, p.Project, err))
	}
	all = append(all, w.end(ctx, here, open, l.at))
	return errors.Join(all...)
}

// end ends the episodes of autoscalers that are not there any more.
func (w *Watch) end(ctx context.Context, here map[release.Service]Place, open map[string]Episode, now time.Time) error {
	var all []error
	for _, key := range slices.Sorted(maps.Keys(open)) {
		after, change := End(open[key], now.UTC())
		all = append(all, w.keep(ctx, after, change, here[after.Service].Project, nil))
	}
	return errors.Join(all...)
}

// keep stores what has changed. Another server that was faster has told of it.
func (w *Watch) keep(ctx context.Context, e Episode, c Change, project string, wrong error) error {
	var events []release.Event
	switch c {
	case Same:
		return nil
	case Hot, Calm, Gone:
		ev := Tell(e, c, project)
		if wrong != nil && c == Hot {
			ev.Hint += "; " + wrong.Error()
		}
		events = append(events, ev)
		w.Log.Info("autoscaler", "service", e.Service, "cluster", e.Cluster, "name", e.Name, "change", c.String(), "cpu", e.Load.Percent)
	}
	if err := w.Episodes.Change(ctx, e, events...); err != nil && !errors.Is(err, release.ErrStale) {
		return fmt.Errorf("keep the episode of %s on %s: %w", e.Name, e.Cluster, err)
	}
	return nil
}

func (e Episode) key() string { return e.Namespace + "/" + e.Name }

// serviceOf is the service that an autoscaler belongs to; "": none.
func serviceOf(h autoscalingv2.HorizontalPodAutoscaler) release.Service {
	s, err := release.ParseService(strings.Replace(h.Annotations[live.ServiceAnnotation], ".", "/", 1))
	if err != nil || h.Labels[live.ManagedByLabel] != live.ManagedBy {
		return ""
	}
	return s
}
