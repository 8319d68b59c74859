package policies

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

// heldPause is when to look again whether somebody has freed the place.
const heldPause = 5 * time.Second

// Proceed says whether a rollout may begin its next wave now: inside the window, and while
// nobody holds the service there. A wave that has begun is finished, and a return is never
// asked for this.
func (a *Approving) Proceed(r release.Release, env release.Environment, slot release.Slot) (release.Verdict, error) {
	if !Begins(r) {
		return release.Pass(), nil
	}
	if h := slot.Hold; h != nil {
		return release.Wait(fmt.Sprintf("wave %s waits: %s holds %s in %s: %s", r.WaveName(), h.By, r.Service, env.Meta.Name, h.Reason), heldPause).
			Advise(fmt.Sprintf("free it: seatrial hold %s --env %s --free", r.Service, env.Meta.Name)), nil
	}
	v, err := a.hours(env)
	if err != nil || v.Outcome() != release.Waiting {
		return v, err
	}
	return release.Wait(fmt.Sprintf("wave %s waits: %s", r.WaveName(), v.Reason()), v.After()).With(v.Evidence()...), nil
}

// Begins reports whether a release is about to begin a wave after its first, which is what
// approval let in.
func Begins(r release.Release) bool {
	waves := r.Now().Waves
	if r.Phase != release.Deploying || r.Step != release.StepSync || r.Wave == 0 || r.Wave >= len(waves) || r.Shift > 0 {
		return false
	}
	for _, t := range waves[r.Wave].Targets {
		if !t.Synced.IsZero() || t.State != "" && t.State != "Pending" {
			return false
		}
	}
	return true
}
