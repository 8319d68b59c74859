package notify

import (
	"context"
	"time"

	"github.com/seatrial/seatrial/notify/wire"
)

// lane is the way to one address: in order, one message at a time, within its rate.
// While busy it belongs to the goroutine that delivers, else to Run's.
type lane struct {
	config  Config
	sender  sender
	failure *wire.Failure // why there is no sender
	digests bool
	rate    rates
	busy    bool
	limited int                // how often there was no room, since something was taken
	blocked time.Time          // the other side was not well: nothing before then
	told    map[string]Message // sent or dead, but the outbox did not take it: never send again
}

// deliver sends a batch of due messages, oldest first, until it is done, the rate is
// used up or one fails for now. A group is one message; more of them than the rate allows
// become one digest.
func (l *lane) deliver(ctx context.Context, batch []Message) {
	if batch = l.settle(ctx, batch); len(batch) == 0 {
		return
	}
	free := l.rate.free(time.Now())
	bundles := l.bundle(batch)
	if l.digests && len(bundles) > free {
		l.attempt(ctx, batch[:min(len(batch), maxDigest)])
		return
	}
	for _, together := range bundles[:min(free, len(bundles))] {
		if ctx.Err() != nil || !l.attempt(ctx, together) {
			return
		}
	}
}

// bundle puts messages of one group together, where the first of them stands.
func (l *lane) bundle(batch []Message) [][]Message {
	var out [][]Message
	at := map[string]int{}
	for _, m := range batch {
		i, ok := at[m.Group]
		if m.Group == "" || !l.digests || !ok || len(out[i]) == maxDigest {
			at[m.Group] = len(out)
			out = append(out, []Message{m})
			continue
		}
		out[i] = append(out[i], m)
	}
	return out
}

// settle saves what was sent before but not saved, and returns what is left to send.
func (l *lane) settle(ctx context.Context, batch []Message) []Message {
	var left []Message
	for _, m := range batch {
		if sent, ok := l.told[m.ID]; !ok {
			left = append(left, m)
		} else if l.config.Outbox.Save(ctx, sent) == nil {
			delete(l.told, m.ID)
		} else {
			l.blocked = time.Now().Add(unsaved)
			return nil
		}
	}
	return left
}

// unsaved is how long a lane waits for an outbox that answers and takes nothing, as on a
// full disk.
const unsaved = 5 * time.Second

// attemptTimeout bounds one delivery, of several requests where it takes several.
const attemptTimeout = 30 * time.Second

// attempt sends messages as one and saves what became of them; false: the lane has to
// wait.
func (l *lane) attempt(ctx context.Context, messages []Message) bool {
	failure := l.failure
	if failure == nil {
		sending, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := l.sender.send(sending, messages)
		cancel()
		l.rate.used(time.Now())
		if err != nil {
			failure = failureOf(err)
		}
	}
	if failure != nil && ctx.Err() != nil {
		return false // we were interrupted: that says nothing about the message
	}
	if failure != nil && failure.Limited {
		l.limited++
	} else {
		l.limited = 0
	}
	for i := range messages {
		messages[i] = l.after(messages[i], failure, time.Now())
	}
	// What was sent is saved even when we are being stopped: it must not be sent again.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.config.Outbox.Save(saving, messages...); err != nil {
		l.config.Log.Warn("outbox", "message", messages[0].ID, "error", err)
		if saved := time.Now().Add(unsaved); saved.After(l.blocked) {
			l.blocked = saved
		}
		for _, m := range messages {
			if m.State != Pending {
				l.told[m.ID] = m
			}
		}
		return false
	}
	return failure == nil || failure.Permanent
}

// after is the message once it was tried.
func (l *lane) after(m Message, f *wire.Failure, now time.Time) Message {
	if f == nil {
		m.State, m.Told, m.Reason, m.Due = Sent, now, "", time.Time{}
		return m
	}
	if !f.Limited {
		m.Attempts++
	}
	if m.Tried.IsZero() {
		m.Tried = now
	}
	m.Reason = f.Reason
	tooOld := now.Sub(m.Tried) > l.config.MaxAge
	if f.Permanent || tooOld || m.Attempts >= l.config.MaxAttempts {
		m.State = Dead
		l.config.Log.Warn("message dead", "message", m.ID, "channel", m.Channel, "attempts", m.Attempts, "reason", m.Reason)
		return m
	}
	m.Due = now.Add(max(backOff(max(m.Attempts, l.limited)), f.After))
	l.blocked = m.Due
	return m
}

// backOff doubles from one second to ten minutes.
func backOff(attempts int) time.Duration {
	return min(time.Second<<min(max(attempts-1, 0), 20), 10*time.Minute)
}
