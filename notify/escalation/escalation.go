// Package escalation decides who else hears of trouble that does not end.
//
// Start at Follow, then Next. It is pure, with the clock as an argument. It never tells
// anybody of trouble that is over.
package escalation

import (
	"path"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Matter is trouble that somebody has to hear of again while it lasts.
type Matter struct {
	ID      string           `json:"id"`
	Team    string           `json:"team"`
	Event   release.Event    `json:"event"` // with which it began
	Route   release.Route    `json:"route"` // as it was then
	Steps   int              `json:"steps"` // that were taken
	Told    int              `json:"told"`  // how often, after the first time
	Last    time.Time        `json:"last"`  // told at last
	Over    time.Time        `json:"over,omitzero"`
	Version release.Revision `json:"-"` // 0: nobody has seen it
}

// Open reports whether it lasts.
func (m Matter) Open() bool { return m.ID != "" && m.Over.IsZero() }

// Follow is the matter after an event about it; false: nothing changed. An event that is
// told again, or late, opens nothing that was over after it.
func Follow(m Matter, id, team string, e release.Event, ends bool, routes []release.Route) (Matter, bool) {
	if ends {
		if !m.Open() || e.At.Before(m.Event.At) && !together(e, m.Event) {
			return m, false
		}
		m.Over = e.At
		return m, true
	}
	i := slices.IndexFunc(routes, func(r release.Route) bool { return len(r.Escalate) > 0 || r.RepeatInterval > 0 })
	if i < 0 || m.Open() || !e.At.After(m.Over) || e.ID == m.Event.ID {
		return m, false
	}
	return Matter{ID: id, Team: team, Event: e, Route: routes[i], Last: e.At, Version: m.Version}, true
}

// together reports whether two events are of one occurrence, whatever the clock says.
func together(a, b release.Event) bool {
	dir := path.Dir(a.ID)
	return dir != "." && dir == path.Dir(b.ID)
}

// Heard are the channels that were told of it after the first time.
func Heard(m Matter) []string {
	var channels []string
	for _, step := range m.Route.Escalate[:min(m.Steps, len(m.Route.Escalate))] {
		channels = append(channels, step.Channels...)
	}
	if m.Last.After(m.Event.At) {
		channels = append(channels, m.Route.Channels...)
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

// Next is which channels hear of it now, and the matter after that; none: nobody yet.
func Next(m Matter, now time.Time) ([]string, Matter) {
	if !m.Open() {
		return nil, m
	}
	var channels []string
	for m.Steps < len(m.Route.Escalate) && !now.Before(m.Event.At.Add(m.Route.Escalate[m.Steps].After.Std())) {
		channels = append(channels, m.Route.Escalate[m.Steps].Channels...)
		m.Steps++
	}
	if every := m.Route.RepeatInterval.Std(); every > 0 && !now.Before(m.Last.Add(every)) {
		channels = append(channels, m.Route.Channels...)
		m.Last = now
	}
	if len(channels) > 0 {
		m.Told++
	}
	slices.Sort(channels)
	return slices.Compact(channels), m
}
