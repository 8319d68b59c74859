package platform

import (
	"time"

	"github.com/seatrial/seatrial/internal/matchers"
	"github.com/seatrial/seatrial/release"
)

func (c *checker) team(v *release.Team) {
	c.name(v.Meta.Name, "metadata", "name")
	c.atLeast(1, len(v.Spec.Routes), "spec", "routes")
	for i := range v.Spec.Routes {
		c.route(&v.Spec.Routes[i], i)
	}
}

func (c *checker) route(r *release.Route, i int) {
	at := func(path ...any) []any { return append([]any{"spec", "routes", i}, path...) }
	for j, text := range r.Matchers {
		if _, err := matchers.Parse(text); err != nil {
			c.Add(err.Error(), at("matchers", j)...)
		}
	}
	c.atLeast(1, len(r.Channels), at("channels")...)
	c.Once(r.Channels, at("channels")...)
	if r.RepeatInterval != 0 && r.RepeatInterval.Std() < time.Minute {
		c.Add("want at least 1m", at("repeatInterval")...)
	}
	var last release.Duration
	for j, e := range r.Escalate {
		if e.After <= last {
			c.Add("want a time after the one before", at("escalate", j, "after")...)
		}
		last = e.After
		c.duration(e.After, at("escalate", j, "after")...)
		c.atLeast(1, len(e.Channels), at("escalate", j, "channels")...)
	}
	for j, label := range r.GroupBy {
		c.OneOf("label", label, matchers.Labels(), at("groupBy", j)...)
	}
	c.Once(r.GroupBy, at("groupBy")...)
	if len(r.GroupBy) == 0 {
		for field, d := range map[string]release.Duration{"groupWait": r.GroupWait, "groupInterval": r.GroupInterval} {
			if d != 0 {
				c.Add("is for routes with groupBy: without it every event is told by itself", at(field)...)
			}
		}
		return
	}
	setDefault(&r.GroupWait, release.Duration(30*time.Second))
	setDefault(&r.GroupInterval, release.Duration(5*time.Minute))
	c.duration(r.GroupWait, at("groupWait")...)
	c.duration(r.GroupInterval, at("groupInterval")...)
}

func (l *loader) checkTeams() {
	channels := l.names("Channel")
	var teams []string
	for _, o := range l.projects {
		teams = append(teams, o.T.Spec.Team)
	}
	for _, o := range l.teams {
		var c checker
		if len(teams) == len(l.names("Project")) { // one that did not decode may be the team's
			c.OneOf("team of a project", o.T.Meta.Name, teams, "metadata", "name")
		}
		for i, r := range o.T.Spec.Routes {
			for j, name := range r.Channels {
				c.OneOf("channel", name, channels, "spec", "routes", i, "channels", j)
			}
			for j, e := range r.Escalate {
				for k, name := range e.Channels {
					c.OneOf("channel", name, channels, "spec", "routes", i, "escalate", j, "channels", k)
				}
			}
		}
		l.report(o.doc, c.Issues...)
	}
}
