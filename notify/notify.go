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
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// State is what became of a message.
type State string

// The states of a message.
const (
	Pending State = "pending"
	Sent    State = "sent"
	Dead    State = "dead" // given up: Reason says why; nothing sends it again
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
	Told     time.Time     `json:"told,omitzero"`
}

// Plan says which messages an event becomes: one for each channel of the project that
// wants its kind. A commit's status needs a commit; a channel that is named but does not
// exist is passed over.
func Plan(e release.Event, project release.Project, channels map[string]release.Channel) []Message {
	var messages []Message
	for _, name := range project.Spec.Channels {
		c, ok := channels[name]
		if !ok || !slices.Contains(c.Spec.Events, e.Kind) || c.Spec.Type == typeStatus && (e.Commit == "" || e.Repo == "") {
			continue
		}
		m := Message{ID: e.ID + "@" + name, Channel: name, Event: e, State: Pending, Due: heldBack(c.Spec.Quiet, e)}
		if !slices.ContainsFunc(messages, func(o Message) bool { return o.ID == m.ID }) {
			messages = append(messages, m)
		}
	}
	return messages
}

// Inbox is where events wait until somebody has planned them.
type Inbox interface {
	// Events lists up to limit events that are not planned yet.
	Events(ctx context.Context, limit int) ([]release.Event, error)
	// Plan stores those messages that were never stored, in whatever state, and forgets
	// the event; both or nothing.
	Plan(ctx context.Context, e release.Event, messages []Message) error
}

// Outbox keeps messages. Those sent or dead have to be kept for as long as their event
// may be told again.
type Outbox interface {
	// Pending lists up to limit messages in the state Pending.
	Pending(ctx context.Context, limit int) ([]Message, error)
	// Save replaces stored messages, at most 50, in one transaction.
	Save(ctx context.Context, messages ...Message) error
}

// Directory finds who wants to know; the platform repo says it.
type Directory interface {
	// Project is the project an event belongs to; false: nobody's.
	Project(e release.Event) (release.Project, bool)
	// Channels are all channels by name; nobody changes the map afterwards.
	Channels() map[string]release.Channel
}
