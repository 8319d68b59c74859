package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Seatrial is who acts when no person did.
const Seatrial = "seatrial"

// firstRetry and lastRetry bound the pause after an error ("could not ask").
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// keptHistory and keptVerdicts bound a release that waits and retries for weeks.
const (
	keptHistory  = 200
	keptVerdicts = 100
)

// Next is the release after a verdict. It is the only place that moves one.
func Next(r release.Release, v release.Verdict, now time.Time) release.Release {
	r = judged(r, v, now)
	a, moves := take(r, v.Outcome())
	if !moves {
		r.Due = now.Add(v.After())
		return r
	}
	to := r
	if a.Move != nil {
		a.Move(&to)
	}
	return arrive(r, to, a.To, Seatrial, now)
}

// Later is the release after an error: nobody could be asked, so nothing moves.
func Later(r release.Release, err error, hint string, now time.Time) release.Release {
	r = r.Clone()
	pause := min(lastRetry, firstRetry<<min(r.Tries, 10))
	r.Tries++
	r.Reason, r.Hint = err.Error(), hint
	r.Due, r.Updated = now.Add(pause), now
	return r
}

// Key names one action. A repeated key is the same action, to be done once.
func Key(r release.Release) string {
	if r.Phase == release.Deploying {
		place := r.WaveName()
		if name := shiftOf(r); name != "" {
			place += "/" + name
		}
		return fmt.Sprintf("%s/%s/%s/%s/%s/%d", r.ID, r.Phase, r.Env(), place, r.Step, r.Attempt)
	}
	if r.Phase > release.Checking {
		return fmt.Sprintf("%s/%s/%s/%d", r.ID, r.Phase, r.Env(), r.Attempt)
	}
	return fmt.Sprintf("%s/%s/%d", r.ID, r.Phase, r.Attempt)
}

// judged writes the verdict into the release; a Wait only leaves its reason.
func judged(r release.Release, v release.Verdict, now time.Time) release.Release {
	r = r.Clone()
	r.Tries, r.Updated = 0, now
	r.Reason, r.Hint = v.Reason(), v.Hint()
	if v.Outcome() == release.Waiting {
		return r
	}
	j := release.Judgement{Gate: gate(r), At: now, Verdict: v}
	if r.Phase > release.Checking {
		j.Env, j.Wave, j.Shift = r.Env(), waveOf(r), shiftOf(r)
	}
	r.Verdicts = last(append(r.Verdicts, j), keptVerdicts)
	return r
}

// arrive puts the release into a phase, with its history.
func arrive(from, r release.Release, to release.Phase, by string, now time.Time) release.Release {
	r.Phase = to
	r.Updated = now
	t := release.Transition{From: from.Phase, To: to, At: now, By: by, Reason: r.Reason, Step: r.Step}
	if to > release.Checking {
		t.Env, t.Wave, t.Shift = r.Env(), waveOf(r), shiftOf(r)
	}
	t.Attempt = 1 + arrivals(r.History, t)
	r.History = trim(append(r.History, t))
	r.Attempt = t.Attempt
	r.Due = now.Add(pause(from, r))
	stamp(&r, from, now)
	if to.Final() {
		r.Due = time.Time{}
	}
	return r
}

// pause is how long a passed wave is left alone before the next one begins.
func pause(from, to release.Release) time.Duration {
	waves := from.Now().Waves
	if to.Phase != release.Deploying || from.Wave == to.Wave || from.Wave >= len(waves) {
		return 0
	}
	return waves[from.Wave].Pause.Std()
}

// arrivals is how often the release came to the place of t before.
func arrivals(history []release.Transition, t release.Transition) int {
	for _, h := range slices.Backward(history) {
		if h.SamePlace(t) {
			return h.Attempt
		}
	}
	return 0
}

// trim bounds a history. The newest arrival at each place stays however long ago it was:
// forgetting it would give an action a key that was used before.
func trim(history []release.Transition) []release.Transition {
	old := len(history) - keptHistory
	if old <= 0 {
		return history
	}
	kept := make([]release.Transition, 0, keptHistory)
	for i, t := range history {
		if i >= old || !slices.ContainsFunc(history[i+1:], t.SamePlace) {
			kept = append(kept, t)
		}
	}
	return kept
}

// stamp writes the times that an arrival means.
func stamp(r *release.Release, from release.Release, now time.Time) {
	if r.Stage >= len(r.Stages) {
		return
	}
	s := &r.Stages[r.Stage]
	switch r.Phase {
	case release.Deploying:
		stampWave(r, s, from, now, r.Due)
	case release.Trying:
		passWave(s, from.Wave, now)
	case release.Verified:
		s.Verified = now
	case release.RollingBack:
		s.Refused = now
	case release.RolledBack:
		s.Returned = now
		r.Hold = &release.Hold{By: Seatrial, Reason: refusal(*r), At: now}
		r.Reason = r.Hold.Reason
	case release.Superseded:
		r.Leave()
	case release.Held:
		r.Leave()
		if from.Phase == release.RollingBack { // what it was refused for matters more than that it stays
			r.Reason = refusal(*r) + "; " + r.Reason
		}
	}
	if s.Started.IsZero() && r.Phase == release.Approving {
		s.Started = now
	}
}

func stampWave(r *release.Release, s *release.Stage, from release.Release, now, begins time.Time) {
	if from.Phase == release.Deploying && from.Wave != r.Wave {
		passWave(s, from.Wave, now)
	}
	if r.Wave < len(s.Waves) && s.Waves[r.Wave].Started.IsZero() {
		s.Waves[r.Wave].Started = begins
	}
}

func passWave(s *release.Stage, i int, now time.Time) {
	if i < len(s.Waves) {
		s.Waves[i].Passed = now
	}
}

// refusal is why the release was rolled back.
func refusal(r release.Release) string {
	for i := len(r.History) - 1; i >= 0; i-- {
		if r.History[i].To == release.RollingBack {
			return r.History[i].Reason
		}
	}
	return r.Reason
}

func waveOf(r release.Release) string {
	if r.Phase == release.Deploying {
		return r.WaveName()
	}
	return ""
}

func shiftOf(r release.Release) string {
	if r.Phase == release.Deploying {
		shift, _ := r.Shifting()
		return shift.Name
	}
	return ""
}

// gate is the word for what a phase asks.
func gate(r release.Release) string {
	switch r.Phase {
	case release.Building:
		return "build"
	case release.Signing:
		return "signing"
	case release.Checking:
		return "policy"
	case release.Approving:
		return "approval"
	case release.Deploying:
		return r.Step.String()
	case release.Trying:
		return "trial"
	case release.RollingBack:
		return "rollback"
	}
	return r.Phase.String()
}

func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }
