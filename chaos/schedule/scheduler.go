package schedule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// Place is a service on a cluster, where an experiment may be run.
type Place struct {
	Service  release.Service
	Env      release.Env
	Cluster  string
	Project  string
	Revision release.Commit
	Busy     string // what occupies the slot: "release shop.web.3f2a91c07d0b is Deploying"; empty: nothing
}

// Scheduler runs experiments outside releases: by their schedule, or when a person asks.
type Scheduler struct {
	Platform func(context.Context) (chaos.Platform, error)
	Places   func(context.Context) ([]Place, error)
	Runs     Runs
	Engine   *chaos.Engine
	Announce func(context.Context, release.Event) error // durable; the same ID twice is one event
	Votes    Votes                                      // nil: what needs approvals is not run
	StopFile string                                     // while it exists nothing is broken, and what is gets reverted
	Every    time.Duration                              // how often schedules are looked at; default 1s
	Log      *slog.Logger

	mu     sync.Mutex           // guards the fields below
	known  bool                 // active has what an earlier process left unfinished
	active map[string]*task     // by run ID: those that have not ended
	left   map[string]Run       // by run ID: those that have ended while their faults are there
	last   map[string]time.Time // by experiment and environment: the last time of its schedule that was dealt with
	wake   chan struct{}
	turn   chan struct{} // holds something from the question whether a run may begin until it is active
}

// task is an active run; Run gives each a goroutine.
type task struct {
	run     Run
	driving bool
	wake    chan struct{}
}

var (
	// ErrUnknownExperiment: the platform repo has none of that name.
	ErrUnknownExperiment = errors.New("no such experiment")
	// ErrUnknownRun: no run of that ID is active.
	ErrUnknownRun = errors.New("no such active run")
	// ErrBusy: the service cannot be experimented on now.
	ErrBusy = errors.New("busy")
	// ErrUnknownPlace: the service is not in that environment.
	ErrUnknownPlace = errors.New("no such place")
)

// Item is one experiment with what it has done and will do; GET /api/v1/experiments.
type Item struct {
	Name    string                 `json:"name"`
	Spec    release.ExperimentSpec `json:"spec"`
	Next    time.Time              `json:"next,omitzero"`
	Running *Run                   `json:"running,omitempty"`
	Last    []Run                  `json:"last"`
	Stopped string                 `json:"stopped,omitempty"` // the kill switch
}

// Items is every experiment, by name, with its last five runs.
func (s *Scheduler) Items(ctx context.Context) ([]Item, error) {
	p, err := s.Platform(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the platform: %w", err)
	}
	var items []Item
	for name, x := range p.Experiments {
		item := Item{Name: name, Spec: x.Spec, Stopped: chaos.Stopped(s.StopFile)}
		if item.Last, err = s.Runs.List(ctx, name, "", 5); err != nil {
			return nil, fmt.Errorf("list runs of %s: %w", name, err)
		}
		if x.Spec.Schedule != nil {
			if schedule, err := ParseSchedule(*x.Spec.Schedule); err == nil {
				item.Next = s.next(schedule, name, x.Spec.Schedule.Environments)
			}
		}
		for _, r := range item.Last {
			if !r.Over() {
				item.Running = &r
				break
			}
		}
		items = append(items, item)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return items, nil
}

// next is the first moment of a schedule in any of its environments.
func (s *Scheduler) next(schedule Schedule, name string, envs []release.Env) (first time.Time) {
	now := s.Engine.Now()
	for _, env := range envs {
		timed := schedule.For(name, env)
		s.mu.Lock()
		last, ok := s.last[name+"/"+string(env)]
		s.mu.Unlock()
		if !ok {
			last = timed.since(now)
		}
		if t := timed.Next(last, now); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// Active reports whether run is the fault of a run that has not ended, for Trial.Sweep.
// Before Run has resumed what was unfinished it asks the store.
func (s *Scheduler) Active(ctx context.Context, run string) (bool, error) {
	unfinished, err := s.Runs.Active(ctx)
	if err != nil {
		return false, fmt.Errorf("list active runs: %w", err)
	}
	for _, r := range unfinished {
		if chaos.Live(r.Trial, run) {
			return true, nil
		}
	}
	return false, nil
}

// Start runs an experiment now because a person asks. service may be empty when the
// experiment names one.
func (s *Scheduler) Start(ctx context.Context, name string, env release.Env, service release.Service, by string) (Run, error) {
	p, run, err := s.wanted(ctx, name, env, service)
	if err != nil {
		return Run{}, err
	}
	run.Started = s.Engine.Now().UTC()
	run.ID, run.Trigger, run.By, run.State = runID(run.Started, name, env)+"."+suffix(), "person", by, Planned
	end, err := s.alone(ctx)
	if err != nil {
		return Run{}, err
	}
	defer end()
	place, why, err := s.admit(ctx, p, run)
	if err != nil {
		return Run{}, err
	}
	if why != "" {
		return Run{}, fmt.Errorf("run experiment %s: %w: %s", name, ErrBusy, why)
	}
	run.Cluster = place.Cluster
	if err := s.consented(ctx, p, run, place.Project); err != nil {
		return Run{}, fmt.Errorf("run experiment %s: %w", name, err)
	}
	if run.Revision, err = s.Runs.Save(ctx, run); err != nil {
		return Run{}, fmt.Errorf("run experiment %s: %w", name, err)
	}
	s.add(run)
	return run, nil
}

// Abort makes an active run end as soon as its fault is reverted.
func (s *Scheduler) Abort(ctx context.Context, id, why string) (Run, error) {
	s.mu.Lock()
	t, ok := s.active[id]
	if ok && t.run.Abort == "" {
		t.run.Abort = why
	}
	var run Run
	if ok {
		run = t.run
	}
	s.mu.Unlock()
	if !ok {
		return Run{}, fmt.Errorf("abort run %s: %w", id, ErrUnknownRun)
	}
	poke(t.wake)
	return run, nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake
	}
}

func runID(at time.Time, experiment string, env release.Env) string {
	return at.UTC().Format("20060102T150405Z") + "." + experiment + "." + string(env)
}

// suffix tells two runs of one second apart.
func suffix() string {
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
