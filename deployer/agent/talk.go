package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/hint"
)

// errRenewed ends a stream so that the next one begins with the new certificate.
var errRenewed = errors.New("the certificate was renewed")

// talk is one stream, until it ends.
func (a *Agent) talk(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	id := a.identity()
	conn, err := a.dial(id.tls())
	if err != nil {
		return err
	}
	defer conn.Close()
	late := time.AfterFunc(wire.Dialling, cancel)
	defer late.Stop()
	stream, err := wire.OpenStream(ctx, conn)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&wire.Report{Hello: a.hello()}); err != nil {
		return errors.Join(err, stream.RecvMsg(new(wire.Message)))
	}
	first := new(wire.Message)
	if err := stream.RecvMsg(first); err != nil {
		return err
	}
	if first.Welcome == nil || !late.Stop() {
		return errors.New("the server gave no welcome")
	}
	a.cfg.Log.Info("connected", "server", a.cfg.Server, "resumed", first.Welcome.After > 0)
	answers := make(chan *wire.Answer, atOnce)
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, cancel) // when one ends, the stream does
	defer stop()
	g.Go(func() error { return a.tell(ctx, stream, first.Welcome.After, answers) })
	g.Go(func() error { return a.listen(ctx, stream, answers) })
	g.Go(func() error { return a.keepIdentity(ctx, conn, id) })
	return g.Wait()
}

func (a *Agent) hello() *wire.Hello {
	h := &wire.Hello{Version: a.cfg.Version, Epoch: a.table.epoch, Revision: a.table.now()}
	for _, e := range a.orders.list() {
		h.Held = append(h.Held, e.Held)
	}
	return h
}

// tell sends answers as they come, and what changed in between.
func (a *Agent) tell(ctx context.Context, stream grpc.ClientStream, after uint64, answers <-chan *wire.Answer) error {
	list, begun := after == 0, uint64(0)
	for {
		if !a.table.can(max(after, begun)) {
			list = true // deletions are not known any more: all over again
		}
		if list {
			after, begun = 0, a.table.now()
		}
		state := a.table.after(after, begun)
		if list && state == nil {
			state = &wire.State{Current: true} // nothing is there
		}
		if state != nil {
			state.List, list = list, false
			if err := stream.SendMsg(&wire.Report{State: state}); err != nil {
				return err
			}
			after = state.Revision
		}
		for _, h := range a.reports() {
			if err := stream.SendMsg(&wire.Report{Healed: &h}); err != nil {
				return err
			}
		}
		var more <-chan struct{} = a.table.bell
		if state != nil && !state.Current {
			more = always()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case got := <-answers:
			if err := stream.SendMsg(&wire.Report{Answer: got}); err != nil {
				return err
			}
		case <-more:
		case <-a.healed:
		}
	}
}

func always() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// reports takes the heals that wait.
func (a *Agent) reports() []wire.Healed {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.heals
	a.heals = nil
	return all
}

// listen takes what the server asks. Orders are checked and kept in the order of coming;
// the work is done beside.
func (a *Agent) listen(ctx context.Context, stream grpc.ClientStream, answers chan<- *wire.Answer) error {
	for {
		m := new(wire.Message)
		if err := stream.RecvMsg(m); err != nil {
			return err
		}
		switch {
		case m.Scripts != nil:
			a.mu.Lock()
			a.scripts = *m.Scripts
			a.mu.Unlock()
		case m.Ask != nil:
			a.take(ctx, m.Ask, answers)
		}
	}
}

// take begins to answer an ask. What was begun goes on when the stream is cut: an order
// that is half applied helps nobody.
func (a *Agent) take(ctx context.Context, ask *wire.Ask, answers chan<- *wire.Answer) {
	reply := func(got wire.Answer) {
		got.ID = ask.ID
		select {
		case answers <- &got:
		case <-ctx.Done(): // nobody waits for it any more
		}
	}
	do, err := a.prepare(ask)
	if err != nil {
		reply(failed(err))
		return
	}
	select {
	case a.busy <- struct{}{}:
	default:
		reply(failed(fmt.Errorf("the agent works on %d questions already", atOnce)))
		return
	}
	a.work.Go(func() {
		defer func() { <-a.busy }()
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(0, min(ask.Within, wire.Longest)))
		defer cancel()
		reply(do(work))
	})
}

func failed(err error) wire.Answer { return wire.Answer{Error: err.Error(), Hint: hint.Of(err)} }

