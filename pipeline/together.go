package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// SetTrailer is the line at the end of a commit's message that names what it is released
// together with: commits of a project's repos that name the same.
const SetTrailer = "Seatrial-Set"

// setRetry is when to look again whether the others have come as far.
const setRetry = 2 * time.Second

// With finds the newest releases of the other services of r's set.
type With func(ctx context.Context, r release.Release) ([]release.Release, error)

// EnterTogether is an action of Approving that passes when all of a set may enter the
// environment: none goes on to where another has not been verified on the way.
func EnterTogether(act Action, with With) Action {
	return func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		facts, v, err := act(ctx, key, r)
		if err != nil || v.Outcome() != release.Passed || r.Set == "" {
			return facts, v, err
		}
		others, err := with(ctx, r)
		if err != nil {
			return release.Facts{}, release.Verdict{}, fmt.Errorf("read the releases of set %s: %w", r.Set, err)
		}
		var missing []string
		for _, o := range others {
			if why := behind(o, r.Env()); why != "" {
				missing = append(missing, why)
			}
		}
		if len(missing) > 0 {
			return release.Facts{}, release.Wait(fmt.Sprintf("set %s enters %s together: %s", r.Set, r.Env(), strings.Join(missing, "; ")), setRetry), nil
		}
		return facts, v, nil
	}
}

// behind says why a release is not as far as env; "" when it is, or never goes there.
func behind(r release.Release, env release.Env) string {
	at := slices.IndexFunc(r.Stages, func(s release.Stage) bool { return s.Env == env })
	switch {
	case r.Phase == release.Failed:
		return fmt.Sprintf("%s has failed; retry it or push a fix", r.ID)
	case at < 0 || r.Phase == release.Superseded || r.Stage > at:
		return ""
	case r.Phase == release.RollingBack || r.Phase == release.RolledBack || r.Phase == release.Held:
		return fmt.Sprintf("%s is %s in %s; retry it or push a fix", r.ID, r.Phase, r.Env())
	case r.Stage < at || r.Phase < release.Approving:
		return fmt.Sprintf("%s is %s", strings.TrimSpace(string(r.ID)), placed(r))
	}
	return ""
}

func placed(r release.Release) string {
	if r.Phase > release.Checking {
		return fmt.Sprintf("%s in %s", r.Phase, r.Env())
	}
	return r.Phase.String()
}

// ReturnTogether is an action of RollingBack that has everything return that was released
// together with r and is live where r is. r itself waits for nobody.
func (r *Runner) ReturnTogether(act Action, with With) Action {
	return func(ctx context.Context, key string, rel release.Release) (release.Facts, release.Verdict, error) {
		if rel.Set == "" {
			return act(ctx, key, rel)
		}
		askErr := r.returnOthers(ctx, rel, with)
		facts, v, err := act(ctx, key, rel)
		if err != nil || v.Outcome() != release.Passed {
			return facts, v, err
		}
		if askErr != nil {
			return facts, release.Wait(fmt.Sprintf("%s has returned; the rest of set %s has not: %v", rel.Service, rel.Set, askErr), setRetry), nil
		}
		return facts, v, nil
	}
}

func (r *Runner) returnOthers(ctx context.Context, rel release.Release, with With) error {
	others, err := with(ctx, rel)
	if err != nil {
		return err
	}
	var failed []error
	for _, o := range others {
		slot, err := r.Book.Slot(ctx, o.Service, rel.Env())
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if !Returns(o, slot) {
			continue
		}
		_, err = r.Do(ctx, o.ID, 0, func(old release.Release, now time.Time) (release.Release, error) {
			if !Returns(old, slot) { // it has moved since it was read
				return old, errUnchanged
			}
			return RollBack(old, rel.Env(), "", Seatrial, fmt.Sprintf("together with %s (set %s)", rel.ID, rel.Set), now)
		})
		if err != nil && !errors.Is(err, errUnchanged) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Returns reports whether a release would return with another of its set: it is what the
// place has, or is changing it, and is not on its way back.
func Returns(r release.Release, slot release.Slot) bool {
	at := slices.IndexFunc(r.Stages, func(s release.Stage) bool { return s.Env == slot.Env })
	if at < 0 || !r.Stages[at].Live || r.Env() == slot.Env && (r.Phase == release.RollingBack || r.Phase == release.RolledBack) {
		return false
	}
	return slot.Occupant == r.ID || slot.Current != nil && slot.Current.Release == r.ID
}
