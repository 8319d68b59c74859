package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

// held shows the orders as slots with one target each, so that deployer.Fleet heals them
// as it heals those of a server: with the same back-off and the same locks.
type held struct {
	orders  *orders
	cluster string
}

// label is what the one cluster is selected by.
const label = "seatrial.dev/agent"

func envOf(s release.Service) release.Env { return release.Env(s.Team() + "." + s.Name()) }

// Slots are the services. One whose order is not carried out to its end is occupied.
func (h held) Slots(context.Context) ([]release.Slot, error) {
	var out []release.Slot
	for _, e := range h.orders.list() {
		if e.act == wire.Sync {
			out = append(out, h.slot(e))
		}
	}
	return out, nil
}

// Slot is one service's.
func (h held) Slot(_ context.Context, s release.Service, _ release.Env) (release.Slot, error) {
	e, ok := h.orders.of(s)
	if !ok || e.act != wire.Sync {
		return release.Slot{Service: s}, nil
	}
	return h.slot(e), nil
}

func (h held) slot(e entry) release.Slot {
	s := release.Slot{Service: e.Held.Service, Env: envOf(e.Held.Service), Targets: map[string]release.Commit{h.cluster: e.Held.Revision}}
	if !e.Settled {
		s.Occupant = "order"
	}
	return s
}

// Environment has the rules of the service that it is named after.
func (h held) Environment(name release.Env) (release.Environment, bool) {
	e, ok := h.orders.of(release.Service(strings.Replace(string(name), ".", "/", 1)))
	wave := release.WaveSpec{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{label: h.cluster}}}
	return release.Environment{Spec: release.EnvironmentSpec{Prune: e.want.Prune, Sync: e.want.Rules, Waves: []release.WaveSpec{wave}}}, ok
}

// Project has none: what it would say is in the order.
func (h held) Project(string) (release.Project, bool) { return release.Project{}, false }

// Clusters is the one.
func (h held) Clusters() []release.Cluster {
	return []release.Cluster{{Meta: release.Meta{Name: h.cluster, Labels: map[string]string{label: h.cluster}}}}
}

// Read is the content of the order.
func (h held) Read(_ context.Context, _ release.DesiredState, s release.Service, revision release.Commit) (desired.Content, error) {
	e, ok := h.orders.of(s)
	if !ok || e.Held.Revision != revision {
		return desired.Content{}, fmt.Errorf("%s is not held at %s any more", s, revision.Short())
	}
	w, err := h.orders.whole(e)
	return desired.Content{Record: desired.Record{Namespace: w.Namespace}, Rendered: render.Rendered{Objects: w.Objects}, Revision: revision}, err
}

// Write is the server's.
func (h held) Write(context.Context, release.DesiredState, desired.Record, render.Rendered, string) (release.Commit, error) {
	return "", errServers
}

// Return is the server's.
func (h held) Return(context.Context, release.DesiredState, release.Service, release.Placed, release.ID, string) (release.Commit, error) {
	return "", errServers
}

var errServers = fmt.Errorf("an agent writes no desired state")

// fleet heals what the agent holds.
func (a *Agent) fleet() *deployer.Fleet {
	h := held{a.orders, a.cluster}
	return &deployer.Fleet{Platform: h, Slots: h.Slots, Slot: h.Slot, Desired: h, Live: a.live, Locks: &a.locks, Log: a.cfg.Log, Every: a.cfg.Every, Now: a.cfg.Now,
		Report: func(_ context.Context, d deployer.Healed) { a.report(d) },
		Place:  func(context.Context, release.Slot, deployer.Moved) error { return nil }}
}

const maxReports = 256 // heals that wait for the server; the oldest are forgotten

// report keeps a heal until the server can be told.
func (a *Agent) report(d deployer.Healed) {
	h := wire.Healed{Service: d.Service, Revision: d.Revision, Objects: d.Objects, At: d.At, Took: d.Took}
	if d.Err != nil {
		h.Error = d.Err.Error()
	}
	a.cfg.Log.Info("healed", "service", h.Service, "objects", h.Objects, "error", h.Error)
	a.mu.Lock()
	if len(a.heals) == maxReports {
		a.heals = a.heals[1:]
	}
	a.heals = append(a.heals, h)
	a.mu.Unlock()
	select {
	case a.healed <- struct{}{}:
	default:
	}
}

const (
	driven = 10 * time.Second // an order that the server drives is left to it for so long
	goOn   = 2 * time.Second
)

// finish goes on with orders whose server went away in the middle.
func (a *Agent) finish(ctx context.Context) error {
	tick := time.NewTicker(goOn)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, e := range a.orders.list() {
			if !e.Settled && !e.refused && a.cfg.Now().Sub(e.touched) > driven {
				a.finishOne(ctx, e.Held.Service)
			}
		}
	}
}

func (a *Agent) finishOne(ctx context.Context, s release.Service) {
	ctx, cancel := context.WithTimeout(ctx, wire.Longest)
	defer cancel()
	unlock, err := a.locks.Lock(ctx, a.cluster, s)
	if err != nil {
		return
	}
	defer unlock()
	e, ok := a.orders.of(s)
	if !ok || e.Settled || e.refused {
		return
	}
	if res, err := a.step(ctx, e, true); err != nil || res.State == live.Refused {
		a.cfg.Log.Warn("go on with an order", "service", s, "state", res.State, "message", res.Message)
	}
}
