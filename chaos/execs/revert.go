package execs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// retryAfter is how long a revert that went wrong is not tried again.
const retryAfter = 5 * time.Second

// Revert runs the program that takes back in every pod that has a mark. One that goes wrong
// is no error: Look says that the fault is still there, and why, until a person is called.
// More force would not help, so that only the time since the last try counts.
func (e *Execs) Revert(ctx context.Context, f release.FaultRecord, _ chaos.Force) error {
	all, err := e.targets(f)
	if err != nil {
		return fmt.Errorf("revert %s: %w", f.Name, err)
	}
	if err := each(all, func(_ int, t target) error { return t.revert(ctx) }); err != nil {
		return fmt.Errorf("revert %s: %w", f.Name, err)
	}
	return nil
}

func (t target) revert(ctx context.Context) error {
	pod, m, err := t.look(ctx)
	if err != nil || pod == nil || m == nil {
		return err
	}
	now := t.Now()
	switch body := t.body(pod, *m); {
	case body == lost:
		return t.forget(ctx)
	case body == waiting, now.Sub(m.Tried) < retryAfter:
		return nil
	case body == another: // only the check knows what has outlived the container
		if inEffect, _, err := t.checked(ctx); err == nil && !inEffect {
			return t.forget(ctx)
		}
	}
	problem := t.undo(ctx)
	if problem == "" {
		return t.forget(ctx)
	}
	m.Phase, m.Tried, m.Problem = reverting, now.UTC(), problem
	return t.keep(ctx, *m)
}

// undo takes back and makes sure of it; what it returns is what went wrong.
func (t target) undo(ctx context.Context) string {
	ended, err := t.run(ctx, t.want.revert)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the revert " + t.hung(t.want.revert)
	case err != nil:
		return fmt.Sprintf("the revert %s: %v", shown(t.want.revert), err)
	case t.want.check == nil && ended.Code != 0:
		return "the revert " + exited(t.want.revert, ended)
	case t.want.check == nil:
		return ""
	}
	switch inEffect, _, err := t.checked(ctx); {
	case err != nil:
		return fmt.Sprintf("the revert %s; %v", exited(t.want.revert, ended), err)
	case inEffect:
		return fmt.Sprintf("the revert %s, and the check %s says that the fault is still in effect", exited(t.want.revert, ended), shown(t.want.check))
	}
	return ""
}

// body is what has become of the container in which a program has run.
type body int

const (
	same    body = iota + 1 // it still runs
	another                 // another runs in its place, and there is a check to ask
	waiting                 // none runs now, and there is a check to ask once one does
	lost                    // it is gone, and with it what was changed
)

func (t target) body(p *corev1.Pod, m mark) body {
	id, running := container(p, t.want.container)
	over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	switch {
	case running && id == m.Container:
		return same
	case over, t.want.check == nil:
		return lost
	case running:
		return another
	}
	return waiting
}

// Look asks the pods, and the check where there is one: the fault is there as long as a mark is.
func (e *Execs) Look(ctx context.Context, f release.FaultRecord) (chaos.Sight, error) {
	all, err := e.targets(f)
	if err != nil {
		return chaos.Sight{}, err
	}
	seen := make([]chaos.Sight, len(all))
	if err := each(all, func(i int, t target) (err error) {
		seen[i], err = t.see(ctx)
		return err
	}); err != nil {
		return chaos.Sight{}, err
	}
	return together(f.Targets, seen), nil
}

// see is one pod; Gone when nothing is to be put back in it.
func (t target) see(ctx context.Context) (chaos.Sight, error) {
	sight := func(s chaos.SightState, format string, args ...any) (chaos.Sight, error) {
		return chaos.Sight{State: s, Message: "pod " + t.id + ": " + fmt.Sprintf(format, args...)}, nil
	}
	pod, m, err := t.look(ctx)
	switch {
	case err != nil:
		return chaos.Sight{}, err
	case pod == nil:
		return sight(chaos.Gone, "it was replaced, and with it all that was changed in it")
	case m == nil:
		return chaos.Sight{State: chaos.Gone}, nil
	case m.Phase == reverting:
		return sight(chaos.Recovering, "%s", m.Problem)
	}
	switch t.body(pod, *m) {
	case lost:
		return sight(chaos.Recovered, "container %s was restarted, and with it what was changed in it", t.want.container)
	case waiting:
		return sight(chaos.Starting, "container %s is not running", t.want.container)
	}
	if m.Phase == started {
		return sight(chaos.Starting, "whether %s has run is not known", shown(t.want.command))
	}
	if t.want.check == nil {
		return chaos.Sight{State: chaos.Injected}, nil
	}
	switch inEffect, ended, err := t.checked(ctx); {
	case err != nil:
		return sight(chaos.NotInjected, "%v", err)
	case !inEffect:
		return sight(chaos.Starting, "not in effect: the check %s", exited(t.want.check, ended))
	}
	return chaos.Sight{State: chaos.Injected}, nil
}

// together is a fault by its pods. It is injected where all are, and gone where all are.
func together(targets []string, seen []chaos.Sight) chaos.Sight {
	out := chaos.Sight{State: chaos.Gone, Seen: true, Targets: targets}
	var said []string
	has := map[chaos.SightState]int{}
	for _, s := range seen {
		has[s.State]++
		if s.Message != "" {
			said = append(said, s.Message)
		}
	}
	out.Message = strings.Join(said[:min(len(said), maxSaid)], "; ")
	if more := len(said) - maxSaid; more > 0 {
		out.Message += fmt.Sprintf("; and %d more", more)
	}
	if has[chaos.Gone] == len(seen) {
		return out
	}
	for _, s := range []chaos.SightState{chaos.Recovering, chaos.NotInjected, chaos.Starting} {
		if has[s] > 0 {
			out.State = s
			return out
		}
	}
	if out.State = chaos.Recovered; has[chaos.Injected] == len(seen) {
		out.State = chaos.Injected
	}
	return out
}

// maxSaid is of how many pods a message tells.
const maxSaid = 3
