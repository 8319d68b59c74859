package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// Config is what a Notifier needs. Zero fields of the second group mean the default.
type Config struct {
	Inbox     Inbox
	Outbox    Outbox
	Directory Directory
	Secret    func(name string) secret.Text // by Channel.Spec.URLSecret; a key beside it is NAME-key
	Tickets   TicketStore                   // nil: messages to Jira become dead letters
	Status    Status                        // nil: commit statuses become dead letters
	Silences  Silences                      // nil: there are none
	Matters   Matters                       // nil: nothing is repeated and nothing escalates

	Console     string        // base URL for links; empty: none
	Client      *http.Client  // default: NewClient
	Log         *slog.Logger  // default: none
	Poll        time.Duration // how often to look; default 1s
	MaxAttempts int           // default 12, about half an hour
	MaxAge      time.Duration // since a message was tried first; default 24h
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Inbox == nil || c.Outbox == nil || c.Directory == nil || c.Secret == nil {
		return errors.New("notify: want an inbox, an outbox, a directory and secrets")
	}
	return nil
}

// Notifier delivers messages.
type Notifier struct {
	config Config
	lanes  map[string]*lane // by address; only Run's goroutine reads or writes the map
	wake   chan struct{}
}

// New makes a Notifier.
func New(c Config) (*Notifier, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Client == nil {
		c.Client = wire.NewClient()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 12)
	c.MaxAge = cmp.Or(c.MaxAge, 24*time.Hour)
	if c.Status == nil {
		c.Status = func(context.Context, release.Event) error {
			return &wire.Failure{Reason: "no forge is configured for commit statuses", Permanent: true}
		}
	}
	return &Notifier{config: c, lanes: map[string]*lane{}, wake: make(chan struct{}, 1)}, nil
}

// Wake makes Run look at once instead of at its next poll. It never blocks.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

const (
	maxEvents  = 200
	maxPending = 200 // of each channel
	maxDigest  = 50
)

// Run plans and delivers until ctx ends, and then waits for what is being sent. A store
// that does not answer is asked again.
func (n *Notifier) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	finished := make(chan *lane)
	defer func() { // a lane that ends after us still needs a reader
		go func() { sending.Wait(); close(finished) }()
		for range finished {
		}
	}()
	broken := false
	for {
		err := n.round(ctx, func(l *lane, batch []Message) {
			sending.Go(func() { l.deliver(ctx, batch); finished <- l })
		})
		if ctx.Err() != nil {
			return nil
		}
		if failed := err != nil; failed != broken { // log the change, not every poll
			broken = failed
			n.config.Log.Warn("outbox", "answers", !failed, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case l := <-finished:
			l.busy = false
			free(finished)
		case <-n.wake:
		case <-time.After(n.config.Poll):
		}
	}
}

// free takes every other lane that has finished as well: a look reads all that waits.
func free(finished <-chan *lane) {
	for {
		select {
		case l := <-finished:
			l.busy = false
		default:
			return
		}
	}
}

// round plans new events and starts every lane that has something to send, also when an
// event cannot be planned.
func (n *Notifier) round(ctx context.Context, start func(*lane, []Message)) error {
	return errors.Join(n.plan(ctx), n.escalate(ctx, time.Now()), n.deliver(ctx, start))
}

func (n *Notifier) deliver(ctx context.Context, start func(*lane, []Message)) error {
	now := time.Now()
	pending, err := n.config.Outbox.Pending(ctx, now, maxPending)
	if err != nil {
		return fmt.Errorf("list pending messages: %w", err)
	}
	slices.SortFunc(pending, func(a, b Message) int {
		return cmp.Or(a.Event.At.Compare(b.Event.At), cmp.Compare(a.ID, b.ID))
	})
	channels := n.config.Directory.Channels()
	spared := func(m Message) bool {
		return channels[m.Channel].Spec.Type == typeStatus || n.lane(m, channels).busy
	}
	pending, err = n.hush(ctx, pending, spared, now)
	if err != nil {
		return err
	}
	batches, used := map[*lane][]Message{}, map[*lane]bool{}
	for _, m := range pending {
		l := n.lane(m, channels)
		used[l] = true
		if !l.busy && !m.Due.After(now) && !l.blocked.After(now) {
			batches[l] = append(batches[l], m)
		}
	}
	for l, batch := range batches {
		if l.rate.free(now) > 0 {
			l.busy = true
			start(l, batch)
		}
	}
	maps.DeleteFunc(n.lanes, func(key string, l *lane) bool {
		return strings.HasPrefix(key, typeStatus) && !l.busy && !used[l] && !l.blocked.After(now)
	})
	return nil
}

func (n *Notifier) plan(ctx context.Context) error {
	events, err := n.config.Inbox.Events(ctx, maxEvents)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	channels := n.config.Directory.Channels()
	slices.SortFunc(events, func(a, b release.Event) int { return a.At.Compare(b.At) })
	var tooBig error
	for _, e := range events {
		project, _ := n.config.Directory.Project(e)
		routes := n.config.Directory.Routes(project.Spec.Team)
		if err := n.follow(ctx, e, project.Spec.Team, routes); err != nil {
			return fmt.Errorf("follow %s: %w", e.ID, err)
		}
		err := n.keep(ctx, e, Plan(e, project, channels, routes...))
		switch {
		case errors.Is(err, release.ErrTooBig): // it never fits: the others do not wait for it
			tooBig = fmt.Errorf("plan event %s: %w", e.ID, err)
		case err != nil:
			return fmt.Errorf("plan event %s: %w", e.ID, err)
		}
	}
	return tooBig
}

// keep stores the messages of an event and when their groups are told.
func (n *Notifier) keep(ctx context.Context, e release.Event, messages []Message) error {
	known := map[string]Group{}
	for _, m := range messages {
		if m.joins == nil {
			continue
		}
		g, err := n.config.Inbox.Group(ctx, m.Group)
		if err != nil {
			return err
		}
		known[m.Group] = g
	}
	groups := join(messages, known, time.Now())
	return n.config.Inbox.Plan(ctx, e, messages, groups...)
}

// lane finds the lane of a channel's address, made anew when the channel has changed.
// Channels with one address share its rate. Statuses go in order within a commit only: a
// commit that its forge does not know any more holds up no other.
func (n *Notifier) lane(m Message, channels map[string]release.Channel) *lane {
	c, ok := channels[m.Channel]
	key, w := n.way(m.Channel, c.Spec, ok, channels)
	if key == typeStatus {
		key += " " + m.Event.Repo + "@" + string(m.Event.Commit)
	}
	l := n.lanes[key]
	if l == nil {
		l = &lane{config: n.config, rate: w.rate, told: map[string]Message{}}
		n.lanes[key] = l
	}
	if !l.busy {
		l.sender, l.failure, l.digests = w.sender, w.failure, w.digests
	}
	return l
}
