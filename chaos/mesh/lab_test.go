//go:build lab

package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// namespace is this test's own: the lab is shared.
const namespace = "trial-lab"

type labCluster struct {
	*mesh.Mesh
	t          *testing.T
	name       string
	prometheus string
}

// on opens a cluster of the lab by its real kubeconfig.
func on(t *testing.T, name string) *labCluster {
	t.Helper()
	lab := labtest.Open(t)
	return &labCluster{Mesh: &mesh.Mesh{Clusters: lab.Kube(t, name).Get}, t: t, name: name, prometheus: lab.Prometheus}
}

func (c *labCluster) kubectl(args ...string) string {
	c.t.Helper()
	return labtest.Command(c.t, "", append([]string{"kubectl", c.name}, args...)...)
}

// perl answers every request with 200, after a start that takes as long as a real one's.
const perl = `use IO::Socket::INET; $SIG{TERM}=sub{exit 0}; sleep %d; my $s=IO::Socket::INET->new(LocalPort=>8080,Listen=>128,ReuseAddr=>1) or die $!; while(my $c=$s->accept){ while(defined(my $l=<$c>)){last if $l=~/^\r?\n$/} print $c "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"; close $c }`

// deploy runs a service of real pods and waits until they are ready.
func (c *labCluster) deploy(app string, replicas, startSeconds int) {
	c.t.Helper()
	image := "198.18.0.1:5000/library/debian:bookworm-slim"
	manifest := fmt.Sprintf(`{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%[1]q}},
{"apiVersion":"v1","kind":"Service","metadata":{"name":%[2]q,"namespace":%[1]q},"spec":{"selector":{"app":%[2]q},"ports":[{"port":80,"targetPort":8080}]}},
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%[2]q,"namespace":%[1]q},"spec":{"replicas":%[3]d,"selector":{"matchLabels":{"app":%[2]q}},
 "template":{"metadata":{"labels":{"app":%[2]q}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"web","image":%[4]q,"command":["perl","-e",%[5]q],
 "readinessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1,"failureThreshold":3}}]}}}}]}`, namespace, app, replicas, image, fmt.Sprintf(perl, startSeconds))
	labtest.Command(c.t, manifest, "kubectl", c.name, "apply", "-f", "-")
	c.t.Cleanup(func() {
		c.kubectl("-n", namespace, "delete", "deployment,service", app, "--wait=false", "--ignore-not-found")
	})
	c.kubectl("-n", namespace, "rollout", "status", "deployment/"+app, "--timeout=300s")
}

func (c *labCluster) engine(measure chaos.Measure) *chaos.Engine {
	if measure == nil {
		measure = quiet
	}
	return &chaos.Engine{Provider: c, Finder: c, Measure: measure, Now: time.Now}
}

// quiet is a service without an SLO: only injection and recovery are judged.
func quiet(context.Context, release.Service, release.Env, string, []string, time.Time, time.Time) ([]release.Evidence, error) {
	return nil, nil
}

func (c *labCluster) subject(app, action string, replicas int) chaos.Subject {
	return chaos.Subject{
		Release: "trial.lab.3f2a91c07d0b", Service: release.Service("trial/" + app), Env: "staging", Cluster: c.name, Namespaces: []string{namespace},
		Observe: 8 * time.Second,
		Experiment: release.Experiment{Meta: release.Meta{Name: action}, Spec: release.ExperimentSpec{
			Limits: release.Limits{MinReady: replicas, MaxPercent: 100},
			Fault: release.Fault{Kind: "PodChaos", Action: action, Container: containerOf(action), Namespace: namespace, Duration: release.Duration(30 * time.Second),
				Selector: release.Selector{MatchLabels: map[string]string{"app": app}}},
		}},
	}
}

func containerOf(action string) string {
	if action == "container-kill" {
		return "web"
	}
	return ""
}

// carry takes an experiment to its end through its saved states, as a Runner does.
func carry(t *testing.T, e *chaos.Engine, s chaos.Subject, each func(release.Trial)) (release.Trial, release.Verdict) {
	t.Helper()
	var trial release.Trial
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); {
		next, v, err := e.Step(t.Context(), s, trial)
		if err != nil {
			t.Fatalf("step %s: %v", trial.Step, err)
		}
		if next.Step != trial.Step {
			t.Logf("%s: %s", next.Step, v.Reason())
		}
		if trial = next; each != nil {
			each(trial)
		}
		if v.Outcome() != release.Waiting {
			return trial, v
		}
		pause(t, v.After())
	}
	t.Fatalf("the experiment never ended: %+v", trial)
	return trial, release.Verdict{}
}

