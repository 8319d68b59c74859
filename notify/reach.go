package notify

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/notify/mail"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// The types a channel may have.
const (
	typeWeCom     = "wecom"
	typeFeishu    = "feishu"
	typeDingTalk  = "dingtalk"
	typeSlack     = "slack"
	typeTeams     = "teams"
	typeMail      = "email"
	typeWebhook   = "webhook"
	typeAlerts    = "alertmanager"
	typePagerDuty = "pagerduty"
	typeJira      = "jira"
	typeStatus    = "status"
)

// way is how a channel is reached, or why it is not.
type way struct {
	sender  sender
	failure *wire.Failure
	digests bool // it may be given more than one message at once
	rate    rates
}

func plenty() rates { return rates{{limit: 100, span: 10 * time.Second}} }

// blocked is a way that leads nowhere.
func blocked(f *wire.Failure) way { return way{failure: f, rate: plenty()} }

// way finds how a channel is reached, and the key under which it shares a rate.
func (n *Notifier) way(name string, c release.ChannelSpec, exists bool, all map[string]release.Channel) (string, way) {
	if !exists {
		return "gone", blocked(&wire.Failure{Reason: "the channel no longer exists", Permanent: true})
	}
	if c.Type == typeStatus {
		return typeStatus, way{sender: status{n.config.Status}, rate: plenty()}
	}
	address, key := n.config.Secret(c.URLSecret), n.config.Secret(c.URLSecret+"-key")
	if address == "" {
		return "unset " + name, blocked(unset(c.URLSecret))
	}
	lane := c.Type + " " + address.Reveal() + " " + key.Reveal() // one sender has one key
	if key == "" && (c.Type == typeWebhook || c.Type == typePagerDuty) {
		return lane, blocked(unset(c.URLSecret + "-key"))
	}
	w, ok := n.chat(c.Type, robot{n.config.Client, address, key, all, n.config.Console})
	if ok {
		return lane, w
	}
	switch c.Type {
	case typeWebhook:
		return lane, way{sender: webhook{n.config.Client, address, key, time.Now}, rate: plenty()}
	case typeAlerts:
		return lane, way{sender: alerts{n.config.Client, address, key, n.config.Console}, digests: true, rate: plenty()}
	case typePagerDuty:
		return lane, way{sender: pager{n.config.Client, address, key, n.config.Console}, rate: rates{{limit: 120, span: time.Minute}}}
	case typeMail:
		return lane + " " + name, way{sender: letters{mail.Server{Address: address, From: c.Mail.From, To: c.Mail.To}, all, n.config.Console}, digests: true, rate: rates{{limit: 30, span: time.Minute}}}
	case typeJira:
		return c.Type + " " + address.Reveal(), n.tickets(address, all) // one at a time, whoever tells: a thread has one ticket
	}
	return "type " + c.Type, blocked(&wire.Failure{Reason: "channels of type " + c.Type + " are not supported", Permanent: true})
}

// chat knows the groups that people read, and how much each takes.
func (n *Notifier) chat(kind string, r robot) (way, bool) {
	switch kind {
	case typeWeCom:
		return way{sender: wecom(r), digests: true, rate: rates{{limit: 20, span: time.Minute}}}, true
	case typeFeishu:
		return way{sender: feishu(r), digests: true, rate: rates{{limit: 100, span: time.Minute}, {limit: 5, span: time.Second}}}, true
	case typeDingTalk:
		return way{sender: dingtalk(r), digests: true, rate: rates{{limit: 20, span: time.Minute}}}, true
	case typeSlack:
		return way{sender: slack(r), digests: true, rate: rates{{limit: 1, span: time.Second}}}, true
	case typeTeams:
		return way{sender: teams(r), digests: true, rate: rates{{limit: 4, span: time.Second}}}, true
	}
	return way{}, false
}

func (n *Notifier) tickets(address secret.Text, all map[string]release.Channel) way {
	if n.config.Tickets == nil {
		return blocked(&wire.Failure{Reason: "nothing remembers tickets", Permanent: true})
	}
	site := jira.Site{Client: n.config.Client, Address: address, Memory: n.config.Tickets, Now: time.Now}
	return way{sender: tickets{site, all, n.config.Secret, n.config.Console}, rate: rates{{limit: 5, span: time.Second}}}
}

// unset is the failure of a channel whose secret is not set.
func unset(name string) *wire.Failure {
	return &wire.Failure{Reason: fmt.Sprintf("secret %s is not set", name)}
}

// failureOf turns any error into a Failure: what we do not know is tried again.
func failureOf(err error) *wire.Failure {
	if f, ok := errors.AsType[*wire.Failure](err); ok {
		return f
	}
	return &wire.Failure{Reason: err.Error()}
}

// meaning is what a service means by a code in a body.
type meaning struct {
	limited, permanent bool
	after              time.Duration
	hint               string
	unless             string // the message says this: then there are too many
}

// coded is the failure of an answer that carries a code; 0 is success, and a code that is
// not known is tried again.
func coded(name string, code int, message string, known map[int]meaning) error {
	if code == 0 {
		return nil
	}
	m := known[code]
	if m.unless != "" && strings.Contains(strings.ToLower(message), m.unless) {
		m = meaning{limited: true, after: time.Minute}
	}
	f := &wire.Failure{Reason: fmt.Sprintf("%s %d: %s", name, code, message), Limited: m.limited, Permanent: m.permanent, After: m.after}
	if m.hint != "" {
		f.Reason += ": " + m.hint
	}
	return f
}
