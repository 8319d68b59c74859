package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// entry is the last order for one service.
type entry struct {
	Signed  *wire.Signed `json:"signed"` // only on disk
	Held    wire.Held    `json:"held"`
	Settled bool         `json:"settled,omitempty"` // it was carried out to its end

	act     wire.Act
	want    live.Want // without its objects, which whole reads: the cluster's cache has them already
	touched time.Time // the last step, by whomever
	refused bool      // the cluster did not take it
}

// orders is what the server last told, on disk before it is obeyed. The files hold
// manifests, maybe Secrets: they are for the agent's user only.
type orders struct {
	dir    string
	holder wire.Holder

	mu  sync.Mutex // guards all and its entries
	all map[release.Service]*entry
}

// openOrders reads what is on disk. What the server has not signed, or for another
// cluster, is left out: somebody else has written it.
func openOrders(dir string, holder wire.Holder, log *slog.Logger) (*orders, error) {
	o := &orders{dir: dir, holder: holder, all: map[release.Service]*entry{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of desired state: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		e, err := o.read(f)
		if err != nil {
			log.Warn("desired state on disk is not used", "file", f, "error", err)
			continue
		}
		e.want.Objects = nil
		o.all[e.Held.Service] = e
	}
	return o, nil
}

func (o *orders) read(file string) (*entry, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	e := &entry{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, err
	}
	if e.Signed == nil {
		return nil, wire.ErrForged
	}
	order, held, err := o.holder.Take(*e.Signed, func(release.Service) wire.Held { return wire.Held{} })
	if err != nil {
		return nil, err
	}
	if filepath.Base(file) != fileOf(order.Want.Service) {
		return nil, fmt.Errorf("it is of %s", order.Want.Service)
	}
	e.Held.Service, e.Held.Seq, e.Held.Digest, e.Held.Hooks, e.Held.Revision = held.Service, held.Seq, held.Digest, held.Hooks, held.Revision
	e.Signed = nil
	return e, e.open(order)
}

func (e *entry) open(o wire.Order) (err error) {
	e.act = o.Act
	e.want, err = o.Want.Live()
	return err
}

// whole is what an order wants, read again from disk with its signature checked again.
func (o *orders) whole(e entry) (live.Want, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	got, err := o.read(filepath.Join(o.dir, fileOf(e.Held.Service)))
	if err != nil {
		return live.Want{}, fmt.Errorf("read what is wanted of %s: %w", e.Held.Service, err)
	}
	if got.Held.Seq != e.Held.Seq {
		return live.Want{}, fmt.Errorf("another order for %s has come", e.Held.Service)
	}
	return got.want, nil
}

func fileOf(s release.Service) string { return s.Team() + "." + s.Name() + ".json" }

// take checks an order and keeps it.
func (o *orders) take(s wire.Signed, now time.Time) (release.Service, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order, held, err := o.holder.Take(s, func(svc release.Service) wire.Held {
		if e := o.all[svc]; e != nil {
			return e.Held
		}
		return wire.Held{}
	})
	if err != nil {
		return "", err
	}
	if o.all[held.Service] == nil && len(o.all) >= wire.MaxHeld {
		return "", fmt.Errorf("the agent holds %d services already", len(o.all))
	}
	e := &entry{Signed: &s, Held: held, touched: now}
	if err := e.open(order); err != nil {
		return "", err
	}
	if err := o.keep(e); err != nil {
		return "", err
	}
	e.Signed, e.want.Objects = nil, nil
	o.all[held.Service] = e
	return held.Service, nil
}

func (o *orders) keep(e *entry) error {
	data, err := json.Marshal(e)
	if err == nil {
		err = secret.Keep(filepath.Join(o.dir, fileOf(e.Held.Service)), data)
	}
	if err != nil {
		return fmt.Errorf("keep what is wanted of %s: %w", e.Held.Service, err)
	}
	return nil
}

// of is a copy of a service's entry.
func (o *orders) of(s release.Service) (entry, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.all[s]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// list is a copy of all entries.
func (o *orders) list() []entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]entry, 0, len(o.all))
	for _, e := range o.all {
		out = append(out, *e)
	}
	return out
}

// stepped notes what a step of an order came to, unless another order has come meanwhile.
func (o *orders) stepped(was entry, res live.Result, err error, now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.all[was.Held.Service]
	if e == nil || e.Held.Seq != was.Held.Seq {
		return nil
	}
	e.touched = now
	e.refused = err == nil && res.State == live.Refused
	if err != nil || res.State != live.Synced || e.Settled {
		return nil
	}
	e.Settled = true
	return o.settle(e)
}

// settle notes on disk that an order was carried out to its end.
func (o *orders) settle(e *entry) error {
	data, err := os.ReadFile(filepath.Join(o.dir, fileOf(e.Held.Service)))
	kept := &entry{}
	if err == nil {
		err = json.Unmarshal(data, kept)
	}
	if err != nil {
		return fmt.Errorf("read what is wanted of %s: %w", e.Held.Service, err)
	}
	kept.Settled = true
	return o.keep(kept)
}

// step does one step of the order that is held of a service. The caller has its lock.
func (a *Agent) step(ctx context.Context, e entry, hooks bool) (res live.Result, err error) {
	w, err := a.orders.whole(e)
	if err != nil {
		return live.Result{}, err
	}
	w.Hooks = w.Hooks && hooks
	if e.act == wire.Withdraw {
		res, err = a.live.Withdraw(ctx, a.cluster, w)
	} else {
		res, err = a.live.Sync(ctx, a.cluster, w)
	}
	if kept := a.orders.stepped(e, res, err, a.cfg.Now()); err == nil {
		err = kept
	}
	return res, err
}
