//go:build lab

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// failure is an experiment on a service that measures for so long, before its fault and during it.
func failure(s *rig.Service, name, observe string) string {
	return fmt.Sprintf(`apiVersion: seatrial.dev/v1
kind: Experiment
metadata: {name: %s}
spec:
  service: %s
  fault: {kind: PodChaos, action: pod-failure, mode: one, selector: {matchLabels: {app: %s}}, duration: 5m}
  limits: {maxTargets: 1, maxPercent: 50, maxDuration: 5m, minReady: 2}
  observe: %s
`, name, s.Name, s.Name.Name(), observe)
}

// breaking makes a failure known to the server until the test ends.
func breaking(t *testing.T, ctx context.Context, s *rig.Service, name, observe string) {
	t.Helper()
	file := "experiments/" + name + ".yaml"
	check(t, stage.Platform(ctx, file, failure(s, name, observe), "platform: a long fault"))
	t.Cleanup(func() { check(t, stage.Platform(context.WithoutCancel(ctx), file, "", "platform: no long fault")) })
	check(t, rig.WaitFor(ctx, "the server to know the experiment", time.Second, func() (bool, error) {
		err := stage.API.Call(ctx, http.MethodGet, "/api/v1/experiments/"+name+"/plan?env=staging", nil, &struct{}{})
		return err == nil, err
	}))
}

// broken starts an experiment and waits until its fault is active.
func broken(t *testing.T, ctx context.Context, s *rig.Service, name string) (id string) {
	t.Helper()
	var run schedule.Run
	body := map[string]string{"env": "staging", "reason": "to see it stopped"}
	check(t, stage.API.Call(ctx, http.MethodPost, "/api/v1/experiments/"+name+"/run", body, &run))
	now := runWhere(t, ctx, run.ID, "Measuring", func(r schedule.Run) bool { return r.State == schedule.Measuring })
	if now.Fault == nil || !podFails(t, ctx, s) {
		t.Fatalf("nothing is broken: %+v", now)
	}
	return run.ID
}

// runWhere follows a run to a state.
func runWhere(t *testing.T, ctx context.Context, id, what string, ok func(schedule.Run) bool) (found schedule.Run) {
	t.Helper()
	var page struct {
		Items []schedule.Run `json:"items"`
	}
	check(t, rig.WaitFor(ctx, id+" "+what, 200*time.Millisecond, func() (bool, error) {
		if err := stage.API.Call(ctx, http.MethodGet, "/api/v1/experiments/runs", nil, &page); err != nil {
			return false, err
		}
		i := slices.IndexFunc(page.Items, func(r schedule.Run) bool { return r.ID == id })
		if i < 0 {
			return false, errors.New("there is no such run")
		}
		found = page.Items[i]
		return ok(found), fmt.Errorf("it is %s: %s", found.State, found.Message)
	}))
	return found
}

// podFails reports whether a fault object is on the cluster.
func podFails(t *testing.T, ctx context.Context, s *rig.Service) bool {
	t.Helper()
	out := must(stage.Kubectl(ctx, "staging", "-n", s.Namespace(), "get", "podchaos", "-o", "name"))(t)
	return strings.TrimSpace(out) != ""
}

