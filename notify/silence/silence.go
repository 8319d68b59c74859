// Package silence decides which messages nobody wants to hear now.
//
// Start at New and Read. It is pure, with the clock as an argument. It never drops anything:
// what is silenced is told when the silence is over, unless it is over itself by then.
package silence

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/matchers"
	"github.com/seatrial/seatrial/release"
)

// Longest is how long a silence may be.
const Longest = 30 * 24 * time.Hour

const (
	maxMatchers = 20
	maxReason   = 400 // characters
)

// New is a silence from now on. One without matchers would silence everything: nobody
// means that.
func New(id string, conditions []string, length time.Duration, by, reason string, now time.Time) (release.Silence, error) {
	s := release.Silence{ID: id, Matchers: conditions, From: now.UTC(), Until: now.Add(length).UTC(), By: by, Reason: reason}
	if n := len(conditions); n < 1 || n > maxMatchers {
		return s, hint.Add(fmt.Errorf("want 1 to %d matchers, got %d", maxMatchers, n), "say what to silence: service=shop/web")
	}
	set, err := matchers.ParseAll(conditions)
	switch {
	case err != nil:
		return s, err
	case set.Matches(map[string]string{}):
		return s, hint.Add(fmt.Errorf("%q fits what has no labels at all", conditions), "add a matcher that says what to silence: service=shop/web")
	case length <= 0 || length > Longest:
		return s, fmt.Errorf("want at most %v, got %v", Longest, length)
	case reason == "" || utf8.RuneCountInString(reason) > maxReason:
		return s, fmt.Errorf("want a reason of at most %d characters", maxReason)
	}
	return s, nil
}

// End ends a silence that is active; false: it is over already.
func End(s release.Silence, by, reason string, now time.Time) (release.Silence, bool) {
	if !now.Before(s.Until) {
		return s, false
	}
	s.Until, s.EndedBy, s.EndedFor = now.UTC(), by, reason
	return s, true
}

// Active are silences that were read once, to be asked about many messages.
type Active []one

type one struct {
	silence release.Silence
	set     matchers.Set
}

// Read is those that are active at now, what their matchers say worked out.
func Read(all []release.Silence, now time.Time) Active {
	var a Active
	for _, s := range all {
		if set, err := matchers.ParseAll(s.Matchers); err == nil && s.Active(now) {
			a = append(a, one{s, set})
		}
	}
	return a
}

// Of finds the silence that is the last to end of those that match labels.
func (a Active) Of(labels map[string]string) (release.Silence, bool) {
	var longest release.Silence
	for _, s := range a {
		if s.silence.Until.After(longest.Until) && s.set.Matches(labels) {
			longest = s.silence
		}
	}
	return longest, longest.ID != ""
}