// prepare keeps an order before anything is done for it.
func (a *Agent) prepare(ask *wire.Ask) (func(context.Context) wire.Answer, error) {
	switch {
	case ask.Order != nil:
		s, err := a.orders.take(*ask.Order, a.cfg.Now())
		if err != nil {
			a.cfg.Log.Warn("order refused", "error", err)
			return nil, hint.Add(err, "if the server has lost its agents folder, enrol the agent again")
		}
		e, _ := a.orders.of(s)
		return func(ctx context.Context) wire.Answer {
			return a.obey(ctx, wire.Again{Service: s, Seq: e.Held.Seq, Hooks: true})
		}, nil
	case ask.Again != nil:
		return func(ctx context.Context) wire.Answer { return a.obey(ctx, *ask.Again) }, nil
	case ask.Question != nil:
		return func(ctx context.Context) wire.Answer { return a.look(ctx, *ask.Question) }, nil
	}
	return nil, errors.New("this agent does not know what it is asked: it is older than the server")
}

// obey does one step of an order that is held.
func (a *Agent) obey(ctx context.Context, g wire.Again) wire.Answer {
	unlock, err := a.locks.Lock(ctx, a.cluster, g.Service)
	if err != nil {
		return failed(fmt.Errorf("wait for the agent's own work on %s: %w", g.Service, err))
	}
	defer unlock()
	e, ok := a.orders.of(g.Service)
	if !ok || e.Held.Seq != g.Seq {
		return wire.Answer{Unknown: true}
	}
	res, err := a.step(ctx, e, g.Hooks)
	if err != nil {
		return failed(err)
	}
	return wire.Answer{Result: &res}
}

// look answers a question; it changes nothing.
func (a *Agent) look(ctx context.Context, q wire.Question) wire.Answer {
	switch q.About {
	case wire.Reach:
		state, message := a.live.Reach(ctx, a.cluster)
		return wire.Answer{State: state, Message: message}
	case wire.Scope:
		namespaced, known := a.live.Scope(a.cluster)(schema.GroupVersionKind{Group: q.Group, Version: q.Version, Kind: q.Kind})
		return wire.Answer{Namespaced: namespaced, Known: known}
	case wire.Scalers:
		return a.scalers(ctx)
	}
	w, known, err := a.wanted(q)
	if err != nil {
		return failed(err)
	}
	if !known {
		return wire.Answer{Unknown: true}
	}
	var got wire.Answer
	switch q.About {
	case wire.Health:
		var res live.Result
		res, err = a.live.Health(ctx, a.cluster, w, q.Since)
		got.Result = &res
	case wire.Drift:
		got.Objects, err = a.live.Drifted(ctx, a.cluster, w)
	case wire.Diff:
		got.Differences, err = a.live.Diff(ctx, a.cluster, w)
		if size := sizeOf(got.Differences); size > wire.MaxReport/2 {
			err = fmt.Errorf("the differences are %d MiB long, more than an agent sends", size>>20)
		}
	case wire.Tree:
		var grown tree.Tree // bounded by tree.Limit
		grown, err = a.live.Resources(ctx, a.cluster, w)
		got.Tree = &grown
	case wire.Details:
		if q.Object == nil {
			return failed(errors.New("the question names no object"))
		}
		var about details.Details // bounded by its limits
		about, err = a.live.Details(ctx, a.cluster, w, *q.Object)
		got.Details = &about
	default:
		err = fmt.Errorf("this agent does not know the question %q: it is older than the server", q.About)
	}
	if err != nil {
		return failed(err)
	}
	return got
}

// scalers are the cluster's autoscalers of ours, as far as an answer holds them.
func (a *Agent) scalers(ctx context.Context) wire.Answer {
	all, err := autoscale.From(a.cfg.Kube)(ctx, a.cluster)
	if err != nil {
		return failed(err)
	}
	got := wire.Answer{Scalers: all}
	if text, err := json.Marshal(got); err != nil || len(text) > wire.MaxReport/2 {
		return failed(fmt.Errorf("the %d autoscalers of cluster %s are more than an agent sends", len(all), a.cluster))
	}
	return got
}

func sizeOf(all []live.ObjectDiff) (size int) {
	for _, d := range all {
		size += len(d.Text)
	}
	return size
}

// wanted is what a question compares with.
func (a *Agent) wanted(q wire.Question) (w live.Want, known bool, err error) {
	if q.Want != nil {
		w, err = q.Want.Live()
		return w, true, err
	}
	e, ok := a.orders.of(q.Service)
	if !ok || e.Held.Seq != q.Seq {
		return live.Want{}, false, nil
	}
	w, err = a.orders.whole(e)
	w.Hooks = false
	return w, true, err
}

const renewEvery = time.Minute

// keepIdentity renews the certificate before it ends.
func (a *Agent) keepIdentity(ctx context.Context, conn *grpc.ClientConn, id *identity) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		if !a.cfg.Now().Before(id.renewAt()) {
			next, err := a.renew(ctx, conn, id)
			if err == nil {
				a.mu.Lock()
				a.id = next
				a.mu.Unlock()
				a.cfg.Log.Info("certificate renewed", "until", next.leaf.NotAfter)
				return errRenewed
			}
			a.cfg.Log.Warn("renew the certificate", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