// command runs the command line as an operator would, and wants it to succeed.
func command(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	out, code := stage.Command(ctx, args...)
	if code != 0 {
		t.Fatalf("seatrial %s ended with %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// What all share is stopped here: the switch, and Chaos Mesh's controller.
func TestWhatIsBrokenOnPurposeStops(t *testing.T) {
	ctx := within(t, 15*time.Minute)
	s := add(t, ctx, "lock/keeper")
	begin(t, ctx, s)
	breaking(t, ctx, s, "short-look", "20s")
	t.Run("by the switch", func(t *testing.T) { bySwitch(t, ctx, s) })
	t.Run("by its file", func(t *testing.T) { byFile(t, ctx, s) })
	t.Run("while Chaos Mesh's controller is dead", func(t *testing.T) { withoutController(t, ctx, s) })
}

// reverted demands that nothing is broken any more, and returns after how long.
func reverted(t *testing.T, ctx context.Context, s *rig.Service, limit time.Duration) {
	t.Helper()
	began := time.Now()
	check(t, rig.WaitFor(ctx, "the fault to go", 100*time.Millisecond, func() (bool, error) { return !podFails(t, ctx, s), nil }))
	took := time.Since(began)
	t.Logf("reverted after %.1f s", took.Seconds())
	if took > limit {
		t.Errorf("it took %s, want %s", took, limit)
	}
}

func bySwitch(t *testing.T, ctx context.Context, s *rig.Service) {
	id := broken(t, ctx, s, "short-look")
	command(t, ctx, "chaos", "stop", "--reason", "the harbour is on fire")
	t.Cleanup(func() { command(t, context.WithoutCancel(ctx), "chaos", "resume", "--reason", "it is out") })
	reverted(t, ctx, s, 10*time.Second)
	r := runWhere(t, ctx, id, "aborted", schedule.Run.Over)
	if r.State != schedule.Aborted || !strings.Contains(r.Message, "the harbour is on fire") {
		t.Errorf("%s: %s", r.State, r.Message)
	}
	err := stage.API.Call(ctx, http.MethodPost, "/api/v1/experiments/short-look/run", map[string]string{"env": "staging", "reason": "again"}, nil)
	if err == nil || !strings.Contains(err.Error(), "kill switch") {
		t.Errorf("a new run while everything is stopped: %v", err)
	}
	if out := command(t, ctx, "chaos", "status"); !strings.Contains(out, "stopped: ") {
		t.Errorf("%s", out)
	}
}

// byFile is for when the server's API cannot be reached.
func byFile(t *testing.T, ctx context.Context, s *rig.Service) {
	id := broken(t, ctx, s, "short-look")
	file := filepath.Join(stage.Dir, "state", "stop-chaos")
	check(t, os.WriteFile(file, nil, 0o600))
	t.Cleanup(func() { check(t, os.Remove(file)) })
	reverted(t, ctx, s, 10*time.Second)
	if r := runWhere(t, ctx, id, "aborted", schedule.Run.Over); r.State != schedule.Aborted {
		t.Errorf("%s: %s", r.State, r.Message)
	}
}

func TestAReleaseOfItsServiceStopsAnExperiment(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	s := add(t, ctx, "sluice/gate")
	begin(t, ctx, s)
	breaking(t, ctx, s, "long-look", "1m")
	id := broken(t, ctx, s, "long-look")
	good(t, s, "a rope that gives way")
	commit := must(s.Push(ctx, "gate: during an experiment"))(t)
	until(t, ctx, commit, func(r release.Release) bool { return r.Phase == release.Deploying && r.Step >= release.StepHealth })
	if podFails(t, ctx, s) {
		t.Error("the release is on the cluster while the experiment's fault is there")
	}
	if r := runWhere(t, ctx, id, "aborted", schedule.Run.Over); r.State != schedule.Aborted || !strings.Contains(r.Message, string(commit)) {
		t.Errorf("%s: %s", r.State, r.Message)
	}
	err := stage.API.Call(ctx, http.MethodPost, "/api/v1/experiments/long-look/run", map[string]string{"env": "staging", "reason": "now"}, nil)
	if err == nil || !strings.Contains(err.Error(), string(commit)) {
		t.Errorf("a run in the middle of a release: %v", err)
	}
	ended(t, must(stage.API.AwaitEnd(ctx, commit))(t), release.Done, "")
}

// withoutController: nothing reverts a fault then. The run says so and is no pass; the
// fault goes once the controller is back, though its run has ended.
func withoutController(t *testing.T, ctx context.Context, s *rig.Service) {
	id := broken(t, ctx, s, "short-look")
	check(t, stage.LabDo(ctx, "stop", "staging", "chaos-controller"))
	started := false
	start := func(ctx context.Context) error {
		if started {
			return nil
		}
		started = true
		return stage.LabDo(ctx, "start", "staging", "chaos-controller")
	}
	t.Cleanup(func() { check(t, start(context.WithoutCancel(ctx))) })
	command(t, ctx, "experiment", "abort", id, "--reason", "the controller is gone")
	r := runWhere(t, ctx, id, "over", schedule.Run.Over)
	if r.State != schedule.Aborted && r.State != schedule.Invalid || !strings.Contains(r.Message, "could not be removed") {
		t.Errorf("%s: %s", r.State, r.Message)
	}
	if !podFails(t, ctx, s) {
		t.Error("the fault went without its controller")
	}
	check(t, start(ctx))
	noFault(t, ctx, s)
}
