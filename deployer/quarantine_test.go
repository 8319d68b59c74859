package deployer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/release"
)

// many is an environment of one wave of clusters a to d.
func many(budget int, atOnce string) (release.Environment, []release.Cluster) {
	env := prod()
	env.Spec.Waves = []release.WaveSpec{{Name: "all", Clusters: match("env", "prod"), FailureBudget: budget, MaxUnavailable: atOnce}}
	var clusters []release.Cluster
	for _, n := range []string{"a", "b", "c", "d"} {
		clusters = append(clusters, cluster(n, "env", "prod"))
	}
	return env, clusters
}

func silent() (live.Result, error) {
	return live.Result{}, errors.New("cluster does not answer: connection refused")
}

// walk looks every few seconds for as long as the answer is to wait, and at most half a minute.
func walk(t *testing.T, now *time.Time, r *release.Release, look func(release.Release) (release.Facts, release.Verdict, error)) release.Verdict {
	t.Helper()
	var v release.Verdict
	for range 10 {
		facts, verdict, err := look(*r)
		if err != nil {
			t.Fatal(err)
		}
		*r, v = r.With(facts), verdict
		if v.Outcome() != release.Waiting {
			break
		}
		*now = now.Add(3 * time.Second)
	}
	return v
}

func TestADeadClusterFreezesNobody(t *testing.T) {
	for _, c := range []struct {
		name   string
		budget int
		atOnce string
		dead   []string
		broken []string
		want   release.Outcome
	}{
		{"within the budget it is quarantined", 1, "", []string{"b"}, nil, release.Passed},
		{"it takes no room from those that change at once", 1, "1", []string{"a"}, nil, release.Passed},
		{"beyond the budget it is waited for", 1, "", []string{"b", "c"}, nil, release.Waiting},
		{"without a budget it is waited for", 0, "", []string{"b"}, nil, release.Waiting},
		{"what fails counts together with what is silent", 1, "", []string{"b"}, []string{"c"}, release.Waiting},
		{"both fit into a larger budget", 2, "", []string{"b"}, []string{"c"}, release.Passed},
	} {
		t.Run(c.name, func(t *testing.T) {
			env, clusters := many(c.budget, c.atOnce)
			w, r := newWorld(env, clusters...), newRelease("1")
			now := w.Now()
			w.Now = func() time.Time { return now }
			began := now
			for _, n := range c.dead {
				w.fleet.sync[n] = silent
			}
			for _, n := range c.broken {
				w.fleet.sync[n] = func() (live.Result, error) { return live.Result{State: live.Refused, Message: "quota"}, nil }
			}
			v := walk(t, &now, &r, func(r release.Release) (release.Facts, release.Verdict, error) { return w.Sync(t.Context(), "k", r) })
			if v.Outcome() != c.want {
				t.Fatalf("%v: %s", v.Outcome(), v.Reason())
			}
			if c.want != release.Passed {
				return
			}
			limit := 15 * time.Second
			if c.atOnce == "1" {
				limit += 9 * time.Second // the three others, one look each
			}
			if took := now.Sub(began); took > limit {
				t.Errorf("it took %v", took)
			}
			if v = walk(t, &now, &r, func(r release.Release) (release.Facts, release.Verdict, error) { return w.Health(t.Context(), "k", r) }); v.Outcome() != release.Passed {
				t.Errorf("health: %v: %s", v.Outcome(), v.Reason())
			}
			var absent []string
			for _, e := range v.Evidence() {
				if e.Gate == "reach" && !e.Holds && strings.Contains(e.Detail, "connection refused") {
					absent = append(absent, e.Cluster)
				}
			}
			if !slices.Equal(absent, c.dead) {
				t.Errorf("the verdict says that %v are missing, want %v: %+v", absent, c.dead, v.Evidence())
			}
			for _, tg := range r.Now().Waves[0].Targets {
				if (tg.State == deployer.Quarantined) != slices.Contains(c.dead, tg.Cluster) {
					t.Errorf("%+v", tg)
				}
			}
		})
	}
}

