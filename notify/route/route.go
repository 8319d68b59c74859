// Package route decides where an event goes and when the group it belongs to is told: the
// first route of a team that matches has it.
//
// Start at Choose, then Join. All of it is pure, with the clock as an argument. It never
// drops an event: what no route matches is for whoever is told without routes.
package route

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/matchers"
	"github.com/seatrial/seatrial/release"
)

// Choose lists the routes that have an event of these labels, in their order: the first
// that matches, and those below it for as long as they say continue.
func Choose(routes []release.Route, labels map[string]string) []release.Route {
	var chosen []release.Route
	for _, r := range routes {
		set, err := matchers.ParseAll(r.Matchers)
		if err != nil || !set.Matches(labels) {
			continue // a platform that was read has no wrong ones
		}
		chosen = append(chosen, r)
		if !r.Continue {
			break
		}
	}
	return chosen
}

// For is the chosen routes of an event that names its own channels: they are told instead of
// the routes'. How they are told, together or again, is the routes' still.
func For(channels []string, chosen []release.Route) []release.Route {
	if len(channels) == 0 {
		return chosen
	}
	out := slices.Clone(chosen)
	for i := range out {
		out[i].Channels = channels
	}
	return out
}

// Group names the group of an event on a channel; empty: the route makes none.
func Group(r release.Route, channel string, labels map[string]string) string {
	if len(r.GroupBy) == 0 {
		return ""
	}
	h := sha256.New()
	write := func(s string) { h.Write([]byte(strconv.Itoa(len(s)) + ":" + s)) }
	write(channel)
	for _, m := range r.Matchers { // another route's groups are others
		write(m)
	}
	for _, label := range r.GroupBy {
		write(label)
		write(labels[label])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Join is when a group that was, or will be, told at last is told of an event that comes
// now: with what is gathering, or groupInterval after what was told, or after groupWait. A
// time so late that only a clock that was set back explains it counts for nothing.
func Join(r release.Route, last, now time.Time) time.Time {
	switch again := last.Add(r.GroupInterval.Std()); {
	case last.After(now.Add(max(r.GroupWait, r.GroupInterval).Std())):
	case last.After(now):
		return last
	case !last.IsZero() && again.After(now):
		return again
	}
	return now.Add(r.GroupWait.Std())
}
