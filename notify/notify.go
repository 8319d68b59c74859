// Package notify tells people and systems what happened: a chat group, a webhook, the
// status of a commit on the forge.
//
// Start at Plan, which says who is told what, then Notifier.Run, which delivers from a
// durable outbox. Every message is sent at least once, or ends as a dead letter with a
// reason; the same event is planned once only. The package never decides what is worth
// telling, and it never shows an address: addresses are secrets.
package notify

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/notify/route"
	"github.com/seatrial/seatrial/release"
)

// State is what became of a message.
type State string

// The states of a message.
const (
	Pending State = "pending"
	Sent    State = "sent"
	Dead    State = "dead" // given up: Reason says why; nothing sends it again

	Silenced State = "silenced" // it was over before its silence was: Reason says whose
)

// Message is one event for one channel.
type Message struct {
	ID       string        `json:"id"` // of the event and the channel: the same event makes the same message
	Channel  string        `json:"channel"`
	Event    release.Event `json:"event"`
	State    State         `json:"state"`
	Attempts int           `json:"attempts,omitempty"`
	Due      time.Time     `json:"due,omitzero"`     // not to be sent before
	Reason   string        `json:"reason,omitempty"` // of the last failure, without addresses
	Tried    time.Time     `json:"tried,omitzero"`   // first, in vain
	Told     time.Time     `json:"told,omitzero"`
	Team     string        `json:"team,omitempty"`
	Group    string        `json:"group,omitempty"`   // messages that are told together; empty: by itself
	Silence  string        `json:"silence,omitempty"` // the last that held it back
	Held     time.Time     `json:"held,omitzero"`     // until then

	joins *release.Route // of a group that the message has not joined yet
}

// Group is when what belongs together was, or will be, told at last.
type Group struct {
	Key     string           `json:"-"`
	Last    time.Time        `json:"last"`
	Version release.Revision `json:"-"` // 0: there was none
}

// join gives each message of a group its time, no earlier than its quiet hours allow, and
// returns the groups as they are then.
func join(messages []Message, known map[string]Group, now time.Time) []Group {
	for i := range messages {
		m := &messages[i]
		if m.joins == nil {
			continue
		}
		g := known[m.Group]
		g.Last = route.Join(*m.joins, g.Last, now)
		known[m.Group] = g
		if m.Due.Before(g.Last) {
			m.Due = g.Last
		}
	}
	return slices.Collect(maps.Values(known))
}

// Inbox is where events wait until somebody has planned them.
type Inbox interface {
	// Events lists up to limit events that are not planned yet.
	Events(ctx context.Context, limit int) ([]release.Event, error)
	// Group is a group by its key; one that nobody has seen is empty.
	Group(ctx context.Context, key string) (Group, error)
	// Plan stores those messages that were never stored, in whatever state, and the groups,
	// and forgets the event; all or nothing. A group that is not at its version any more is
	// an error: read it again.
	Plan(ctx context.Context, e release.Event, messages []Message, groups ...Group) error
}

// Outbox keeps messages. Those sent or dead have to be kept for as long as their event
// may be told again.
type Outbox interface {
	// Pending lists messages in the state Pending that are due at now, up to limit of each
	// channel: those that wait, or whose channel does not answer, hide nobody else's.
	Pending(ctx context.Context, now time.Time, limit int) ([]Message, error)
	// Save replaces stored messages, at most 50, in one transaction.
	Save(ctx context.Context, messages ...Message) error
}

// Directory finds who wants to know; the platform repo says it.
type Directory interface {
	// Project is the project an event belongs to; false: nobody's.
	Project(e release.Event) (release.Project, bool)
	// Channels are all channels by name; nobody changes the map afterwards.
	Channels() map[string]release.Channel
	// Routes are a team's, in their order; none: its projects' channels are told of all.
	Routes(team string) []release.Route
}
