package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/notify/route"
	"github.com/seatrial/seatrial/notify/silence"
	"github.com/seatrial/seatrial/release"
)

// Matters remembers trouble that has not ended.
type Matters interface {
	// Matter is one by its id; one that nobody has seen is empty.
	Matter(ctx context.Context, id string) (escalation.Matter, error)
	// Open lists those that last.
	Open(ctx context.Context) ([]escalation.Matter, error)
	// Step keeps a matter that is still at its version, and the messages; all or nothing.
	Step(ctx context.Context, m escalation.Matter, messages ...Message) error
}

// follow opens or ends the matter of an event. It is kept before the event is planned: a
// crash in between finds it as it is.
func (n *Notifier) follow(ctx context.Context, e release.Event, team string, routes []release.Route) error {
	name, ends := Thread(e)
	hasEnd := slices.Contains([]release.EventKind{release.EventBreach, release.EventAlert, release.EventFailed, release.EventRolledBack, release.EventHeld, release.EventHot}, e.Kind)
	if n.config.Matters == nil || !ends && !hasEnd {
		return nil
	}
	id := threadKey(e)
	m, err := n.config.Matters.Matter(ctx, id)
	if err != nil {
		return fmt.Errorf("matter %s: %w", name, err)
	}
	if m, changed := escalation.Follow(m, id, team, e, ends, route.For(existing(e, n.config.Directory.Channels()), route.Choose(routes, Labels(e, team)))); changed {
		return n.config.Matters.Step(ctx, m, n.over(m, e)...)
	}
	return nil
}

// escalate tells of trouble that lasts. What somebody has silenced is in somebody's hands:
// it goes on when the silence is over.
func (n *Notifier) escalate(ctx context.Context, now time.Time) error {
	if n.config.Matters == nil {
		return nil
	}
	open, err := n.config.Matters.Open(ctx)
	if err != nil {
		return fmt.Errorf("list open matters: %w", err)
	}
	var active []release.Silence
	if n.config.Silences != nil && len(open) > 0 {
		if active, err = n.config.Silences.Active(ctx, now); err != nil {
			return fmt.Errorf("list silences: %w", err)
		}
	}
	silences := silence.Read(active, now)
	for _, m := range open {
		if _, silenced := silences.Of(Labels(m.Event, m.Team)); silenced {
			continue
		}
		names, after := escalation.Next(m, now)
		if len(names) == 0 {
			continue
		}
		err := n.config.Matters.Step(ctx, after, n.again(after, names, now)...)
		if err != nil && !errors.Is(err, release.ErrStale) { // it may have ended meanwhile
			return fmt.Errorf("escalate %s: %w", m.Event.ID, err)
		}
	}
	return nil
}

// over are the messages that tell of an end those who heard of the trouble later than the
// others: no route has it go there.
func (n *Notifier) over(m escalation.Matter, e release.Event) []Message {
	var out []Message
	for _, name := range escalation.Heard(m) {
		if c, ok := n.config.Directory.Channels()[name]; ok && slices.Contains(c.Spec.Events, e.Kind) {
			out = append(out, Message{ID: e.ID + "@" + name, Channel: name, Event: e, State: Pending, Team: m.Team, Due: heldBack(c.Spec.Quiet, e)})
		}
	}
	return out
}

// again are the messages that tell of a matter once more.
func (n *Notifier) again(m escalation.Matter, names []string, now time.Time) []Message {
	e := m.Event
	e.Reason = strings.TrimSuffix(fmt.Sprintf("it has not ended for %v: %s", now.Sub(e.At).Round(time.Second), e.Reason), ": ")
	var out []Message
	for _, name := range names {
		c, ok := n.config.Directory.Channels()[name]
		if !ok || !slices.Contains(c.Spec.Events, e.Kind) {
			continue
		}
		at := e
		at.At = now // quiet hours ask when it is told
		out = append(out, Message{ID: fmt.Sprintf("%s#%d@%s", e.ID, m.Told, name), Channel: name, Event: e, State: Pending, Team: m.Team, Due: heldBack(c.Spec.Quiet, at), Held: now})
	}
	return out
}
