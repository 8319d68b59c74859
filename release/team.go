package release

// Team says how the people of a team are reached: which of its projects' events go where.
type Team struct {
	Meta Meta     `json:"metadata"` // its name is the team's
	Spec TeamSpec `json:"spec"`
}

// TeamSpec is asked from top to bottom: the first route that matches an event has it. What
// none matches goes to the project's channels, so nothing is lost by a route that is
// missing.
type TeamSpec struct {
	Routes []Route `json:"routes"`
}

// Route is where some events go, and how many of them at once. A channel still says itself
// which kinds of events it wants.
type Route struct {
	Matchers []string `json:"matchers,omitempty"` // all have to hold: severity=critical, kind=~"slo[.].*", environment!=dev, service!~shop/.*; none: everything
	Channels []string `json:"channels"`
	Continue bool     `json:"continue,omitempty"` // ask the routes below as well

	GroupBy       []string `json:"groupBy,omitempty"`       // events that agree in these labels are told together; left out: each by itself
	GroupWait     Duration `json:"groupWait,omitempty"`     // after the first event of a group, for others to join it; default 30s
	GroupInterval Duration `json:"groupInterval,omitempty"` // between two messages about one group; default 5m

	RepeatInterval Duration     `json:"repeatInterval,omitempty"` // tell trouble that has not ended again; left out: once
	Escalate       []Escalation `json:"escalate,omitempty"`       // who hears of trouble that has not ended
}

// Escalation is who hears of it next.
type Escalation struct {
	After    Duration `json:"after"` // since it began
	Channels []string `json:"channels"`
}