func TestAClusterThatIsShortlyAwayIsNotQuarantined(t *testing.T) {
	env, clusters := many(1, "")
	w, r := newWorld(env, clusters...), newRelease("1")
	now := w.Now()
	w.Now = func() time.Time { return now }
	looks := 0
	w.fleet.sync["b"] = func() (live.Result, error) {
		if looks++; looks%2 == 1 {
			return silent()
		}
		return live.Result{State: live.Syncing, Message: "a hook runs"}, nil
	}
	for range 8 {
		facts, v, err := w.Sync(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Waiting {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
		r, now = r.With(facts), now.Add(9*time.Second)
	}
}

func TestAClusterThatDiesAfterItsSyncIsQuarantinedByItsHealth(t *testing.T) {
	env, clusters := many(1, "")
	w := newWorld(env, clusters...)
	r := w.deployed(t, "1")
	now := w.Now()
	w.Now = func() time.Time { return now }
	w.fleet.health["c"] = silent
	v := walk(t, &now, &r, func(r release.Release) (release.Facts, release.Verdict, error) { return w.Health(t.Context(), "k", r) })
	if v.Outcome() != release.Passed || r.Now().Waves[0].Targets[2].State != deployer.Quarantined {
		t.Errorf("%v %s: %+v", v.Outcome(), v.Reason(), r.Now().Waves[0].Targets)
	}
}

// known is a Watch that has found a cluster away, and goes on until the test ends.
func known(t *testing.T, dead string) *presence.Watch {
	t.Helper()
	w := &presence.Watch{Clusters: func() []release.Cluster { return []release.Cluster{cluster(dead)} }, Now: time.Now, Every: time.Second,
		Reach: func(context.Context, string) (string, string) { return "Unreachable", "no route to host" }}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	synctest.Wait()
	return w
}

func TestAClusterThatIsKnownToBeAwayIsNotWaitedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, clusters := many(1, "")
		w, r := newWorld(env, clusters...), newRelease("1")
		w.Now, w.fleet.sync["b"], w.Presence = time.Now, silent, known(t, "b")
		time.Sleep(11 * time.Second) // so long a release would wait
		facts, v, err := w.Sync(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Passed || facts.Targets[1].State != deployer.Quarantined {
			t.Errorf("%v %s %v: %+v", v.Outcome(), v.Reason(), err, facts.Targets)
		}
	})
}

// hanging is clusters of which one takes a call and never answers.
type hanging struct {
	deployer.Clusters
	cluster string
}

func (h hanging) Sync(ctx context.Context, cluster string, w live.Want) (live.Result, error) {
	if cluster == h.cluster {
		<-ctx.Done()
		return live.Result{}, ctx.Err()
	}
	return h.Clusters.Sync(ctx, cluster, w)
}

func TestNobodyIsHeldByAClusterThatTakesACallAndNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, clusters := many(1, "")
		w, r := newWorld(env, clusters...), newRelease("1")
		w.Now, w.Live, w.Presence = time.Now, hanging{w.Live, "b"}, known(t, "b")
		began := time.Now()
		facts, v, err := w.Sync(t.Context(), "k", r)
		if took := time.Since(began); err != nil || v.Outcome() != release.Passed || took > 15*time.Second {
			t.Fatalf("%v %s %v after %v", v.Outcome(), v.Reason(), err, took)
		}
		if b := facts.Targets[1]; b.State != deployer.Quarantined || !strings.Contains(b.Message, "no route to host") {
			t.Errorf("%+v", b)
		}
	})
}

func TestAReturnIsNotFrozenByADeadCluster(t *testing.T) {
	for _, c := range []struct {
		dead []string
		want release.Outcome
	}{{[]string{"b"}, release.Passed}, {[]string{"a", "b", "c", "d"}, release.Waiting}} {
		t.Run(fmt.Sprint(c.dead), func(t *testing.T) {
			env, clusters := many(0, "")
			w := newWorld(env, clusters...)
			w.verified()
			r := w.deployed(t, "2")
			now := w.Now()
			w.Now = func() time.Time { return now }
			for _, n := range c.dead {
				w.fleet.sync[n] = silent
			}
			v := walk(t, &now, &r, func(r release.Release) (release.Facts, release.Verdict, error) { return w.Return(t.Context(), "k", r) })
			if v.Outcome() != c.want || c.want == release.Passed && w.fleet.on["c"] != r.Now().Return {
				t.Errorf("%v: %s; c is on %s", v.Outcome(), v.Reason(), w.fleet.on["c"])
			}
		})
	}
}
