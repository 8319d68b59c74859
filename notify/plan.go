package notify

import (
	"cmp"
	"slices"

	"github.com/seatrial/seatrial/internal/matchers"
	"github.com/seatrial/seatrial/notify/route"
	"github.com/seatrial/seatrial/release"
)

// Plan says which messages an event becomes: one for each channel that wants its kind, of
// the routes that match or, where none does, of the project. The end of trouble goes where
// the trouble went as well. Channels that the event names are told instead of both. A
// commit's status needs a commit and follows no route; a channel that is named but does not
// exist is passed over.
func Plan(e release.Event, project release.Project, channels map[string]release.Channel, routes ...release.Route) []Message {
	p := planner{event: e, team: project.Spec.Team, channels: channels, routes: routes, named: existing(e, channels)}
	ends, went := troubles(e), true
	for _, trouble := range ends { // before its own way: the end joins the trouble's group
		went = p.follow(trouble) && went
	}
	routed := p.follow(e)
	for _, name := range p.named {
		p.add(name, nil, e)
	}
	for _, name := range project.Spec.Channels {
		switch kind := channels[name].Spec.Type; {
		case kind == typeStatus,
			len(p.named) == 0 && !went && p.closes(name),
			len(p.named) == 0 && !routed && (len(ends) == 0 || e.Kind == release.EventVerified):
			p.add(name, nil, e)
		}
	}
	return p.messages
}

// planner plans one event.
type planner struct {
	event    release.Event
	team     string
	channels map[string]release.Channel
	routes   []release.Route
	named    []string
	messages []Message
}

// follow adds what the routes have for e, which is the event or the trouble that it ends;
// false: they have nothing.
func (p *planner) follow(e release.Event) bool {
	chosen := route.For(p.named, route.Choose(p.routes, Labels(e, p.team)))
	for i := range chosen {
		for _, name := range chosen[i].Channels {
			if e.Kind == p.event.Kind || p.closes(name) {
				p.add(name, &chosen[i], e)
			}
		}
	}
	return len(chosen) > 0
}

// closes: the channel wants to know of an end because it was told of the trouble. A release
// is verified without any before, which matters only where something may be open.
func (p *planner) closes(name string) bool {
	kind := p.channels[name].Spec.Type
	return p.event.Kind != release.EventVerified || kind == typePagerDuty || kind == typeJira || kind == typeAlerts
}

// add plans a message to a channel that wants it, once; by a route, in the group that as is in.
func (p *planner) add(name string, r *release.Route, as release.Event) {
	c, ok := p.channels[name]
	e := p.event
	if !ok || !slices.Contains(c.Spec.Events, e.Kind) || c.Spec.Type == typeStatus && (e.Commit == "" || e.Repo == "") {
		return
	}
	m := Message{ID: e.ID + "@" + name, Channel: name, Event: e, State: Pending, Due: heldBack(c.Spec.Quiet, e), Team: p.team}
	if r != nil {
		if m.Group = route.Group(*r, name, Labels(as, p.team)); m.Group != "" {
			m.joins = r
		}
	}
	if !slices.ContainsFunc(p.messages, func(o Message) bool { return o.ID == m.ID }) {
		p.messages = append(p.messages, m)
	}
}

// troubles are what an event may be the end of; none: it ends nothing.
func troubles(e release.Event) []release.Event {
	var out []release.Event
	add := func(kind release.EventKind, severity string) {
		e.Kind, e.Severity = kind, severity
		out = append(out, e)
	}
	switch e.Kind {
	case release.EventRecovered:
		add(release.EventBreach, e.Severity)
	case release.EventAlertEnded:
		add(release.EventAlert, e.Severity)
	case release.EventCalm: // it does not say how bad it was
		add(release.EventHot, "")
		add(release.EventHot, "error")
	case release.EventVerified:
		add(release.EventFailed, "")
		add(release.EventRolledBack, "")
		add(release.EventHeld, "")
	}
	return out
}

// existing are the channels that an event names and that would tell it. Where none of them
// does any more, the routes say who is told: nothing gets lost.
func existing(e release.Event, channels map[string]release.Channel) []string {
	_, ends := Thread(e)
	return slices.DeleteFunc(slices.Clone(e.Channels), func(name string) bool {
		c, ok := channels[name]
		return !ok || !ends && !slices.Contains(c.Spec.Events, e.Kind)
	})
}

// Labels are what routes and silences ask of an event.
func Labels(e release.Event, team string) map[string]string {
	return map[string]string{matchers.Team: cmp.Or(team, e.Service.Team()), matchers.Project: e.Project, matchers.Severity: severity(e),
		matchers.Kind: string(e.Kind), matchers.Environment: string(e.Env), matchers.Service: string(e.Service)}
}