// trusting takes an outcome as it was recorded: samples are judged again in package slo.
func trusting(ev release.Evidence) (release.Outcome, error) {
	for _, o := range []release.Outcome{release.Passed, release.Refused, release.Undetermined} {
		if o.String() == ev.Facts["outcome"] {
			return o, nil
		}
	}
	return release.NoOutcome, fmt.Errorf("no outcome in %v", ev.Facts)
}

// pause waits for the real cluster.
func pause(t *testing.T, d time.Duration) {
	select {
	case <-t.Context().Done():
	case <-time.After(max(d, 20*time.Millisecond)):
	}
}

func (c *labCluster) nothingLeft() {
	c.t.Helper()
	found, err := c.Faults(c.t.Context(), c.name)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range found {
		if f.Fault.Namespace == namespace {
			c.t.Errorf("left behind: %+v", f)
		}
	}
}

func TestLabEveryPodFaultIsInjectedRecoveredAndGone(t *testing.T) {
	c := on(t, "staging")
	c.deploy("faults", 2, 0)
	for _, action := range []string{"pod-kill", "container-kill", "pod-failure"} {
		t.Run(action, func(t *testing.T) {
			saved := map[string]bool{}
			trial, v := carry(t, c.engine(nil), c.subject("faults", action, 2), func(s release.Trial) {
				if s.Fault != nil {
					saved[s.Fault.Name] = true
				}
			})
			if v.Outcome() != release.Passed {
				t.Errorf("%v: %s", v.Outcome(), v.Reason())
			}
			f := trial.Fault
			if f.Injected.IsZero() || f.Recovered.Before(f.Injected) || len(f.Targets) != 1 || len(saved) != 1 {
				t.Errorf("fault %+v", f)
			}
			t.Logf("%s: created to injected %.2f s; %s", action, f.Injected.Sub(f.Created).Seconds(), v.Reason())
			if again := chaos.Replay(trial, trusting); again.Outcome() != v.Outcome() {
				t.Errorf("replayed to %v", again.Outcome())
			}
			c.nothingLeft()
		})
	}
}

// good asks the lab's Prometheus for the share of an app's requests that were answered.
func (c *labCluster) good(app string) chaos.Measure {
	count := func(codes string, from, to time.Time) (float64, error) {
		q := url.Values{"time": {fmt.Sprint(float64(to.UnixMilli()) / 1000)}, "query": {fmt.Sprintf(
			`sum(increase(gateway_requests_total{service="trial/%s",cluster=%q%s}[%ds]))`, app, c.name, codes, max(1, int(to.Sub(from).Seconds())))}}
		resp, err := http.Get(c.prometheus + "/api/v1/query?" + q.Encode())
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Result) == 0 {
			return 0, err
		}
		return strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
	}
	return func(_ context.Context, _ release.Service, _ release.Env, _ string, _ []string, from, to time.Time) ([]release.Evidence, error) {
		at := to
		if now := time.Now(); now.Before(to) {
			at = now
		}
		good, err := count(`,code="200"`, from, at)
		total, err2 := count("", from, at)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		objective, share, o := 0.95, good/max(1, total), release.Passed
		switch {
		case total > 60 && share < objective-0.1, at.Equal(to) && total > 60 && share < objective:
			o = release.Refused
		case at.Before(to):
			o = release.Waiting
		case total <= 60:
			o = release.Undetermined
		}
		return []release.Evidence{{Gate: "slo", Holds: o == release.Passed, Measured: &share, Threshold: &objective, From: from, To: at,
			Facts: map[string]string{"slo": app, "title": "availability", "outcome": o.String(), "good": fmt.Sprint(good), "total": fmt.Sprint(total)}}}, nil
	}
}

