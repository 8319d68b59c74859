package builder_test

import (
	"testing"
	"time"
)

func TestFilesCarryTheCommitsTimeUnlessAStepKeepsSomething(t *testing.T) {
	committed := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"FROM scratch\nCOPY . /\n": committed,
		"FROM rust\nRUN --mount=type=cache,target=/src/target cargo build\n": {},
	} {
		d := newDock(t)
		d.write(t, "Dockerfile", text)
		before := time.Now()
		_, when, err := d.builder(t).Sent(t.Context(), d.release, d.pipeline, d.committed(t), committed)
		if err != nil || want.IsZero() == when.Before(before) || !want.IsZero() && !when.Equal(want) {
			t.Errorf("%q: files are of %s, %v", text, when, err)
		}
	}
}

// TestOnlyTheSameFilesAreSentUnderOneName: two files that look alike would be taken for one.
func TestOnlyTheSameFilesAreSentUnderOneName(t *testing.T) {
	d := newDock(t)
	for _, dir := range []string{"web", "shared", "other"} {
		d.write(t, dir+"/Dockerfile", "FROM scratch\n")
		d.write(t, dir+"/Dockerfile.b", "FROM busybox\n")
	}
	names := map[string]string{}
	for what, change := range map[string]func(){
		"one commit":         func() {},
		"another commit":     func() { d.release.Commit = "4a" + commit[2:] },
		"another service":    func() { d.release.Service = "shop/api" },
		"another folder":     func() { d.pipeline.Spec.Build.Context = "web" },
		"another Dockerfile": func() { d.pipeline.Spec.Build.Dockerfile = "web/Dockerfile.b" },
		"named contexts":     func() { d.pipeline.Spec.Build.Contexts = map[string]string{"more": "shared"} },
		"other contexts":     func() { d.pipeline.Spec.Build.Contexts = map[string]string{"more": "other"} },
	} {
		r, p := d.release, d.pipeline
		change()
		name, _, err := d.builder(t).Sent(t.Context(), d.release, d.pipeline, d.committed(t), time.Time{})
		if before, known := names[name]; known || err != nil {
			t.Errorf("%s is sent as %s is: %s, %v", what, before, name, err)
		}
		names[name] = what
		if again, _, err := d.builder(t).Sent(t.Context(), d.release, d.pipeline, d.committed(t), time.Time{}); again != name || err != nil {
			t.Errorf("%s is sent as %s, then as %s, %v", what, name, again, err)
		}
		d.release, d.pipeline = r, p
	}
}
