package main

import (
	"context"
	"strings"

	"github.com/seatrial/seatrial/cmd/seatrial/preview"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/release"
)

// status tells a commit on the forge how far its release is.
func (s *server) status(ctx context.Context, e release.Event) error {
	if e.Kind != release.EventPhase {
		return nil // the phase says it already
	}
	for _, st := range statuses(e) {
		st.Target = s.settings.ExternalURL + "/releases/" + string(e.Release)
		if err := s.forge.SetStatus(ctx, e.Repo, e.Commit, st); err != nil {
			return err
		}
	}
	if e.Pull != 0 && e.Phase == release.Done {
		return s.previews().Tell(ctx, e.Release)
	}
	return nil
}

// previews say on a pull request what it would do.
func (s *server) previews() *preview.Preview {
	return &preview.Preview{Release: s.book.Release, Pipeline: s.sources.Pipeline, Slot: s.book.Slot, Content: s.content, Judge: s.gate.Check,
		Diff: s.live.Diff, Keep: s.forge.KeepComment, Tree: s.world.Now, Console: s.settings.ExternalURL}
}

// statuses are what a phase means for the commit: one line for the build, one for each
// environment.
func statuses(e release.Event) []forge.Status {
	if e.Pull != 0 {
		return []forge.Status{ofPull(e)}
	}
	build := func(state forge.State) forge.Status {
		return forge.Status{Context: "seatrial/build", State: state, Description: describe(e)}
	}
	in := forge.Status{Context: "seatrial/" + string(e.Env), Description: describe(e)}
	switch e.Phase {
	case release.Building, release.Signing, release.Checking:
		return []forge.Status{build(forge.Pending)}
	case release.Approving:
		in.State = forge.Pending
		done := build(forge.Success)
		done.Description = "built, signed and checked"
		return []forge.Status{done, in}
	case release.Deploying, release.Trying, release.RollingBack:
		in.State = forge.Pending
	case release.Verified:
		in.State = forge.Success
	case release.RolledBack, release.Held:
		in.State = forge.Failure
	case release.Failed:
		if e.Env == "" {
			return []forge.Status{build(forge.Failure)}
		}
		in.State = forge.Failure
	case release.Superseded:
		return []forge.Status{build(forge.Broken)}
	default:
		return nil
	}
	return []forge.Status{in}
}

// ofPull is the one line of a pull request's commit. It has a name of its own, so that a
// rule that waits for a branch's build is never satisfied by it.
func ofPull(e release.Event) forge.Status {
	st := forge.Status{Context: "seatrial/pull-request", State: forge.Pending, Description: describe(e)}
	switch e.Phase {
	case release.Done:
		st.State, st.Description = forge.Success, "built and checked"
	case release.Failed, release.Held:
		st.State = forge.Failure
	case release.Superseded:
		st.State = forge.Broken
	}
	return st
}

// describe is the reason where there is one; the end of a long one says most.
func describe(e release.Event) string {
	if e.Reason == "" {
		return e.Phase.String()
	}
	text := e.Phase.String() + ": " + strings.Join(strings.Fields(e.Reason), " ")
	const most = 250
	if r := []rune(text); len(r) > most {
		return string(r[:most/2]) + " … " + string(r[len(r)-most/2+3:])
	}
	return text
}