func TestLabTrialJudgesRealTraffic(t *testing.T) {
	c := on(t, "staging")
	tests := []struct {
		app            string
		replicas, slow int
		want           release.Outcome
	}{
		{"sturdy", 3, 0, release.Passed},    // two others answer while one is replaced
		{"brittle", 1, 15, release.Refused}, // nobody answers until its replacement has started
	}
	for _, tt := range tests {
		t.Run(tt.app, func(t *testing.T) {
			c.deploy(tt.app, tt.replicas, tt.slow)
			labtest.Command(t, "", "load", "set", "trial/"+tt.app, "--namespace", namespace, "--name", tt.app, "--rps", "40", "--cluster", c.name)
			t.Cleanup(func() { labtest.Command(t, "", "load", "remove", "trial/"+tt.app) })
			pause(t, 6*time.Second) // the first requests, and their first scrapes
			s := c.subject(tt.app, "pod-kill", tt.replicas)
			s.Observe = 15 * time.Second
			trial, v := carry(t, c.engine(c.good(tt.app)), s, nil)
			if v.Outcome() != tt.want {
				t.Errorf("%v: %s", v.Outcome(), v.Reason())
			}
			t.Log(v.Reason())
			if again := chaos.Replay(trial, trusting); again.Outcome() != v.Outcome() || again.Reason() != v.Reason() {
				t.Errorf("replayed from samples to %v %s", again.Outcome(), again.Reason())
			}
			c.nothingLeft()
		})
	}
}

func TestLabNoTargetIsToldFromInjected(t *testing.T) {
	c := on(t, "staging")
	c.deploy("present", 1, 0)
	o := chaos.Order{Duration: 30 * time.Second, Fault: release.FaultRecord{Experiment: "none", Kind: "PodChaos", Action: "pod-kill", Cluster: c.name,
		Name: chaos.RandomName("none"), Namespace: namespace, Targets: []string{namespace + "/absent"}}}
	if err := c.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sight := c.until(o.Fault, chaos.NoTarget, 2*time.Minute)
	if !strings.Contains(sight.Message, "no target") {
		t.Errorf("%+v", sight)
	}
	if err := c.engine(nil).Remove(t.Context(), o.Fault); err != nil {
		t.Error(err)
	}
	c.nothingLeft()
}

// until looks until the fault is in the state.
func (c *labCluster) until(f release.FaultRecord, want chaos.SightState, limit time.Duration) chaos.Sight {
	c.t.Helper()
	var sight chaos.Sight
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); pause(c.t, 100*time.Millisecond) {
		var err error
		if sight, err = c.Look(c.t.Context(), f); err != nil {
			c.t.Fatal(err)
		}
		if sight.State == want {
			return sight
		}
	}
	c.t.Fatalf("the fault is %v %q after %s, want %v", sight.State, sight.Message, limit, want)
	return sight
}

func TestLabSweepRevertsWhatAnEarlierProcessLeft(t *testing.T) {
	c := on(t, "staging")
	c.deploy("orphan", 2, 0)
	pods, err := c.Pods(t.Context(), c.name, namespace, map[string]string{"app": "orphan"})
	if err != nil || len(pods) != 2 {
		t.Fatalf("%v %v", pods, err)
	}
	o := chaos.Order{Duration: 10 * time.Minute, Release: "trial.orphan.3f2a91c07d0b", Fault: release.FaultRecord{Experiment: "orphan", Kind: "PodChaos",
		Action: "pod-failure", Cluster: c.name, Name: chaos.RandomName("orphan"), Namespace: namespace, Targets: []string{pods[0].ID()}}}
	if err := c.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	c.until(o.Fault, chaos.Injected, 2*time.Minute)

	restarted := on(t, "staging") // knows nothing of it
	tr := &trial.Trial{Engine: restarted.engine(nil), Log: slog.New(slog.DiscardHandler), Platform: func(context.Context) (chaos.Platform, error) {
		return chaos.Platform{Clusters: map[string]release.Cluster{"staging": {Spec: release.ClusterSpec{Chaos: true}}}}, nil
	}}
	others := func(run string) bool { return run != o.Fault.Name } // the lab is shared
	gone, err := tr.Sweep(t.Context(), func(run string) bool { return true })
	if err != nil || len(gone) != 0 {
		t.Errorf("an active run was swept: %v %v", gone, err)
	}
	began := time.Now()
	gone, err = tr.Sweep(t.Context(), others)
	if err != nil || len(gone) != 1 || gone[0].Name != o.Fault.Name || gone[0].Action != "pod-failure" {
		t.Errorf("swept %v %v", gone, err)
	}
	t.Logf("swept in %.2f s", time.Since(began).Seconds())
	if sight, err := c.Look(t.Context(), o.Fault); err != nil || sight.State != chaos.Gone {
		t.Errorf("%v %v", sight, err)
	}
	if err := tr.RevertAll(t.Context(), o.Release); err != nil {
		t.Errorf("reverting what is gone: %v", err)
	}
	c.kubectl("-n", namespace, "rollout", "status", "deployment/orphan", "--timeout=300s")
}

