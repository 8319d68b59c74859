package slo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
	"github.com/seatrial/seatrial/slo/tally"
)

// Place is a service on one cluster, where it can be watched.
type Place struct {
	Service release.Service
	Env     release.Env
	Cluster string
	Project string
	Busy    bool      // a release occupies the slot: its gates watch, the alert is quiet
	Since   time.Time // when a release last came or went here; zero: long ago
}

// Breaches keeps which breaches were told, so that a restart tells none again.
type Breaches interface {
	// Load is every breach that has not ended.
	Load(ctx context.Context) ([]Breach, error)
	// Change stores b and queues its event in one transaction: both or neither. An event
	// whose ID was queued before is not queued again.
	Change(ctx context.Context, b Breach, e release.Event) error
}

// Watch looks after every SLO outside releases and tells a breach once, and its end once.
type Watch struct {
	SLOs       func(context.Context) ([]openslo.SLO, error)
	Places     func(context.Context) ([]Place, error)
	Prometheus *source.Prometheus
	Breaches   Breaches
	Now        func() time.Time
	Every      time.Duration // default 15s
	Memory     string        // file of what was counted, for the first round after a restart; empty: it counts anew
	Log        *slog.Logger

	tally  tally.Tally // of Round
	rounds int         // of Round
	kept   time.Time   // of Round: when Memory was written
	mu     sync.Mutex  // guards states
	states []State
}

// State is one SLO as it was last measured; GET /api/v1/slos answers these.
type State struct {
	Name      string          `json:"name"`
	Title     string          `json:"title"`
	Service   release.Service `json:"service"`
	Objective float64         `json:"objective"`
	Window    string          `json:"window"`
	Clusters  []ClusterState  `json:"clusters"`
}

// ClusterState is one SLO on one cluster.
type ClusterState struct {
	Cluster  string      `json:"cluster"`
	Env      release.Env `json:"env"`
	State    string      `json:"state"`              // one of the States below
	Code     Code        `json:"code"`               // why
	Problem  string      `json:"problem,omitempty"`  // of Unasked, in words
	Measured *float64    `json:"measured,omitempty"` // share of good events in the long window
	Burn     *float64    `json:"burn,omitempty"`
	Busy     bool        `json:"busy,omitempty"` // a release is being judged there
	At       time.Time   `json:"at"`
}

// States of an SLO on a cluster.
const (
	StateOK      = "ok"
	StateBreach  = "breach"
	StateTicket  = "ticket"  // the budget is lost slowly: that can wait until the morning
	StateNoData  = "nodata"  // Prometheus was asked and has no numbers
	StateUnasked = "unasked" // it could not be asked: nothing is known
)

// Run measures until ctx ends. What could not be asked is logged when that begins and
// when it ends, and changes no state.
func (w *Watch) Run(ctx context.Context) error {
	every := w.Every
	if every == 0 {
		every = 15 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failing := ""
	for {
		err := w.Round(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failing = w.report(failing, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (w *Watch) report(before string, err error) string {
	switch {
	case err != nil && err.Error() != before:
		w.Log.Warn("slo watch", "error", err.Error())
		return err.Error()
	case err == nil && before != "":
		w.Log.Info("slo watch", "state", "answers again")
		return ""
	}
	return before
}

// States is every SLO as it was last measured, by name.
func (w *Watch) States() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

// Round measures every SLO at every place once. One round goes on at a time.
func (w *Watch) Round(ctx context.Context) error {
	slos, err := w.SLOs(ctx)
	if err != nil {
		return fmt.Errorf("read SLOs: %w", err)
	}
	places, err := w.Places(ctx)
	if err != nil {
		return fmt.Errorf("read where services are: %w", err)
	}
	open, err := w.Breaches.Load(ctx)
	if err != nil {
		return fmt.Errorf("read open breaches: %w", err)
	}
	ask, now := newAsker(w.Prometheus), step(w.Now())
	w.remember(now)
	w.rounds++
	ask.tally, ask.first = &w.tally, w.rounds == 1
	var states []State
	var firstErr error
	followed := map[string]bool{}
	for i, o := range slos {
		slow := !ask.first && (w.rounds+i)%slowEvery == 0
		state := State{Name: o.Name, Title: o.Title, Service: o.Service, Objective: o.Objective, Window: o.Period(), Clusters: []ClusterState{}}
		for _, p := range places {
			if p.Service != o.Service {
				continue
			}
			for _, pair := range watched(o) {
				followed[Breach{SLO: o.Name, Cluster: p.Cluster, Ticket: pair.Severity == burn.Ticket}.Key()] = true
			}
			c, err := w.place(ctx, ask, o, p, open, slow, now)
			if err != nil && firstErr == nil {
				firstErr = err
			}
			state.Clusters = append(state.Clusters, c)
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Name, b.Name) })
	w.mu.Lock()
	w.states = states
	w.mu.Unlock()
	return cmp.Or(firstErr, w.leave(ctx, open, followed, now), w.keep(now))
}

// leave ends the breaches of what is not watched any more: they would last for ever, and be
// told again and again.
func (w *Watch) leave(ctx context.Context, open []Breach, followed map[string]bool, now time.Time) error {
	for _, b := range open {
		if followed[b.Key()] {
			continue
		}
		b.Ended = now
		e := told(openslo.SLO{Title: b.SLO}, b)
		e.Subject = fmt.Sprintf("%s: %s is not watched any more on %s", b.Service, b.SLO, b.Cluster)
		e.Reason = "the SLO was taken away, or the service has left the cluster; " + e.Reason
		if err := w.Breaches.Change(ctx, b, e); err != nil {
			return fmt.Errorf("tell of slo %s on %s: %w", b.SLO, b.Cluster, err)
		}
		w.Log.Info("slo", "slo", b.SLO, "service", b.Service, "cluster", b.Cluster, "watched", false)
	}
	return nil
}

// slowEvery is in how many rounds windows of days are looked at once: what can wait until the
// morning can wait for two minutes, and a start does not read days for all SLOs at once.
const slowEvery = 8

// place measures one SLO at one place and tells what changed. slow: the windows that can
// wait are looked at as well.
func (w *Watch) place(ctx context.Context, ask *asker, o openslo.SLO, p Place, open []Breach, slow bool, now time.Time) (ClusterState, error) {
	c := ClusterState{Cluster: p.Cluster, Env: p.Env, State: StateNoData, Code: CodeNoData, Busy: p.Busy, At: now.UTC()}
	pairs := watched(o)
	quiet := p.Busy || now.Sub(p.Since) < pairs[0].Short
	var worst *Breach
	for _, severity := range []burn.Severity{burn.Page, burn.Ticket} { // the worse first
		where := Breach{SLO: o.Name, Service: o.Service, Env: p.Env, Cluster: p.Cluster, Project: p.Project, Ticket: severity == burn.Ticket}
		before := find(open, where.Key())
		// Nothing could be told now: only the first pair is looked at, for the state.
		idle := quiet || where.Ticket && !slow || before == nil && (worst != nil || o.NoPage && !where.Ticket)
		var measured []Burning
		for _, pair := range pairs {
			if pair.Severity != severity || idle && pair != pairs[0] || breached(measured, o.Objective) {
				continue // one pair is enough
			}
			b, err := burning(ctx, ask, o, p.Cluster, pair, pair == pairs[0] || before != nil, now)
			if err != nil {
				c.State, c.Code, c.Problem = StateUnasked, CodeOf(err), err.Error()
				return c, err
			}
			measured = append(measured, b)
		}
		if len(measured) > 0 && measured[0].Pair == pairs[0] {
			c.describe(measured[0], o.Objective)
		}
		if !idle {
			var err error
			if before, err = w.tell(ctx, o, before, Alarm(before, where, measured, o.Objective, now)); err != nil {
				return c, err
			}
		}
		worst = cmp.Or(worst, before)
	}
	c.breached(worst)
	return c, nil
}

func breached(measured []Burning, objective float64) bool {
	return slices.ContainsFunc(measured, func(b Burning) bool { return b.Breached(objective) })
}

// tell stores what has changed and tells it. It answers the breach that is open then.
func (w *Watch) tell(ctx context.Context, o openslo.SLO, before, changed *Breach) (*Breach, error) {
	if changed == nil {
		return before, nil
	}
	if err := w.Breaches.Change(ctx, *changed, told(o, *changed)); err != nil {
		return before, fmt.Errorf("tell of slo %s on %s: %w", o.Name, changed.Cluster, err)
	}
	w.Log.Info("slo", "slo", o.Name, "service", o.Service, "cluster", changed.Cluster, "breach", changed.Ended.IsZero(), "ticket", changed.Ticket)
	if changed.Ended.IsZero() {
		return changed, nil
	}
	return nil, nil
}

func (c *ClusterState) breached(b *Breach) {
	switch {
	case b == nil:
	case b.Ticket:
		c.State, c.Code = StateTicket, CodeTicketBurn
	default:
		c.State, c.Code = StateBreach, CodePageBurn
	}
}

func (c *ClusterState) describe(b Burning, objective float64) {
	if b.NoData || b.Long.Total <= 0 {
		c.Code = cmp.Or(b.Code, CodeNoData)
		return
	}
	share, burn := Share(b.Long), Burn(b.Long, objective)
	if !math.IsNaN(share) && !math.IsInf(burn, 0) {
		c.State, c.Code, c.Measured, c.Burn = StateOK, CodeKept, &share, &burn
	}
}

// half is one of a pair's windows.
type half struct {
	length time.Duration
	into   *release.Ratio
}

// burning measures a pair, beginning with the window that is cheaper to read. When that does
// not burn the pair cannot call, whatever the other says: that is read only where both are
// wanted. A first round reads no long window that nothing is remembered of: it has enough to
// read, and the second comes soon.
func burning(ctx context.Context, ask *asker, o openslo.SLO, cluster string, p burn.Pair, both bool, now time.Time) (Burning, error) {
	b := Burning{Pair: p, Least: o.Least(p.Long, minAlertEvents)}
	at := func(length time.Duration) window {
		return window{slo: o, cluster: cluster, from: now.Add(-length), to: now, most: atOnce(p)}
	}
	halves := []half{{p.Short, &b.Short}, {p.Long, &b.Long}}
	if both || ask.cheap(at(p.Long)) {
		slices.Reverse(halves)
	}
	for _, half := range halves {
		w := at(half.length)
		if half.length == p.Long && ask.first && !both && !ask.cheap(w) {
			b.NoData, b.Code = true, CodeMeasuring
			return b, nil
		}
		queries, err := ask.queries(ctx, w)
		if errors.Is(err, tally.ErrNotYet) {
			b.NoData, b.Code = true, CodeMeasuring
			return b, nil
		}
		if err != nil {
			return b, err
		}
		m := read(queries, w.from, w.to, Settings{})
		m.problem(Settings{})
		if m.Problem != "" {
			b.NoData, b.Code = true, m.Code
			return b, nil
		}
		*half.into = m.Ratio
		if !both && !(Burn(m.Ratio, o.Objective) > p.Rate) {
			return b, nil
		}
	}
	return b, nil
}

// atOnce is how much of a pair's windows is read in one round when nothing of it is remembered;
// 0: all of it. What can wait until the morning may take some rounds.
func atOnce(p burn.Pair) time.Duration {
	if p.Severity == burn.Page {
		return 0
	}
	return max(3*time.Hour, p.Long/8)
}

func find(open []Breach, key string) *Breach {
	for i := range open {
		if open[i].Key() == key && open[i].Ended.IsZero() {
			return &open[i]
		}
	}
	return nil
}

// told is the event of a breach that begins or ends. Its ID follows from the breach, so
// that telling it twice is seen.
func told(o openslo.SLO, b Breach) release.Event {
	id := fmt.Sprintf("slo/%s/%d", b.Key(), b.Since.Unix())
	e := release.Event{
		ID: id + "/breach", Kind: release.EventBreach, At: b.Since, Service: b.Service, Env: b.Env, Project: b.Project,
		About: fmt.Sprintf("%s@%s", o.Title, b.Cluster), Subject: fmt.Sprintf("%s: %s is breached on %s", b.Service, o.Title, b.Cluster),
		Reason: fmt.Sprintf("%s of the events of the last %s were good, the objective is %s: the error budget burns %.1f times as fast as allowed",
			chance.Percent(b.Measured), burn.Span(b.Long), chance.Percent(o.Objective), b.Burn),
		Hint: "no release is under way there; look at the service, or roll back: seatrial release rollback",
	}
	e.Channels = o.Channels(b.severity())
	if b.Ticket {
		e.Severity, e.Hint = "warning", "nobody has to be woken: look for what has been failing for hours"
		e.Subject = fmt.Sprintf("%s: the error budget of %s is lost slowly on %s", b.Service, o.Title, b.Cluster)
	}
	if !b.Ended.IsZero() {
		e.ID, e.Kind, e.At, e.Hint = id+"/end", release.EventRecovered, b.Ended, ""
		e.Subject = fmt.Sprintf("%s: %s is kept again on %s", b.Service, o.Title, b.Cluster)
		e.Reason = fmt.Sprintf("the breach lasted %s", b.Ended.Sub(b.Since).Round(time.Second))
	}
	return e
}
