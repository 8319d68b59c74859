package schedule_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// with is the rig's scheduler with another schedule.
func (r *rig) with(spec release.ScheduleSpec) *schedule.Scheduler {
	s := r.scheduler(spec.Cron, "")
	platform := s.Platform
	spec.Environments = []release.Env{"staging"}
	s.Platform = func(ctx context.Context) (chaos.Platform, error) {
		p, err := platform(ctx)
		x := p.Experiments["restart-one"]
		x.Spec.Schedule = &spec
		p.Experiments = map[string]release.Experiment{"restart-one": x}
		return p, err
	}
	return s
}

// TestOfTwoSchedulersOneRuns pauses one of two servers between its decision to run and the
// save of that.
func TestOfTwoSchedulersOneRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		paused := r.scheduler("0 * * * *", "")
		asked := 0
		paused.Places = func(ctx context.Context) ([]schedule.Place, error) {
			if asked++; asked == 1 {
				time.Sleep(10 * time.Minute) // the other has begun and ended by then
			}
			return r.places(ctx)
		}
		var both sync.WaitGroup
		both.Go(func() { during(t, paused, 80*time.Minute, nil) })
		other := r.scheduler("0 * * * *", "")
		other.Every = 7 * time.Second // the paused one looks first
		during(t, other, 80*time.Minute, nil)
		both.Wait()
		if got := strings.Join(r.states(), ", "); got != "Passed" || r.broken != 1 || asked != 1 {
			t.Errorf("runs: %s, %d faults, the paused one asked %d times", got, r.broken, asked)
		}
	})
}

// TestWhoWasPausedLeavesARunToWhoTookItOver pauses a server while its fault is active.
func TestWhoWasPausedLeavesARunToWhoTookItOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		paused := r.scheduler("0 * * * *", "")
		places, pause := paused.Places, false
		paused.Places = func(ctx context.Context) ([]schedule.Place, error) {
			r.mu.Lock()
			now := !pause && len(r.faults) > 0
			pause = pause || now
			r.mu.Unlock()
			if now {
				time.Sleep(10 * time.Minute)
			}
			return places(ctx)
		}
		var both sync.WaitGroup
		both.Go(func() { during(t, paused, 80*time.Minute, nil) })
		time.Sleep(61 * time.Minute)
		during(t, r.scheduler("0 * * * *", ""), 15*time.Minute, nil)
		both.Wait()
		if got := strings.Join(r.states(), ", "); got != "Passed" || r.broken != 1 || !pause {
			t.Errorf("runs: %s, %d faults, paused %v", got, r.broken, pause)
		}
	})
}

func TestWhatWasMissedIsMadeUpForOrRecorded(t *testing.T) {
	for _, c := range []struct {
		name string
		spec release.ScheduleSpec
		want string // after the run of 01:00, with the server back at 04:30
	}{
		{"by default the latest is made up for", release.ScheduleSpec{}, "Passed"},
		{"none is", release.ScheduleSpec{Missed: release.MissedSkip},
			"Invalid: skipped: it was to begin at 2000-01-01T04:00:00Z, when it could not be started, and schedule.missed is skip"},
		{"within the deadline it is", release.ScheduleSpec{StartingDeadline: release.Duration(time.Hour)}, "Passed"},
		{"after it it is not", release.ScheduleSpec{StartingDeadline: release.Duration(20 * time.Minute)},
			"Invalid: skipped: it was to begin at 2000-01-01T04:00:00Z, and schedule.startingDeadline of 20m0s is over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				c.spec.Cron = "0 * * * *"
				during(t, r.with(c.spec), 90*time.Minute, nil)
				time.Sleep(3 * time.Hour)
				during(t, r.with(c.spec), 20*time.Minute, nil)
				if got := r.states(); !slices.Equal(got, []string{"Passed", c.want}) {
					t.Errorf("runs: %q", got)
				}
				during(t, r.with(c.spec), 20*time.Minute, nil)
				if got := r.states(); len(got) != 3 || got[2] != "Passed" {
					t.Errorf("the one after that: %q", got)
				}
			})
		})
	}
}

func TestJitterIsTheSameAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		spec := release.ScheduleSpec{Cron: "0 * * * *", Jitter: release.Duration(30 * time.Minute)}
		parsed, err := schedule.ParseSchedule(spec)
		if err != nil {
			t.Fatal(err)
		}
		parsed = parsed.For("restart-one", "staging")
		time.Sleep(31 * time.Minute) // past the moment of midnight's
		s := r.with(spec)
		var shown time.Time
		during(t, s, 31*time.Minute, func() {
			time.Sleep(time.Minute)
			items, err := s.Items(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			shown = items[0].Next
		})
		want := parsed.Moment(start.Add(time.Hour))
		if !shown.Equal(want) || want.Before(start.Add(63*time.Minute)) || want.After(start.Add(90*time.Minute)) {
			t.Fatalf("next is shown as %s, and is %s", shown, want)
		}
		during(t, r.with(spec), 30*time.Minute, nil)
		if len(r.order) != 1 || r.order[0] != "20000101T010000Z.restart-one.staging" {
			t.Fatalf("runs: %q", r.order)
		}
		if late := r.runs[r.order[0]].Started.Sub(want); late < 0 || late > time.Second {
			t.Errorf("it began %s after its moment", late)
		}
	})
}

func TestMomentsSpread(t *testing.T) {
	s, err := schedule.ParseSchedule(release.ScheduleSpec{Cron: "0 * * * *", Jitter: release.Duration(5 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[time.Duration]bool{}
	for _, env := range []release.Env{"staging", "prod"} {
		last := start
		for now := start; now.Before(start.Add(200 * time.Hour)); now = now.Add(30 * time.Second) {
			at := s.For("kill", env).Due(last, now)
			if at.IsZero() {
				continue
			}
			if !at.Equal(last.Truncate(time.Hour).Add(time.Hour)) {
				t.Fatalf("after the run of %s comes that of %s", last, at)
			}
			wait := s.For("kill", env).Moment(at).Sub(at)
			if wait < 0 || wait > 5*time.Minute || now.Sub(at) < wait || now.Sub(at) >= wait+30*time.Second {
				t.Fatalf("the run of %s begins at %s, and not after %s", at, now, wait)
			}
			last, seen[wait] = at, true
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d different waits of 398", len(seen))
	}
}
