package autoscale

import (
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Episode is a time in which the CPU at one autoscaler is high, from the first sight of it.
type Episode struct {
	Cluster   string          `json:"cluster"`
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Service   release.Service `json:"service"`
	Env       release.Env     `json:"env"`

	Rule  Rule      `json:"rule"`           // as it is now
	Since time.Time `json:"since"`          // over, without a break; zero: there is no episode
	Told  time.Time `json:"told,omitzero"`  // that it is hot
	Below time.Time `json:"below,omitzero"` // not over any more, without a break
	Last  time.Time `json:"last"`           // sight of the CPU
	Load  Load      `json:"load"`           // then
	Peak  int       `json:"peak"`           // percent

	Start    int       `json:"start"`    // replicas before it began
	Replicas int       `json:"replicas"` // that are wanted
	Max      int       `json:"max"`
	AtMax    bool      `json:"atMax,omitempty"`
	Slow     string    `json:"slow,omitempty"`
	Blocked  string    `json:"blocked,omitempty"` // as it was at last
	Hindered Hindrance `json:"hindered,omitzero"`
	Steps    []Step    `json:"steps,omitempty"`
	Left     int       `json:"left,omitempty"` // steps beyond maxSteps
	Scaled   time.Time `json:"scaled,omitzero"`

	Ended   time.Time        `json:"ended,omitzero"`
	Version release.Revision `json:"-"` // 0: it was never kept
}

// Step is a change of how many replicas are wanted.
type Step struct {
	At       time.Time `json:"at"`
	From     int       `json:"from"`
	To       int       `json:"to"`
	ByOthers bool      `json:"byOthers,omitempty"` // the autoscaler does not say that it was it
}

// Hindrance is the last time that it could not scale.
type Hindrance struct {
	At  time.Time `json:"at"`
	Why string    `json:"why"`
}

// Change is what a sight has changed.
type Change int

// The changes.
const (
	Unknown   Change = iota
	Same             // nothing is to be kept
	Kept             // the episode is to be kept
	Hot              // it has lasted as long as its rule says
	Calm             // it is over for as long
	Forgotten        // it was over before anybody was told
	Gone             // nobody can see it any more, and people were told of it
)

// String names it.
func (c Change) String() string {
	return [...]string{"Unknown", "Same", "Kept", "Hot", "Calm", "Forgotten", "Gone"}[c]
}

const (
	maxGap   = 90 * time.Second // without a sight of the CPU: what was before does not count any more
	maxSteps = 20
)

// Next is the episode after a sight. e says which autoscaler it is about; Since is zero when
// there is no episode. CPU that is not known is neither over nor under.
func Next(e Episode, r Rule, s Sight) (Episode, Change) {
	open := !e.Since.IsZero()
	switch {
	case open && !s.At.After(e.Last):
		return e, Same // a look that was overtaken
	case r.Off && open:
		return End(e, s.At)
	case r.Off:
		return e, Same
	case !s.Load.Known:
		return unseen(e, s)
	case !open && s.Load.Percent > r.Over:
		return begin(e, r, s), Kept
	case !open:
		return e, Same
	case e.Told.IsZero() && s.Load.Percent > r.Over && s.At.Sub(e.Last) > maxGap:
		return begin(e, r, s), Kept
	}
	return seen(e, r, s)
}

// End is an episode whose autoscaler is not there, or not to be watched, any more.
func End(e Episode, now time.Time) (Episode, Change) {
	e.Ended = now
	if e.Told.IsZero() {
		return e, Forgotten
	}
	return e, Gone
}

// seen goes on with an episode.
func seen(e Episode, r Rule, s Sight) (Episode, Change) {
	gap, over := s.At.Sub(e.Last) > maxGap, s.Load.Percent > r.Over
	e = e.note(s)
	e.Rule, e.Last, e.Load, e.Peak = r, s.At, s.Load, max(e.Peak, s.Load.Percent)
	switch {
	case e.Told.IsZero() && !over:
		e.Ended = s.At
		return e, Forgotten
	case e.Told.IsZero() && s.At.Sub(e.Since) >= r.For:
		e.Told = s.At
		return e, Hot
	case e.Told.IsZero():
	case over:
		e.Below = time.Time{}
	case e.Below.IsZero() || gap:
		e.Below = s.At
	case s.At.Sub(e.Below) >= r.For:
		e.Ended = s.At
		return e, Calm
	}
	return e, Kept
}

// unseen is an episode whose CPU is not known now. One that nobody was told of is not
// waited for.
func unseen(e Episode, s Sight) (Episode, Change) {
	if e.Since.IsZero() {
		return e, Same
	}
	if e.Told.IsZero() && s.At.Sub(e.Last) > maxGap {
		e.Ended = s.At
		return e, Forgotten
	}
	after := e.note(s)
	if after.Hindered.Why == e.Hindered.Why && len(after.Steps) == len(e.Steps) && after.Left == e.Left {
		return e, Same // not each time anew
	}
	return after, Kept
}

func begin(e Episode, r Rule, s Sight) Episode {
	b := Episode{Cluster: e.Cluster, Namespace: e.Namespace, Name: e.Name, Service: e.Service, Env: e.Env, Version: e.Version,
		Rule: r, Since: s.At, Last: s.At, Load: s.Load, Peak: s.Load.Percent, Start: s.Replicas, Replicas: s.Replicas, Scaled: s.Scaled}
	if s.Before > 0 && s.Before != s.Replicas && !s.Scaled.IsZero() && s.Blocked == "" {
		// One update of the status has both the CPU and what was done about it.
		b.Start, b.Steps = s.Before, []Step{{At: s.Scaled, From: s.Before, To: s.Replicas}}
	}
	return b.note(s)
}

// note remembers what the autoscaler did since the last sight.
func (e Episode) note(s Sight) Episode {
	if s.Replicas != e.Replicas {
		step := Step{At: s.Scaled, From: e.Replicas, To: s.Replicas}
		if !s.Scaled.After(e.Scaled) {
			step.At, step.ByOthers = s.At, true
		}
		if len(e.Steps) < maxSteps {
			e.Steps = append(slices.Clone(e.Steps), step)
		} else {
			e.Left++
		}
	}
	e.Replicas, e.Max, e.AtMax, e.Slow, e.Blocked = s.Replicas, s.Max, s.AtMax, s.Slow, s.Blocked
	if s.Scaled.After(e.Scaled) {
		e.Scaled = s.Scaled
	}
	if s.Blocked != "" {
		e.Hindered = Hindrance{At: s.At, Why: s.Blocked}
	}
	return e
}
