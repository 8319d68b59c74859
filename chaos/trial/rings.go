package trial

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// beside is the last verified release on a cluster of a later wave, to be tried at the
// same time; false when the trial comes after all waves, or no such cluster allows it.
func beside(p chaos.Platform, r release.Release, s chaos.Subject, t release.Trial) (chaos.Subject, bool) {
	stage := r.Now()
	if !stage.Rings() || stage.Previous == nil || r.Wave >= len(stage.Waves) {
		return chaos.Subject{}, false
	}
	cluster := ""
	if b := t.Beside; b != nil && b.Fault != nil {
		cluster = b.Fault.Cluster
	}
	for _, w := range stage.Waves[r.Wave+1:] {
		for _, x := range w.Targets {
			if cluster == "" && x.State == "Pending" && p.Clusters[x.Cluster].Spec.Chaos {
				cluster = x.Cluster
			}
		}
	}
	other := s
	other.Cluster, other.Revision, other.Baseline, other.Before = cluster, stage.Previous.Desired, nil, nil
	other.OptIn = p.Clusters[cluster].Spec.ChaosOptIn
	return other, cluster != ""
}

// alone is how long a candidate waits for a cluster beside it that does not answer.
const alone = time.Minute

// turn says whose step is next.
type turn struct{ candidate, other bool }

// turns lets neither side be broken before both are measured and planned, and judges the
// candidate when the other has ended.
func turns(candidate, other chaos.Report) turn {
	before := func(r chaos.Report) bool { return r.State == "Planned" }
	switch {
	case other.Ended:
		return turn{candidate: true}
	case candidate.Judging, candidate.Ready && before(other):
		return turn{other: true}
	case other.Ready && before(candidate):
		return turn{candidate: true}
	}
	return turn{true, true}
}

// together does the next thing of both sides. What one of them cannot ask does not lose
// what the other has done.
func (tr *Trial) together(ctx context.Context, r release.Release, s, other chaos.Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	if t.Beside == nil || t.BesideFor != t.Attempt {
		if besideLive(t) {
			return tr.settle(ctx, r, t, "the candidate begins again")
		}
		t.Beside, t.BesideFor = &release.Trial{Attempt: 1}, t.Attempt
	}
	s.Baseline = nil // measured at the same time, too
	s = compared(s, other, t)
	next := turns(chaos.Progress(t), chaos.Progress(*t.Beside))
	var wait release.Verdict
	var failed error
	if next.candidate {
		mine, v, err := tr.Engine.Step(ctx, s, t)
		switch {
		case err != nil:
			failed = err
		case chaos.Progress(mine).Ended && besideLive(t): // the same step again, once nothing is broken any more
			return tr.settle(ctx, r, t, "the candidate's trial has ended")
		default:
			t, wait = mine, v
		}
	}
	if next.other {
		theirs, v, err := tr.Engine.Step(ctx, other, *t.Beside)
		switch {
		case err != nil && !next.candidate && !besideLive(t) && tr.Engine.Now().Sub(t.Since) > alone:
			t = tell(t, chaos.Abort(*t.Beside, s.Experiment.Meta.Name, err.Error(), tr.Engine.Now()))
			return t, release.Wait("going on without "+other.Cluster+": "+err.Error(), 0), nil
		case err != nil && failed != nil, err != nil && !next.candidate:
			return t, release.Verdict{}, fmt.Errorf("beside it: %w", err)
		case err == nil:
			t = tell(t, theirs)
		}
		if !next.candidate || failed != nil {
			wait = release.Wait(fmt.Sprintf("the last verified release on %s: %s", other.Cluster, v.Reason()), v.After())
		}
	} else if failed != nil {
		return t, release.Verdict{}, failed
	}
	return t, wait, nil
}

// compared says what the candidate is compared with: the other side when it was measured,
// else what the last verified release's own trial recorded.
func compared(s, other chaos.Subject, t release.Trial) chaos.Subject {
	if !chaos.Progress(*t.Beside).Ended {
		return s
	}
	for key := range t.Beside.Cells {
		if strings.HasPrefix(key, s.Experiment.Meta.Name+"/") && strings.HasSuffix(key, "@"+other.Cluster+"/fault") {
			s.Before, s.BeforeOn = t.Beside, other.Cluster
			return s
		}
	}
	v := chaos.Replay(*t.Beside, nil)
	s.BeforeNote = fmt.Sprintf("by its own trial's record, since it could not be tried beside this one on %s: %s", other.Cluster, v.Reason())
	return s
}

// tell keeps how far the other side has come, and its evidence once it has ended.
func tell(t, theirs release.Trial) release.Trial {
	ended := chaos.Progress(theirs).Ended && !chaos.Progress(*t.Beside).Ended
	t.Beside = &theirs
	if !ended {
		return t
	}
	kept := append([]release.Evidence{}, t.Evidence...)
	for _, ev := range theirs.Evidence {
		ev.Facts = maps.Clone(ev.Facts)
		ev.Facts[evidence.FactAttempt], ev.Facts[evidence.FactAbout] = strconv.Itoa(t.BesideFor), evidence.Verified+ev.Facts[evidence.FactAbout]
		kept = append(kept, ev)
	}
	t.Evidence = kept
	return t
}

func besideLive(t release.Trial) bool { return t.Beside != nil && chaos.Progress(*t.Beside).Live }

// settle takes the fault of the other side back before anything else is done.
func (tr *Trial) settle(ctx context.Context, r release.Release, t release.Trial, why string) (release.Trial, release.Verdict, error) {
	f := t.Beside.Fault
	aborted := chaos.Abort(*t.Beside, f.Experiment, why, tr.Engine.Now())
	other := leftover(r, f)
	if p := r.Now().Previous; p != nil {
		other.Revision = p.Desired
	}
	theirs, v, err := tr.Engine.Step(ctx, other, aborted)
	if err != nil {
		return t, release.Verdict{}, fmt.Errorf("beside it: %w", err)
	}
	return tell(t, theirs), release.Wait("reverting what is broken beside it on "+f.Cluster, v.After()), nil
}

// Clusters are those where faults of a trial may be.
func Clusters(t *release.Trial) []string {
	var at []string
	for ; t != nil; t = t.Beside {
		if t.Fault != nil {
			at = append(at, t.Fault.Cluster)
		}
	}
	return at
}
