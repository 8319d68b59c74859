package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/notify/silence"
	"github.com/seatrial/seatrial/release"
)

// Silences knows what nobody wants to hear.
type Silences interface {
	// Active lists the silences that hold messages back at now.
	Active(ctx context.Context, now time.Time) ([]release.Silence, error)
	// Hold puts pending messages away until s ends, at most 20. A silence that is not at its
	// version any more is an error: it may have been ended.
	Hold(ctx context.Context, s release.Silence, messages ...Message) error
}

const maxHold = 20

// hush puts away what is silenced, ends what was over before its silence was, and returns
// the rest. What spared says is left alone: messages of a lane that is busy are its own, and
// a commit's status disturbs nobody.
func (n *Notifier) hush(ctx context.Context, pending []Message, spared func(Message) bool, now time.Time) ([]Message, error) {
	if n.config.Silences == nil {
		return pending, nil
	}
	active, err := n.config.Silences.Active(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("list silences: %w", err)
	}
	silences, over := silence.Read(active, now), overMeanwhile(pending)
	var rest, ended []Message
	held, by := map[string][]Message{}, map[string]release.Silence{}
	for _, m := range pending {
		s, silenced := silencedBy(silences, m)
		switch {
		case spared(m):
			rest = append(rest, m)
		case silenced:
			by[s.ID] = s
			m.Silence, m.Reason, m.Held, m.Tried = s.ID, fmt.Sprintf("silenced by %s: %s", s.By, s.Reason), s.Until, time.Time{}
			held[s.ID] = append(held[s.ID], m)
		case over[m.ID]:
			m.State, m.Told = Silenced, now
			ended = append(ended, m)
		default:
			rest = append(rest, m)
		}
	}
	for id, messages := range held {
		for part := range slices.Chunk(messages, maxHold) {
			if err := n.config.Silences.Hold(ctx, by[id], part...); err != nil {
				return nil, fmt.Errorf("hold messages back: %w", err)
			}
		}
	}
	for part := range slices.Chunk(ended, maxHold) {
		if err := n.config.Outbox.Save(ctx, part...); err != nil {
			return nil, fmt.Errorf("end silenced messages: %w", err)
		}
	}
	return rest, nil
}

// silencedBy finds the silence that is the last to end of a message, or of the trouble that it
// ends: the end alone would say nothing, and be gone when the trouble is told.
func silencedBy(active silence.Active, m Message) (release.Silence, bool) {
	last, silenced := active.Of(Labels(m.Event, m.Team))
	if m.Event.Kind == release.EventVerified {
		return last, silenced
	}
	for _, trouble := range troubles(m.Event) {
		if s, ok := active.Of(Labels(trouble, m.Team)); ok && s.Until.After(last.Until) {
			last, silenced = s, true
		}
	}
	return last, silenced
}

// overMeanwhile finds trouble that began and ended in a silence, and its end: nobody has
// to hear of either. Trouble that was told before its silence began has its end told.
func overMeanwhile(pending []Message) map[string]bool {
	type place struct{ channel, thread string }
	began := map[place][]Message{}
	over := map[string]bool{}
	for _, m := range pending { // oldest first
		if m.Silence == "" {
			continue
		}
		name, ends := Thread(m.Event)
		at := place{m.Channel, name}
		if !ends {
			began[at] = append(began[at], m)
			continue
		}
		for _, b := range began[at] {
			over[b.ID], over[m.ID] = true, true
		}
		delete(began, at)
	}
	return over
}
