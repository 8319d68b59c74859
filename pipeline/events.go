package pipeline

import (
	"fmt"

	"github.com/seatrial/seatrial/release"
)

// tell lists what is worth telling about the way from before to after.
func tell(before, after release.Release) []release.Event {
	freed := untested(before) && after.Hold == nil
	if before.Phase == after.Phase && !freed {
		return nil
	}
	events := []release.Event{event(after, release.EventPhase, fmt.Sprintf("%s is %s", name(after), where(after)))}
	kind, subject := news(after)
	if kind != "" && after.Pull == nil { // who opened a pull request reads it there
		events = append(events, event(after, kind, subject))
	}
	return events
}

func news(r release.Release) (release.EventKind, string) {
	switch r.Phase {
	case release.Verified:
		return release.EventVerified, fmt.Sprintf("%s verified in %s", name(r), r.Env())
	case release.Failed:
		return release.EventFailed, fmt.Sprintf("%s failed", name(r))
	case release.RolledBack:
		return release.EventRolledBack, fmt.Sprintf("%s rolled back in %s", name(r), r.Env())
	case release.Held:
		return release.EventHeld, fmt.Sprintf("%s needs a person", name(r))
	}
	return "", ""
}

func event(r release.Release, kind release.EventKind, subject string) release.Event {
	id := fmt.Sprintf("%s.%s.%s.%d.%s", r.ID, r.Phase, r.Env(), len(r.History), kind)
	return release.Event{ID: id, Kind: kind, At: r.Updated, Service: r.Service, Release: r.ID, Project: r.Project,
		Repo: r.Repo, Commit: r.Commit, Pull: numberOf(r), Env: envOf(r), Phase: r.Phase, Subject: subject, Reason: r.Reason, Hint: r.Hint}
}

func numberOf(r release.Release) int {
	if r.Pull == nil {
		return 0
	}
	return r.Pull.Number
}

func name(r release.Release) string {
	if r.Pull != nil {
		return fmt.Sprintf("%s %s of pull request %d", r.Service, r.Commit.Short(), r.Pull.Number)
	}
	return fmt.Sprintf("%s %s", r.Service, r.Commit.Short())
}

func where(r release.Release) string {
	if env := envOf(r); env != "" {
		return fmt.Sprintf("%s in %s", r.Phase, env)
	}
	return r.Phase.String()
}

// envOf leaves the environment out while the release is not yet bound to one.
func envOf(r release.Release) release.Env {
	if r.Phase > release.Checking && r.Phase != release.Failed || r.Stage > 0 {
		return r.Env()
	}
	return ""
}
