//go:build lab

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// healed scales a deployment by hand and waits until the server has undone it.
func healed(t *testing.T, ctx context.Context, s *rig.Service) {
	must(stage.Kubectl(ctx, "prod-main", "-n", s.Namespace(), "scale", "deployment", s.Name.Name(), "--replicas=1"))(t)
	began := time.Now()
	err := rig.WaitFor(ctx, "three replicas again", 200*time.Millisecond, func() (bool, error) {
		out, err := stage.Kubectl(ctx, "prod-main", "-n", s.Namespace(), "get", "deployment", s.Name.Name(), "-o", "jsonpath={.spec.replicas}")
		return out == "3", err
	})
	check(t, err)
	t.Logf("healed after %s", time.Since(began).Round(100*time.Millisecond))
}

const everyTwentySeconds = `apiVersion: seatrial.dev/v1
kind: Experiment
metadata: {name: often}
spec:
  service: lamp/oil
  fault: {kind: PodChaos, action: pod-kill, mode: one, selector: {matchLabels: {app: oil}}, duration: 20s}
  limits: {maxTargets: 1, maxPercent: 50, maxDuration: 1m, minReady: 2}
  observe: 10s
  schedule: {cron: "*/20 * * * * *", environments: [staging]}
`

func TestAScheduledExperimentRunsByItselfAndReports(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	begin(t, ctx, add(t, ctx, "lamp/oil"))
	check(t, stage.Platform(ctx, "experiments/often.yaml", everyTwentySeconds, "platform: kill often"))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		check(t, stage.Platform(ctx, "experiments/often.yaml", "", "platform: enough"))
	})
	var page struct {
		Items []schedule.Run `json:"items"`
	}
	err := rig.WaitFor(ctx, "a run that passed", time.Second, func() (bool, error) {
		if err := stage.API.Call(ctx, http.MethodGet, "/api/v1/experiments/runs?name=often", nil, &page); err != nil {
			return false, err
		}
		for _, r := range page.Items {
			if r.State == schedule.Passed && r.Trigger == "schedule" && r.Fault != nil && !r.Fault.Recovered.IsZero() {
				return true, nil
			}
		}
		return false, fmt.Errorf("runs: %+v", page.Items)
	})
	check(t, err)
	check(t, rig.WaitFor(ctx, "the report in chat", time.Second, func() (bool, error) { return robot.heard("often") > 0, nil }))
}

const outageFault = `apiVersion: chaos-mesh.org/v1alpha1
kind: PodChaos
metadata: {name: somebody-elses, namespace: fog}
spec: {action: pod-failure, mode: all, duration: 45s, selector: {namespaces: [fog], labelSelectors: {app: horn}}}
`

func TestABreachOutsideAReleaseReachesChatOnceAndItsEndToo(t *testing.T) {
	t.Parallel()
	ctx := within(t, 12*time.Minute)
	begin(t, ctx, add(t, ctx, "fog/horn"))
	file := filepath.Join(t.TempDir(), "fault.yaml")
	check(t, os.WriteFile(file, []byte(outageFault), 0o600))
	before := robot.heard("fog-horn-availability")
	must(stage.Kubectl(ctx, "staging", "apply", "-f", file))(t)
	defer stage.Kubectl(context.WithoutCancel(ctx), "staging", "delete", "--wait=false", "-f", file)
	count := func(n int) func() (bool, error) {
		return func() (bool, error) {
			return robot.heard("fog-horn-availability") >= before+n, fmt.Errorf("%d messages", robot.heard("fog-horn-availability")-before)
		}
	}
	check(t, rig.WaitFor(ctx, "the breach in chat", time.Second, count(1)))
	check(t, rig.WaitFor(ctx, "its end in chat", time.Second, count(2)))
	if n := robot.heard("fog-horn-availability") - before; n != 2 || len(robot.bad) > 0 {
		t.Errorf("%d messages, want the breach and its end; refused by the vendor: %v", n, robot.bad)
	}
}

// commandLine asks about a release that is done as a person would.
func commandLine(t *testing.T, ctx context.Context, r release.Release) {
	key := filepath.Join(stage.Dir, "state", "signing.pub")
	cases := []struct {
		args []string
		code int
		text string
	}{
		{[]string{"release", "list", "--service", string(r.Service)}, 0, string(r.ID)},
		{[]string{"release", "show", string(r.ID)}, 0, "verified"},
		{[]string{"release", "watch", string(r.ID)}, 0, "Done"},
		{[]string{"release", "rollback", string(r.ID), "--env", "nowhere", "--reason", "x"}, 1, "does not go to nowhere"},
		{[]string{"verify", "--plain-http", "--key", key, "--commit", string(r.Commit), r.Artifact.Reference()}, 0, "signature"},
		{[]string{"verify", "--plain-http", "--key", key, "--commit", strings.Repeat("0", 40), r.Artifact.Reference()}, 3, "refused"},
	}
	for _, c := range cases {
		out, code := stage.Command(ctx, c.args...)
		if code != c.code || !strings.Contains(out, c.text) {
			t.Errorf("seatrial %s: exit %d, want %d with %q:\n%s", strings.Join(c.args, " "), code, c.code, c.text, out)
		}
	}
}

// browser walks every page in Chromium, with axe, and takes pictures. Of the releases it
// opens one that is done: the newest may be another scenario's, without a build yet.
func browser(t *testing.T, ctx context.Context, r release.Release) {
	pictures := os.Getenv("SEATRIAL_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	user, password := stage.SignIn()
	cmd := exec.CommandContext(ctx, "node", "e2e/browser.mjs", "--url", stage.URL(), "--user", user, "--out", pictures, "--release", string(r.ID))
	cmd.Dir = "../web/console"
	cmd.Env = append(os.Environ(), "SEATRIAL_PASSWORD="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