// The lab's kernel has no netem: the fault's Apply fails for ever and, left alone, its
// object could never be deleted.
func TestLabAFaultThatCannotBeAppliedIsNamedAndCanBeRemoved(t *testing.T) {
	c := on(t, "staging")
	c.deploy("delayed", 1, 0)
	f := release.FaultRecord{Kind: "NetworkChaos", Action: "delay", Name: chaos.RandomName("delay"), Namespace: namespace, Cluster: c.name}
	labtest.Command(t, fmt.Sprintf(`{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"NetworkChaos","metadata":{"name":%q,"namespace":%q,"labels":{"seatrial.dev/managed":"true","seatrial.dev/run":%[1]q}},
"spec":{"action":"delay","mode":"all","duration":"10m","direction":"to","delay":{"latency":"100ms","jitter":"0ms","correlation":"0"},"selector":{"namespaces":[%[2]q],"labelSelectors":{"app":"delayed"}}}}`, f.Name, namespace),
		"kubectl", c.name, "apply", "-f", "-")
	sight := c.until(f, chaos.NotInjected, 2*time.Minute)
	if !strings.Contains(sight.Message, "unable to set tcs") {
		t.Errorf("message %q", sight.Message)
	}
	began := time.Now()
	if err := c.engine(nil).Remove(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	t.Logf("removed in %.1f s", time.Since(began).Seconds())
	c.nothingLeft()
}

func TestLabWithoutControllerNothingIsCalledInjected(t *testing.T) {
	const name = "trial-mesh" // its own cluster: its controller is stopped
	labtest.Command(t, "", "up", name, "--chaos", "--only")
	t.Cleanup(func() { labtest.Command(t, "", "down", name) })
	c := on(t, name)
	c.deploy("alone", 2, 0)
	labtest.Command(t, "", "stop", name, "chaos-controller")
	trial, v := carry(t, c.engine(nil), c.subject("alone", "pod-kill", 2), nil)
	if v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "cannot inject: ") || !strings.Contains(v.Reason(), "controller") {
		t.Errorf("%v: %s", v.Outcome(), v.Reason())
	}
	if trial.Fault == nil || !trial.Fault.Injected.IsZero() {
		t.Errorf("fault %+v", trial.Fault)
	}
	c.nothingLeft()
	labtest.Command(t, "", "start", name, "chaos-controller")
	if _, v = carry(t, c.engine(nil), c.subject("alone", "pod-kill", 2), nil); v.Outcome() != release.Passed {
		t.Errorf("once it runs again: %v: %s", v.Outcome(), v.Reason())
	}
	c.revertsOnceTheControllerIsBack()
}

// revertsOnceTheControllerIsBack: with nobody to recover it a fault stays, and Remove says
// so in time instead of claiming anything.
func (c *labCluster) revertsOnceTheControllerIsBack() {
	t := c.t
	pods, err := c.Pods(t.Context(), c.name, namespace, map[string]string{"app": "alone"})
	if err != nil || len(pods) != 2 {
		t.Fatalf("%v %v", pods, err)
	}
	o := chaos.Order{Duration: 10 * time.Minute, Fault: release.FaultRecord{Experiment: "stay", Kind: "PodChaos", Action: "pod-failure", Cluster: c.name,
		Name: chaos.RandomName("stay"), Namespace: namespace, Targets: []string{pods[0].ID()}}}
	if err := c.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	c.until(o.Fault, chaos.Injected, 2*time.Minute)
	labtest.Command(t, "", "stop", c.name, "chaos-controller")
	err = c.engine(nil).Remove(t.Context(), o.Fault)
	if err == nil || !strings.Contains(err.Error(), "chaos-mesh/records") {
		t.Errorf("without a controller: %v", err)
	}
	t.Log(err)
	labtest.Command(t, "", "start", c.name, "chaos-controller")
	if err := c.engine(nil).Remove(t.Context(), o.Fault); err != nil {
		t.Errorf("once it runs again: %v", err)
	}
	c.kubectl("-n", namespace, "rollout", "status", "deployment/alone", "--timeout=300s")
}

func TestLabAClusterWithoutChaosMeshSaysSo(t *testing.T) {
	c := on(t, "prod-canary")
	err := c.Ready(t.Context(), "prod-canary")
	if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !strings.Contains(x.Cause, "Chaos Mesh is not installed") {
		t.Errorf("err = %v", err)
	}
	if found, err := c.Faults(t.Context(), "prod-canary"); err != nil || len(found) != 0 {
		t.Errorf("%v %v", found, err)
	}
}
