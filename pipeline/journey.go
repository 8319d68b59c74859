// Package pipeline is the road a release travels: which phase follows which, who may
// stop it, and the Runner that takes it along and resumes after a crash.
//
// Start reading at the journey below, the one table of every arrow, then at Next, which
// reads it, then at Runner. The package never builds, signs, deploys or measures
// anything: Actions, handed in by cmd, do.
package pipeline

import "github.com/seatrial/seatrial/release"

// arrow is one row of the journey. The first row whose From, On and If all match is taken.
type arrow struct {
	From release.Phase // Unknown: from any phase
	On   release.Outcome
	If   condition // nil: always
	To   release.Phase
	Move move // nil: the position stays
}

type (
	condition func(release.Release) bool
	move      func(*release.Release)
)

// journey is the whole road, read from top to bottom.
var journey = [...]arrow{
	{release.Building, release.Passed, pull, release.Done, nil}, // never near a key, never deployed
	{release.Building, release.Passed, nil, release.Signing, nil},
	{release.Signing, release.Passed, nil, release.Checking, nil},
	{release.Checking, release.Passed, nil, release.Approving, nil},
	{release.Approving, release.Passed, nil, release.Deploying, toFirstWave},

	// Each wave, for each of its shifts: sync, health, and slo where the shift is measured.
	{release.Deploying, release.Passed, stepLeft, release.Deploying, toNextStep},
	{release.Deploying, release.Passed, shiftLeft, release.Deploying, toNextShift},
	{release.Deploying, release.Passed, trialHere, release.Trying, offTheSteps}, // beside clusters that have the last verified release
	{release.Deploying, release.Passed, waveLeft, release.Deploying, toNextWave},
	{release.Deploying, release.Passed, tried, release.Verified, offTheWaves},
	{release.Deploying, release.Passed, nil, release.Trying, offTheWaves},

	{release.Trying, release.Passed, trialHere, release.Deploying, toNextWave},
	{release.Trying, release.Passed, nil, release.Verified, nil},
	{release.Verified, release.Passed, stageLeft, release.Approving, toNextStage},
	{release.Verified, release.Passed, nil, release.Done, nil},

	{release.RollingBack, release.Passed, nil, release.RolledBack, nil},
	{release.RollingBack, release.Refused, nil, release.Held, nil},

	{release.Unknown, release.Undetermined, nil, release.Held, nil},
	{release.Unknown, release.Refused, live, release.RollingBack, offTheWaves},
	{release.Unknown, release.Refused, nil, release.Failed, nil},
}

// take finds the arrow; ok is false when the verdict moves nothing.
func take(r release.Release, on release.Outcome) (arrow, bool) {
	for _, a := range journey {
		from := a.From == r.Phase || a.From == release.Unknown
		if from && a.On == on && (a.If == nil || a.If(r)) {
			return a, true
		}
	}
	return arrow{}, false
}

// pull: it is built for a pull request.
func pull(r release.Release) bool { return r.Pull != nil }

// live: something of this release is, or was, live in its environment.
func live(r release.Release) bool { return r.Now().Live }

func stepLeft(r release.Release) bool {
	if shift, ok := r.Shifting(); ok && !shift.SLO {
		return r.Step < release.StepHealth
	}
	return r.Step < release.StepSLO
}

func shiftLeft(r release.Release) bool {
	waves := r.Now().Waves
	return r.Wave < len(waves) && r.Shift+1 < len(waves[r.Wave].Shifts)
}

func waveLeft(r release.Release) bool { return r.Wave+1 < len(r.Now().Waves) }

// trialHere: the trial comes after this wave, and others follow.
func trialHere(r release.Release) bool { return waveLeft(r) && r.Now().Waves[r.Wave].Trial }

// tried: the trial came between two waves.
func tried(r release.Release) bool { return r.Now().Rings() }

func stageLeft(r release.Release) bool { return r.Stage+1 < len(r.Stages) }

func toFirstWave(r *release.Release) {
	r.Wave, r.Shift, r.Step = 0, 0, release.StepSync
	r.Stages[r.Stage].Live = true
}

func toNextStep(r *release.Release) { r.Step++ }

func toNextShift(r *release.Release) { r.Shift, r.Step = r.Shift+1, release.StepSync }

func toNextWave(r *release.Release) {
	r.Wave, r.Shift, r.Step = r.Wave+1, 0, release.StepSync
}

func toNextStage(r *release.Release) {
	r.Stage, r.Wave, r.Shift, r.Step = r.Stage+1, 0, 0, release.NoStep
}

func offTheSteps(r *release.Release) { r.Shift, r.Step = 0, release.NoStep }

func offTheWaves(r *release.Release) { r.Wave, r.Shift, r.Step = 0, 0, release.NoStep }
