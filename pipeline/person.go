package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Hold stops the release where it is until somebody frees it.
func Hold(r release.Release, by, reason string, now time.Time) (release.Release, error) {
	if r.Hold != nil {
		return r, fmt.Errorf("hold %s: %s holds it already (%s)", r.ID, r.Hold.By, r.Hold.Reason)
	}
	r = r.Clone()
	r.Hold, r.Updated = &release.Hold{By: by, Reason: reason, At: now}, now
	return r, nil
}

// Free lets a held release go on from where it was stopped.
func Free(r release.Release, by string, now time.Time) (release.Release, error) {
	if r.Hold == nil {
		return r, fmt.Errorf("free %s: nobody holds it", r.ID)
	}
	next := r.Clone()
	next.Hold, next.Updated = nil, now
	if r.Phase.Final() {
		return next, nil
	}
	next.Due, next.Reason = now, "freed by "+by
	if untested(r) { // the history keeps who let a fork's commit be built
		next.Reason = "ok to test, says " + by
		return arrive(r, next, r.Phase, by, now), nil
	}
	return next, nil
}

// Retry starts a release that ended early again, at the phase that ended it; one that
// was rolled back is asked for approval in that environment again.
func Retry(r release.Release, by, reason string, now time.Time) (release.Release, error) {
	to, err := retryPhase(r)
	if err != nil {
		return r, fmt.Errorf("retry %s: %w", r.ID, err)
	}
	next := r.Clone()
	next.Tries, next.Hint = 0, ""
	next.Reason = "retried by " + by + ": " + reason
	if untested(r) { // a retry says nothing of a fork's commit
		next.Reason = r.Hold.Reason
	} else {
		next.Hold = nil
	}
	next.Wave, next.Step = 0, release.NoStep
	if to == release.Approving && next.Stage < len(next.Stages) {
		next.Stages[next.Stage] = anew(r, next.Stages[next.Stage])
	}
	return arrive(r, next, to, by, now), nil
}

// anew is a stage that is passed again. What may still be live of it stays known, so that
// a refusal returns it.
func anew(r release.Release, s release.Stage) release.Stage {
	fresh := release.Stage{Env: s.Env, Manifests: s.Manifests, Previous: s.Previous}
	if r.Phase != release.RolledBack {
		fresh.Live, fresh.Waves = s.Live, s.Waves
	}
	if r.Origin == release.FromDesiredState {
		fresh.Desired, fresh.Live = s.Desired, true
	}
	return fresh
}

func retryPhase(r release.Release) (release.Phase, error) {
	from := release.Building
	if n := len(r.History); n > 0 {
		from = r.History[n-1].From
	}
	if len(r.Stages) == 0 && (r.Pull == nil || from == release.Unknown) {
		return 0, hint.Add(errors.New("its pipeline file could not be read"), "correct the file and push again")
	}
	switch r.Phase {
	case release.RolledBack:
		return release.Approving, nil
	case release.Failed, release.Held, release.Superseded:
	case release.Done:
		return 0, errors.New("it is done; there is nothing to retry")
	default:
		return 0, hint.Add(fmt.Errorf("it is still %s", r.Phase), "wait for its end, or hold it")
	}
	switch from {
	case release.Deploying, release.Trying, release.Verified:
		return release.Approving, nil // what is live is decided anew, from the first wave on
	case release.Unknown, release.Signing:
		return release.Building, nil // what was built is found again, what was lost is not
	}
	return from, nil
}

// RollBack returns env to what was verified there before this release, or to a release
// that was verified there and that a person chooses.
func RollBack(r release.Release, env release.Env, to release.ID, by, reason string, now time.Time) (release.Release, error) {
	if r.Phase == release.RollingBack || r.Phase == release.RolledBack && r.Env() == env {
		return r, hint.Add(fmt.Errorf("roll back %s: it is %s already", r.ID, r.Phase), "a roll back is never rolled back; release the version that should be there")
	}
	if to == r.ID {
		return r, hint.Add(fmt.Errorf("roll back %s to itself", r.ID), "choose another release, or none: then it is the last verified one")
	}
	for i, s := range r.Stages {
		if s.Env != env {
			continue
		}
		if i != r.Stage && (r.Phase == release.Deploying || r.Phase == release.Trying) {
			return r, hint.Add(fmt.Errorf("roll back %s in %s: it is %s in %s", r.ID, env, r.Phase, r.Env()), "roll back "+string(r.Env())+" first")
		}
		if !s.Live {
			return r, fmt.Errorf("roll back %s in %s: it never went live there", r.ID, env)
		}
		next := r.Clone()
		next.Stage, next.Wave, next.Step, next.Hold, next.Hint = i, 0, release.NoStep, nil, ""
		next.Stages[i].To = to
		next.Reason = "rolled back by " + by + ": " + reason
		return arrive(r, next, release.RollingBack, by, now), nil
	}
	return r, fmt.Errorf("roll back %s: it does not go to %s", r.ID, env)
}

// Supersede ends a release that has changed nothing in its environment yet, because a
// newer one of its service has come as far; false when it is too late for that. Builds of
// pull requests neither end others nor are ended by them: see Cancel.
func Supersede(r, newer release.Release, now time.Time) (release.Release, bool) {
	if r.Phase.Final() || r.Phase >= release.Deploying || r.Now().Live {
		return r, false
	}
	if r.Pull != nil || r.Stage > newer.Stage || !follows(newer, r) {
		return r, false
	}
	next := r.Clone()
	next.Reason, next.Hint = "a newer commit came: "+string(newer.ID), ""
	return arrive(r, next, release.Superseded, Seatrial, now), true
}
