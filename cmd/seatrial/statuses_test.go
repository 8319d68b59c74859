package main

import (
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/release"
)

func TestAPullRequestHasOneStatusUnderANameOfItsOwn(t *testing.T) {
	for phase, want := range map[release.Phase]forge.State{
		release.Building: forge.Pending, release.Done: forge.Success, release.Failed: forge.Failure, release.Held: forge.Failure, release.Superseded: forge.Broken,
	} {
		got := statuses(release.Event{Kind: release.EventPhase, Pull: 7, Phase: phase, Reason: "a fork's commit waits for /ok-to-test 3f2a"})
		if len(got) != 1 || got[0].Context != "seatrial/pull-request" || got[0].State != want {
			t.Errorf("%s: %+v", phase, got)
		}
		if phase == release.Building && got[0].Description != "Building: a fork's commit waits for /ok-to-test 3f2a" {
			t.Errorf("it says %q", got[0].Description)
		}
	}
}
