package schedule

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/seatrial/seatrial/release"
)

// onTime is how late a run may begin and still not be one that was missed.
const onTime = time.Minute

// For is the schedule of one experiment in one environment: each has its own jitter.
func (s Schedule) For(experiment string, env release.Env) Schedule {
	s.key = experiment + "/" + string(env)
	return s
}

// Moment is when the run of a time of the schedule begins. It depends on nothing but the
// experiment, its environment and that time, so that a restart does not move it.
func (s Schedule) Moment(at time.Time) time.Time {
	if s.jitter < time.Second {
		return at
	}
	sum := sha256.Sum256([]byte(s.key + "/" + at.UTC().Format(time.RFC3339)))
	seconds := new(big.Int).SetBytes(sum[:])
	seconds.Mod(seconds, big.NewInt(int64(s.jitter/time.Second)+1))
	return at.Add(time.Duration(seconds.Int64()) * time.Second)
}

// Due is the latest time of the schedule after last whose moment has come; zero when there
// is none. Of many missed times only this one is made up for.
func (s Schedule) Due(last, now time.Time) time.Time {
	latest := s.passed(last, now)
	if latest.IsZero() || !s.Moment(latest).After(now) {
		return latest
	}
	due := s.passed(last, now.Add(-s.jitter)) // the moment of that one has come whatever it is
	from := due
	if from.IsZero() {
		from = last
	}
	for t := s.after(from); !t.IsZero() && !t.After(now); t = s.after(t) {
		if !s.Moment(t).After(now) {
			due = t
		}
	}
	return due
}

// Next is the first moment after now of a time after last; zero when there is none within
// five years.
func (s Schedule) Next(last, now time.Time) time.Time {
	from := s.passed(last, now.Add(-s.jitter))
	if from.IsZero() {
		from = last
	}
	for t := s.after(from); !t.IsZero(); t = s.after(t) {
		if moment := s.Moment(t); moment.After(now) {
			return moment
		}
	}
	return time.Time{}
}

// since is the last time of the schedule that somebody who begins now does not care for:
// one whose moment is still to come is none of those.
func (s Schedule) since(now time.Time) time.Time {
	if _, ok := s.schedule.(cron.ConstantDelaySchedule); ok {
		return now // it counts from its beginning
	}
	from := now.Add(-s.jitter)
	if gone := s.Due(from, now); !gone.IsZero() {
		return gone
	}
	return from
}

// Missed is why the run of a time is not made up for; empty: it is run. began is when this
// process did.
func (s Schedule) Missed(at, began, now time.Time) string {
	moment := s.Moment(at)
	late := now.Sub(moment)
	if s.deadline > 0 && late > s.deadline {
		return fmt.Sprintf("it was to begin at %s, and schedule.startingDeadline of %s is over", moment.UTC().Format(time.RFC3339), s.deadline)
	}
	if s.skip && (moment.Before(began) || late > onTime) {
		return fmt.Sprintf("it was to begin at %s, when it could not be started, and schedule.missed is skip", moment.UTC().Format(time.RFC3339))
	}
	return ""
}

// after is the time of the schedule that follows one.
func (s Schedule) after(t time.Time) time.Time {
	if every, ok := s.schedule.(cron.ConstantDelaySchedule); ok {
		return t.Add(every.Delay) // the library would round to seconds
	}
	return s.schedule.Next(t)
}
