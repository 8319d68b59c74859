package buildkitd_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/builder/buildkitd"
	"github.com/seatrial/seatrial/internal/hint"
)

// script is a program that stands for buildkitd or runc.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestItIsStartedAgainWhenItEndsAndTakenAlong(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "runc", "echo runc version 1.2.3\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	// The first start fails, the second stays until it is asked to end.
	program := script(t, dir, "fake", `trap 'echo end >>`+dir+`/starts; exit 0' TERM
echo start "$@" >>`+dir+`/starts
if [ ! -e `+dir+`/once ]; then touch `+dir+`/once; echo 'level=error msg="no worker"' >&2; exit 1; fi
while :; do sleep 0.05; done
`)
	var log bytes.Buffer
	child, err := buildkitd.New(buildkitd.Config{Program: program, State: filepath.Join(dir, "state"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- child.Run(ctx) }()
	starts := func() string { b, _ := os.ReadFile(filepath.Join(dir, "starts")); return string(b) }
	for tick := time.NewTicker(20 * time.Millisecond); strings.Count(starts(), "start") < 2; <-tick.C {
		if ctx.Err() != nil {
			t.Fatalf("not started again: %s", starts())
		}
	}
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Errorf("it ended with %v", err)
	}
	got := starts()
	if !strings.HasSuffix(got, "end\n") || !strings.Contains(got, "--addr "+child.Address()) || !strings.Contains(got, "--root "+filepath.Join(dir, "state", "root")) {
		t.Errorf("it was run as %s", got)
	}
	if text := log.String(); !strings.Contains(text, "no worker") || !strings.Contains(text, "again_in=500ms") {
		t.Errorf("the log does not say why it ended: %s", text)
	}
}

func TestWhatCannotRunSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	if _, err := buildkitd.New(buildkitd.Config{Program: filepath.Join(dir, "none"), State: dir}); err == nil || hint.Of(err) == "" {
		t.Errorf("a missing program: %v, hint %q", err, hint.Of(err))
	}
	program := script(t, dir, "fake", "exit 0\n")
	script(t, dir, "runc", "echo runc version 1.1.4\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	child, err := buildkitd.New(buildkitd.Config{Program: program, State: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "1.1.4") || hint.Of(err) == "" {
		t.Errorf("an old runc: %v", err)
	}
}

func TestPauseGrowsAndBeginsAnewAfterALongRun(t *testing.T) {
	failures := 0
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
		failures = buildkitd.Failures(failures, time.Second)
		if got := buildkitd.Pause(failures); got != want {
			t.Errorf("pause %d is %s, want %s", i+1, got, want)
		}
	}
	if got := buildkitd.Pause(buildkitd.Failures(50, time.Second)); got != 30*time.Second {
		t.Errorf("the longest pause is %s", got)
	}
	if got := buildkitd.Pause(buildkitd.Failures(50, time.Hour)); got != 500*time.Millisecond {
		t.Errorf("after an hour's run the pause is %s", got)
	}
}
