package presence_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/release"
)

// fleet is clusters that answer, do not, or are not in the platform any more.
type fleet struct {
	mu    sync.Mutex // guards states
	state map[string]string
	slow  time.Duration // until a cluster that does not answer is given up
}

func (f *fleet) set(cluster, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state[cluster] = state; state == "" {
		delete(f.state, cluster)
	}
}

func (f *fleet) clusters() (all []release.Cluster) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range f.state {
		all = append(all, release.Cluster{Meta: release.Meta{Name: name}})
	}
	return all
}

func (f *fleet) reach(_ context.Context, cluster string) (state, message string) {
	f.mu.Lock()
	state = f.state[cluster]
	f.mu.Unlock()
	if state != "Ready" {
		time.Sleep(f.slow)
	}
	return state, "it is " + state
}

// watched runs a Watch over a and b, which answer, for as long as do takes.
func watched(t *testing.T, do func(t *testing.T, f *fleet, w *presence.Watch)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{state: map[string]string{"a": "Ready", "b": "Ready"}, slow: 2 * time.Second}
		w := &presence.Watch{Clusters: f.clusters, Reach: f.reach, Now: time.Now}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(time.Second)
		do(t, f, w)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestASilentClusterIsKnownBeforeAnybodyHasWorkForIt(t *testing.T) {
	watched(t, func(t *testing.T, f *fleet, w *presence.Watch) {
		if !w.Away("a").IsZero() || !w.Away("c").IsZero() {
			t.Fatalf("away: %v, %v", w.Away("a"), w.Away("c"))
		}
		died := time.Now()
		f.set("a", "Unreachable")
		time.Sleep(6 * time.Second)
		since := w.Away("a")
		if since.Before(died) || since.Sub(died) > 5*time.Second || !w.Away("b").IsZero() {
			t.Fatalf("a died at %v and is away since %v; b since %v", died, since, w.Away("b"))
		}
		if err := testutil.CollectAndCompare(w, strings.NewReader(`# HELP seatrial_cluster_answers Whether a cluster, or its agent, answers: 1, or 0.
# TYPE seatrial_cluster_answers gauge
seatrial_cluster_answers{cluster="a"} 0
seatrial_cluster_answers{cluster="b"} 1
`)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if !w.Away("a").Equal(since) {
			t.Errorf("away since %v, and then since %v", since, w.Away("a"))
		}
		f.set("a", "Ready")
		time.Sleep(6 * time.Second)
		if !w.Away("a").IsZero() {
			t.Errorf("it answers, and is away since %v", w.Away("a"))
		}
	})
}

func TestAClusterThatLeftThePlatformIsForgotten(t *testing.T) {
	watched(t, func(t *testing.T, f *fleet, w *presence.Watch) {
		f.set("a", "Unreachable")
		time.Sleep(6 * time.Second)
		f.set("a", "")
		time.Sleep(6 * time.Second)
		if !w.Away("a").IsZero() {
			t.Errorf("away since %v", w.Away("a"))
		}
	})
}

func TestWorkEndsWhenItsClusterStaysSilent(t *testing.T) {
	watched(t, func(t *testing.T, f *fleet, w *presence.Watch) {
		silent, done := w.During(t.Context(), "a")
		defer done()
		well, stop := w.During(t.Context(), "b")
		f.set("a", "Unreachable")
		began := time.Now()
		select {
		case <-silent.Done():
		case <-time.After(time.Minute):
			t.Fatal("the work goes on after a minute")
		}
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("it ended after %v", took)
		}
		if err := context.Cause(silent); !errors.Is(err, presence.ErrAway) || !strings.Contains(err.Error(), "cluster a") || !strings.Contains(err.Error(), "it is Unreachable") {
			t.Errorf("because: %v", err)
		}
		if well.Err() != nil {
			t.Errorf("work with another cluster ended: %v", context.Cause(well))
		}
		stop()
		if errors.Is(context.Cause(well), presence.ErrAway) {
			t.Error("work that was done ended because its cluster was away")
		}
	})
}

func TestWorkGoesOnWhenItsClusterIsOnlyShortlySilent(t *testing.T) {
	watched(t, func(t *testing.T, f *fleet, w *presence.Watch) {
		ctx, done := w.During(t.Context(), "a")
		defer done()
		for range 5 {
			f.set("a", "Unreachable")
			time.Sleep(7 * time.Second)
			f.set("a", "Ready")
			time.Sleep(7 * time.Second)
		}
		if ctx.Err() != nil {
			t.Errorf("it ended: %v", context.Cause(ctx))
		}
	})
}

func TestWithoutAWatchNothingIsKnown(t *testing.T) {
	var w *presence.Watch
	ctx, done := w.During(t.Context(), "a")
	done()
	if ctx.Err() != nil || !w.Away("a").IsZero() {
		t.Errorf("%v, away since %v", ctx.Err(), w.Away("a"))
	}
}
