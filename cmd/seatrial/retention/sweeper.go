package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// first is how long after the start the first sweep is: what is under way goes on before.
const first = time.Minute

// Book is what is known of releases and environments.
type Book interface {
	Releases(ctx context.Context, f store.Filter) (page []release.Release, next string, err error)
	Slots(ctx context.Context) ([]release.Slot, error)
}

// Content is what a service has in an environment at a revision of its desired state, at
// the newest when there is none: the manifests as text. Nothing is an answer, too.
type Content func(ctx context.Context, env release.Env, s release.Service, revision release.Commit) ([]byte, error)

// Config is what a Sweeper works with.
type Config struct {
	Rule     Rule
	Book     Book
	Content  Content
	Project  func(release.Service) string // whose login its images are deleted with
	Registry *oci.Registry
	Host     string // of the registry; images elsewhere, from before it was changed, are left alone
	Fence    *Fence
	Log      *slog.Logger
	Metrics  prometheus.Registerer // may be nil
}

// Sweeper deletes what Plan says.
type Sweeper struct {
	Config
	deleted prometheus.Counter
	refused prometheus.Gauge
	said    map[string]bool // what has been told: every thing once
}

// New makes a Sweeper.
func New(c Config) (*Sweeper, error) {
	s := &Sweeper{Config: c, said: map[string]bool{},
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Name: "seatrial_retention_deleted_total", Help: "Images deleted from the registry."}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{Name: "seatrial_retention_refused", Help: "1 when the registry does not allow deletes, and retention has ended until the next start."}),
	}
	if c.Metrics == nil || !c.Rule.On() {
		return s, nil
	}
	return s, errors.Join(c.Metrics.Register(s.deleted), c.Metrics.Register(s.refused))
}

// Run sweeps again and again; when the rule is off, or the registry allows no deletes, it
// only waits for its end.
func (s *Sweeper) Run(ctx context.Context) error {
	every := s.Rule.Every.Std()
	if every <= 0 {
		every = time.Hour
	}
	next := time.NewTimer(min(first, every))
	defer next.Stop()
	if !s.Rule.On() {
		next.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
		err := s.Sweep(ctx)
		switch {
		case errors.Is(err, oci.ErrNoDelete):
			s.refused.Set(1)
			s.Log.Warn("retention ends until the next start", "error", err, "hint", hint.Of(err))
			continue // the timer has fired for the last time
		case err != nil && ctx.Err() == nil:
			s.once("sweep: "+err.Error(), func() { s.Log.Warn("retention", "error", err, "hint", hint.Of(err)) })
		}
		next.Reset(every)
	}
}

// once does not say the same again.
func (s *Sweeper) once(what string, say func()) {
	if !s.said[what] {
		s.said[what] = true
		say()
	}
}

// Sweep goes through all services once. What is wrong with one does not stop the others,
// unless the registry allows no deletes.
func (s *Sweeper) Sweep(ctx context.Context) error {
	all, err := s.states(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	for _, service := range slices.Sorted(maps.Keys(all)) {
		plan := s.plan(service, all[service])
		if len(plan) == 0 {
			continue
		}
		err := s.service(ctx, service, plan)
		if errors.Is(err, oci.ErrNoDelete) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("old images of %s: %w", service, err))
		}
	}
	return errors.Join(wrong...)
}

func (s *Sweeper) plan(service release.Service, now State) []Image {
	return slices.DeleteFunc(Plan(s.Rule, now), func(img Image) bool { return img.Repository != s.Host+"/"+string(service) })
}

// service deletes the images of one service, after the decision was made once more behind
// the fence: a release may have begun since.
func (s *Sweeper) service(ctx context.Context, service release.Service, plan []Image) error {
	ctx = oci.As(ctx, s.Project(service))
	shelf, err := look(ctx, s.Registry, plan[0].Repository)
	if err != nil {
		return err
	}
	there := slices.DeleteFunc(plan, func(img Image) bool { return !shelf.has(img) })
	if len(there) == 0 {
		return nil
	}
	open, ok := s.Fence.sweep(service)
	if !ok {
		return nil // another time
	}
	defer open()
	all, err := s.states(ctx)
	if err != nil {
		return err
	}
	still := map[release.Digest]bool{}
	for _, img := range s.plan(service, all[service]) {
		still[img.Digest] = true
	}
	there = slices.DeleteFunc(there, func(img Image) bool { return !still[img.Digest] })
	going, err := shelf.choose(ctx, there)
	if err != nil {
		return err
	}
	for _, g := range going {
		if s.Rule.DryRun {
			s.once("would delete "+string(g.image.Digest), func() {
				s.Log.Info("retention would delete", "image", shelf.repository+"@"+string(g.image.Digest), "releases", g.image.Releases)
			})
			continue
		}
		if err := shelf.delete(ctx, g); err != nil {
			return err
		}
		s.deleted.Inc()
		s.Log.Info("retention deleted", "image", shelf.repository+"@"+string(g.image.Digest), "releases", g.image.Releases)
	}
	return nil
}

// states is what is known of every service.
func (s *Sweeper) states(ctx context.Context) (map[release.Service]State, error) {
	slots, err := s.Book.Slots(ctx)
	if err != nil {
		return nil, err
	}
	by := map[release.Service][]release.Release{}
	for after := ""; ; {
		page, next, err := s.Book.Releases(ctx, store.Filter{After: after, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			r.Verdicts, r.History = nil, nil // nobody looks at them, and they are most of it
			by[r.Service] = append(by[r.Service], r)
		}
		if after = next; after == "" {
			break
		}
	}
	named, err := s.named(ctx, slots, by)
	if err != nil {
		return nil, fmt.Errorf("nothing is deleted while it cannot be told what an environment runs: %w", err)
	}
	out := map[release.Service]State{}
	for service, releases := range by {
		out[service] = State{Releases: releases, Slots: slots, Named: named, Now: time.Now()}
	}
	return out, nil
}

// place is content that counts.
type place struct {
	env      release.Env
	service  release.Service
	revision release.Commit
}

// named are the digests in all content that is live, being deployed, or kept to return to.
func (s *Sweeper) named(ctx context.Context, slots []release.Slot, by map[release.Service][]release.Release) ([]release.Digest, error) {
	places := map[place]bool{}
	for _, slot := range slots {
		at := func(c release.Commit) { places[place{slot.Env, slot.Service, c}] = true }
		at("")
		if slot.Current != nil {
			at(slot.Current.Desired)
		}
		for _, p := range slot.Verified {
			at(p.Desired)
		}
		for _, c := range slot.Targets { // one that could not be reached may be behind
			at(c)
		}
	}
	for service, releases := range by {
		for _, r := range releases {
			for _, stage := range r.Stages {
				if stage.Desired != "" && (!r.Phase.Final() || live(r)) {
					places[place{stage.Env, service, stage.Desired}] = true
				}
			}
		}
	}
	seen := map[release.Digest]bool{}
	for p := range places {
		content, err := s.Content(ctx, p.env, p.service, p.revision)
		if err != nil {
			return nil, err
		}
		for _, d := range DigestsIn(content) {
			seen[d] = true
		}
	}
	return slices.Collect(maps.Keys(seen)), nil
}
