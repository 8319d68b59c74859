package platform

import (
	"fmt"
	"net/mail"

	"github.com/seatrial/seatrial/release"
)

func (c *checker) channel(v *release.Channel) {
	s := &v.Spec
	c.name(v.Meta.Name, "metadata", "name")
	c.OneOf("type", s.Type, []string{"wecom", "feishu", "dingtalk", "slack", "teams", "email", "webhook", "alertmanager", "pagerduty", "jira", "status"}, "spec", "type")
	switch {
	case s.Type == "status" && s.URLSecret != "":
		c.Add("a status goes to the forge the commit came from: leave it out", "spec", "urlSecret")
	case s.Type != "status" && s.URLSecret == "":
		c.Add("want the name of the secret that holds the address; the server reads it from SEATRIAL_SECRET_<NAME>", "spec", "urlSecret")
	}
	c.mail(s)
	c.jira(s)
	c.quiet(s)
	c.pattern(secretRef, "a name of letters, digits, dashes and underscores, never the address itself", s.URLSecret, "spec", "urlSecret")
	for i, e := range s.Events {
		c.OneOf("event", string(e), eventNames(), "spec", "events", i)
	}
	if len(s.Events) == 0 {
		s.Events = defaultEvents(s.Type)
	}
	setDefault(&s.Language, "en")
	c.OneOf("language", s.Language, []string{"en", "zh"}, "spec", "language")
}

func (c *checker) quiet(s *release.ChannelSpec) {
	if s.Quiet == nil {
		return
	}
	if s.Type == "status" {
		c.Add("a commit's status wakes nobody up", "spec", "quiet")
	}
	for field, text := range map[string]string{"from": s.Quiet.From, "until": s.Quiet.Until} {
		if _, err := release.ParseClock(text); err != nil {
			c.Add(err.Error(), "spec", "quiet", field)
		}
	}
	if s.Quiet.From == s.Quiet.Until {
		c.Add("they begin when they end: that is all day, or never", "spec", "quiet", "until")
	}
	c.zone(s.Quiet.TimeZone, "spec", "quiet", "timeZone")
}

func (c *checker) mail(s *release.ChannelSpec) {
	if s.Type != "email" {
		if s.Mail.From != "" || len(s.Mail.To) > 0 {
			c.Add("is for channels of type email", "spec", "mail")
		}
		return
	}
	if _, err := mail.ParseAddress(s.Mail.From); err != nil {
		c.Add("want an address like seatrial@example.com", "spec", "mail", "from")
	}
	if n := len(s.Mail.To); n < 1 || n > 50 {
		c.Add(fmt.Sprintf("want 1 to 50 addresses, got %d", n), "spec", "mail", "to")
	}
	for i, to := range s.Mail.To {
		if _, err := mail.ParseAddress(to); err != nil {
			c.Add("want an address like team@example.com", "spec", "mail", "to", i)
		}
	}
	c.Once(s.Mail.To, "spec", "mail", "to")
}

func (c *checker) jira(s *release.ChannelSpec) {
	if s.Type != "jira" {
		if s.Jira != (release.JiraSpec{}) {
			c.Add("is for channels of type jira", "spec", "jira")
		}
		return
	}
	if !jiraProject.MatchString(s.Jira.Project) {
		c.Add(fmt.Sprintf("%q: want a project's key like OPS", s.Jira.Project), "spec", "jira", "project")
	}
	setDefault(&s.Jira.IssueType, "Task")
	setDefault(&s.Jira.API, 2)
	if s.Jira.API != 2 && s.Jira.API != 3 {
		c.Add(fmt.Sprintf("want 2 (Server, Data Center) or 3 (Cloud), got %d", s.Jira.API), "spec", "jira", "api")
	}
}

func eventNames() []string {
	return []string{string(release.EventPhase), string(release.EventVerified), string(release.EventFailed), string(release.EventRolledBack), string(release.EventHeld),
		string(release.EventBreach), string(release.EventRecovered), string(release.EventExperiment), string(release.EventUnsteady), string(release.EventUnapproved), string(release.EventSummary), string(release.EventDrift),
		string(release.EventCaughtUp), string(release.EventWithdrawn),
		string(release.EventAlert), string(release.EventAlertEnded), string(release.EventHot), string(release.EventCalm)}
}

// defaultEvents are what people want to hear. A commit's status follows the phases, of
// which the others are a part.
func defaultEvents(channel string) []release.EventKind {
	if channel == "status" {
		return []release.EventKind{release.EventPhase}
	}
	kinds := []release.EventKind{release.EventVerified, release.EventFailed, release.EventRolledBack, release.EventHeld,
		release.EventBreach, release.EventRecovered, release.EventExperiment, release.EventUnsteady, release.EventAlert, release.EventAlertEnded,
		release.EventHot, release.EventCalm}
	if channel != "pagerduty" && channel != "jira" && channel != "alertmanager" { // these are no trouble
		kinds = append(kinds, release.EventSummary, release.EventUnapproved)
	}
	return kinds
}
