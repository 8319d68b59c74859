//go:build lab

// Package e2e_test drives the whole platform on the lab: real pushes, builds, clusters,
// samples and faults. `make e2e` boots the lab and runs it.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// robot stands for the chat vendor, which cannot be reached from here.
var robot = newRobot()

// stage is what all scenarios share: one server on one lab. Scenarios that only need a
// service of their own run beside each other; those that stop something that all share,
// in survive_test.go, run first and alone.
var stage *rig.Rig

func TestMain(m *testing.M) { os.Exit(play(m)) }

func play(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "seatrial-e2e-")
	if err == nil {
		stage, err = open(ctx, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: set the stage:", err)
		return 1
	}
	defer stage.Stop()
	code := m.Run()
	if code == 0 {
		os.RemoveAll(dir)
	} else {
		fmt.Fprintln(os.Stderr, "the server's log is kept in", stage.Log())
	}
	return code
}

func open(ctx context.Context, dir string) (*rig.Rig, error) {
	bin, err := filepath.Abs("../bin")
	if err != nil {
		return nil, err
	}
	return rig.Open(ctx, rig.Config{
		Seatrial: filepath.Join(bin, "seatrial"), Lab: filepath.Join(bin, "lab"), Examples: "../examples",
		Dir: dir, Listen: "127.0.0.1:8490", Metrics: "127.0.0.1:8491", Agents: "127.0.0.1:8495", Quick: true, Chat: robot.URL, Secrets: secrets(),
		Say: func(format string, args ...any) { fmt.Printf("    "+format+"\n", args...) },
	})
}

// within bounds one scenario; a busy machine gets three times as long.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*d)
	t.Cleanup(cancel)
	return ctx
}

// add puts a service of its own onto the stage; nothing of it was ever released.
func add(t *testing.T, ctx context.Context, name release.Service) *rig.Service {
	t.Helper()
	quietAfter(t, name)
	return must(stage.AddReady(ctx, name))(t)
}

// compiling is a service that is compiled in its build, as people have them.
func compiling(t *testing.T, ctx context.Context, name release.Service) *rig.Service {
	t.Helper()
	quietAfter(t, name)
	return must(stage.Add(ctx, name))(t)
}

// quietAfter ends the load on a service with its scenario: those after it need the machine.
func quietAfter(t *testing.T, name release.Service) {
	t.Cleanup(func() {
		if err := stage.LabDo(context.WithoutCancel(t.Context()), "load", "remove", string(name)); err != nil {
			t.Error(err)
		}
	})
}

// begin is the first release of a service, verified everywhere.
func begin(t *testing.T, ctx context.Context, s *rig.Service) release.Release {
	t.Helper()
	r := deliver(t, ctx, s, "begin")
	ended(t, r, release.Done, "")
	return r
}

// good writes a harmless change that makes a new image.
func good(t *testing.T, s *rig.Service, text string) {
	t.Helper()
	check(t, s.Restore())
	edit(t, s, "main.go", "a good rope", text)
}

// edit changes one place of a file in the checkout.
func edit(t *testing.T, s *rig.Service, file, before, after string) {
	t.Helper()
	check(t, s.Repo().Write(file, swap(t, must(s.Read(file))(t), before, after)))
}

// swap demands that there is something to swap.
func swap(t *testing.T, text, before, after string) string {
	t.Helper()
	if !strings.Contains(text, before) {
		t.Fatalf("there is no %q in\n%s", before, text)
	}
	return strings.Replace(text, before, after, 1)
}

// deliver pushes what is in the checkout and follows it to its end.
func deliver(t *testing.T, ctx context.Context, s *rig.Service, message string) release.Release {
	t.Helper()
	id := must(s.Push(ctx, message))(t)
	return must(stage.API.AwaitEnd(ctx, id))(t)
}

// until follows a release to a place on its way.
func until(t *testing.T, ctx context.Context, id release.ID, there func(release.Release) bool) release.Release {
	t.Helper()
	r := must(stage.API.Catch(ctx, id, func(r release.Release) bool { return r.Phase.Final() || there(r) }))(t)
	if !there(r) {
		t.Fatalf("%s ended %s before it came there: %s", id, r.Phase, r.Reason)
	}
	return r
}

func phase(p release.Phase) func(release.Release) bool {
	return func(r release.Release) bool { return r.Phase == p }
}

func ended(t *testing.T, r release.Release, want release.Phase, reason string) {
	t.Helper()
	if r.Phase != want || !strings.Contains(r.Reason, reason) {
		t.Fatalf("%s is %s in %q (%q, hint %q), want %s with %q\n%s", r.ID, r.Phase, r.Env(), r.Reason, r.Hint, want, reason, told(r))
	}
}

// told is the way of a release in words: where it was when, and what refused it.
func told(r release.Release) string {
	var b strings.Builder
	for _, h := range r.History {
		fmt.Fprintf(&b, "  %s %-12s %s %s %s\n", h.At.Format(time.TimeOnly), h.To, h.Env, h.Wave, h.Reason)
	}
	for _, j := range r.Verdicts {
		for _, e := range j.Verdict.Evidence() {
			if !e.Holds {
				fmt.Fprintf(&b, "  %s in %s: %s: %s %v\n", j.Gate, j.Env, e.Claim, e.Detail, e.Facts)
			}
		}
	}
	return b.String()
}

// running demands that every pod of the service on a cluster runs exactly this image.
func running(t *testing.T, ctx context.Context, s *rig.Service, cluster, image string) {
	t.Helper()
	err := rig.WaitFor(ctx, "pods of "+image+" on "+cluster, 500*time.Millisecond, func() (bool, error) {
		got, err := s.Image(ctx, cluster)
		if err != nil {
			return false, err
		}
		for _, i := range got {
			if i != image {
				return false, fmt.Errorf("%s runs %v", cluster, got)
			}
		}
		return len(got) > 0, fmt.Errorf("%s runs nothing", cluster)
	})
	check(t, err)
}

// desired demands that an environment's branch ends on this image.
func desired(t *testing.T, ctx context.Context, s *rig.Service, env release.Env, image string) {
	t.Helper()
	text := must(s.Desired(ctx, env, "manifests.yaml"))(t)
	if !strings.Contains(text, image) {
		t.Errorf("the branch of %s does not have %s:\n%s", env, image, text)
	}
	if err := s.Signed(ctx, env); err != nil {
		t.Errorf("git does not verify what the server committed for %s: %v", env, err)
	}
}

// noFault demands that nothing is left injected into a service.
func noFault(t *testing.T, ctx context.Context, s *rig.Service) {
	t.Helper()
	err := rig.WaitFor(ctx, "no fault left of "+string(s.Name), 500*time.Millisecond, func() (bool, error) {
		out, err := stage.Kubectl(ctx, "staging", "-n", s.Namespace(), "get", "podchaos", "-o", "name")
		return err == nil && strings.TrimSpace(out) == "", fmt.Errorf("left: %s (%v)", out, err)
	})
	check(t, err)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
