// Package execs runs a program in a container of each target of a fault, and later the
// program that takes it back.
//
// Start at Execs.Inject. A mark on the pod is there before the program runs and goes when
// it is taken back, so that a server that was killed in between finds it again. It never
// builds a shell's line, never runs anything without a program that takes it back, never
// runs a program twice where it can know, and never calls anything recovered that it has
// not seen taken back: only a pod or a container that is not there any more needs nothing.
package execs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// Execs is the provider of chaos for faults.Exec.
type Execs struct {
	Clusters     func(name string) (*kube.Cluster, error)
	Run          Run
	Installation string // whose marks they are; see chaos.LabelInstallation
	Now          func() time.Time
}

// Run runs one program in a container; kube.Exec has it.
type Run func(ctx context.Context, c *kube.Cluster, p kube.Program) (kube.Ended, error)

// atOnce is how many pods are worked on at the same time.
const atOnce = 8

// How a program ends that a shell or a runtime did not find or could not run.
const (
	notExecutable = 126
	notFound      = 127
)

// wanted is what a fault's fields say.
type wanted struct {
	command, revert, check []string
	timeout                time.Duration
	container              string
}

// containerKey is the name under which a record keeps its container; the pods' UIDs are
// kept under their ids.
const containerKey = "container"

func read(f release.FaultRecord) (wanted, error) {
	_, action, err := faults.Of(release.Fault{Kind: f.Kind, Action: f.Action})
	if err != nil {
		return wanted{}, err
	}
	values, err := action.Values(f.With)
	if err != nil {
		return wanted{}, fmt.Errorf("%s %s: %w", f.Kind, f.Action, err)
	}
	args := func(name string) []string { a, _ := values[name].([]string); return a }
	w := wanted{command: args("command"), revert: args("revert"), check: args("check"), container: f.Before[containerKey]}
	text, _ := values["timeout"].(string)
	w.timeout, err = time.ParseDuration(text)
	return w, err
}

// target is one pod of a fault.
type target struct {
	*Execs
	cluster *kube.Cluster
	want    wanted
	fault   release.FaultRecord
	id      string // "namespace/pod"
}

func (t target) cannot(final bool, format string, args ...any) error {
	return &chaos.CannotInject{Cluster: t.fault.Cluster, Cause: fmt.Sprintf(format, args...), Final: final}
}

func (t target) namespace() string { ns, _, _ := strings.Cut(t.id, "/"); return ns }
func (t target) name() string      { _, name, _ := strings.Cut(t.id, "/"); return name }

// targets are a fault's pods, one by one.
func (e *Execs) targets(f release.FaultRecord) ([]target, error) {
	want, err := read(f)
	if err != nil {
		return nil, err
	}
	c, err := e.Clusters(f.Cluster)
	if err != nil {
		return nil, err
	}
	all := make([]target, 0, len(f.Targets))
	for _, id := range f.Targets {
		t := target{e, c, want, f, id}
		if t.namespace() != f.Namespace || t.name() == "" {
			return nil, fmt.Errorf("target %s is not in namespace %s", id, f.Namespace)
		}
		all = append(all, t)
	}
	return all, nil
}

// each does something with every pod, whatever becomes of the others; the errors are in
// their order, those that say that the fault is impossible first.
func each(all []target, do func(i int, t target) error) error {
	errs := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, t := range all {
		g.Go(func() error {
			errs[i] = do(i, t)
			return nil
		})
	}
	_ = g.Wait() // what went wrong is in errs
	for _, err := range errs {
		if _, ok := errors.AsType[*chaos.CannotInject](err); ok {
			return err
		}
	}
	return errors.Join(errs...)
}

// Prepare notes which pods and which container are meant. Nothing is run.
func (e *Execs) Prepare(ctx context.Context, o chaos.Order) (release.FaultRecord, error) {
	f := o.Fault
	if _, err := read(f); err != nil {
		return f, &chaos.CannotInject{Cluster: f.Cluster, Cause: err.Error(), Final: true}
	}
	all, err := e.targets(f)
	if err != nil {
		return f, err
	}
	uids := make([]string, len(all))
	err = each(all, func(i int, t target) error {
		t.want.container = o.Container
		pod, err := t.pod(ctx)
		switch {
		case err != nil:
			return err
		case pod == nil:
			return &chaos.Exceeds{Reason: fmt.Sprintf("pod %s is gone", t.id)}
		}
		if names := containers(pod); !slices.Contains(names, o.Container) {
			return t.cannot(true, "pod %s has no container %q (there is: %s)", t.id, o.Container, strings.Join(names, ", "))
		}
		if other := otherRun(pod, f.Name, o.Container); other != "" {
			return t.cannot(true, "run %s has run a program in container %s of pod %s already", other, o.Container, t.id)
		}
		uids[i] = string(pod.UID)
		return nil
	})
	if err != nil {
		return f, err
	}
	f.Before = map[string]string{containerKey: o.Container}
	for i, t := range all {
		f.Before[t.id] = uids[i]
	}
	return f, nil
}

// Inject runs the program in every target in which it has not run yet. What was done when
// one of them fails is found by its marks, and taken back by Revert.
func (e *Execs) Inject(ctx context.Context, o chaos.Order) error {
	f := o.Fault
	if _, err := read(f); err != nil {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: err.Error(), Final: true}
	}
	all, err := e.targets(f)
	if err != nil {
		return err
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(t target) bool { return t.want.container == "" || f.Before[t.id] == "" }) {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: "it is not known which pods were meant: nothing could be put back", Final: true}
	}
	until := e.Now().Add(o.Duration).UTC()
	return each(all, func(_ int, t target) error {
		return t.inject(ctx, mark{Fault: t.record(), Installation: e.Installation, Release: o.Release, Until: until, Phase: started})
	})
}

// record is the fault as far as it is about this pod.
func (t target) record() release.FaultRecord {
	f := t.fault
	f.Targets = []string{t.id}
	f.Before = map[string]string{containerKey: t.want.container, t.id: t.fault.Before[t.id]}
	return f
}

func (t target) inject(ctx context.Context, m mark) error {
	pod, have, err := t.look(ctx)
	switch {
	case err != nil:
		return err
	case pod == nil:
		return t.cannot(true, "pod %s was replaced before its program ran", t.id)
	case have != nil && have.Phase == done:
		return nil
	case have != nil:
		return t.resume(ctx, *have)
	}
	var running bool
	if m.Container, running = container(pod, t.want.container); !running {
		return t.cannot(false, "container %s of pod %s is not running", t.want.container, t.id)
	}
	if err := t.notYet(ctx); err != nil {
		return err
	}
	if err := t.keep(ctx, m); err != nil {
		return err
	}
	ended, err := t.run(ctx, t.want.command)
	if no, ok := errors.AsType[*kube.NotStarted](err); ok {
		if err := t.forget(ctx); err != nil {
			return err
		}
		return t.cannot(no.Final, "pod %s: %s did not start: %s", t.id, shown(t.want.command), no.Why)
	}
	if err := t.failed(ended, err); err != nil {
		return err
	}
	m.Phase = done
	return t.keep(ctx, m)
}

// failed is why a program that ran has not broken what it should; nil when it may have.
func (t target) failed(ended kube.Ended, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return t.cannot(true, "pod %s: %s", t.id, t.hung(t.want.command))
	case err != nil:
		return fmt.Errorf("pod %s: run %s: %w", t.id, shown(t.want.command), err)
	case ended.Code == 0, t.want.check != nil && ended.Code != notExecutable && ended.Code != notFound: // then the check tells
		return nil
	}
	return t.cannot(true, "pod %s: %s", t.id, exited(t.want.command, ended))
}

// notYet makes sure that the check can be run, and that it says "not in effect" before.
func (t target) notYet(ctx context.Context) error {
	if t.want.check == nil {
		return nil
	}
	inEffect, ended, err := t.checked(ctx)
	no, never := errors.AsType[*kube.NotStarted](err)
	broken, odd := errors.AsType[*oddCheck](err)
	switch {
	case never:
		return t.cannot(no.Final, "pod %s: the check %s did not start: %s", t.id, shown(t.want.check), no.Why)
	case odd:
		return t.cannot(true, "pod %s: %s", t.id, broken.Error())
	case err != nil:
		return fmt.Errorf("pod %s: %w", t.id, err)
	case inEffect:
		return t.cannot(true, "pod %s is broken already: %s", t.id, exited(t.want.check, ended))
	}
	return nil
}

// resume goes on after an earlier call that did not come to its end: whether its program
// ran only the check can tell, and it is never run twice.
func (t target) resume(ctx context.Context, m mark) error {
	if m.Phase == started && t.want.check != nil {
		inEffect, _, err := t.checked(ctx)
		if err != nil {
			return fmt.Errorf("pod %s: %w", t.id, err)
		}
		if inEffect {
			m.Phase = done
			return t.keep(ctx, m)
		}
	}
	return t.cannot(true, "pod %s: an earlier attempt was cut off, and whether its program ran is not known", t.id)
}

// run runs a program in the target's container, within the fault's limit.
func (t target) run(ctx context.Context, args []string) (kube.Ended, error) {
	return t.Run(ctx, t.cluster, kube.Program{Namespace: t.namespace(), Pod: t.name(), Container: t.want.container, Args: args, Limit: t.want.timeout})
}

// oddCheck is a check that answers nothing: it could not be run.
type oddCheck struct{ why string }

// Error is the reason.
func (o *oddCheck) Error() string { return o.why }

// checked asks the check whether the fault is in effect.
func (t target) checked(ctx context.Context) (inEffect bool, ended kube.Ended, err error) {
	ended, err = t.run(ctx, t.want.check)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return false, ended, &oddCheck{"the check " + t.hung(t.want.check)}
	case err != nil:
		return false, ended, fmt.Errorf("run the check %s: %w", shown(t.want.check), err)
	case ended.Code == notExecutable, ended.Code == notFound:
		return false, ended, &oddCheck{"the check " + exited(t.want.check, ended)}
	}
	return ended.Code == 0, ended, nil
}

// hung says that a program is not waited for any more.
func (t target) hung(args []string) string {
	return fmt.Sprintf("%s did not end within %s and was cut off: it may still run", shown(args), t.want.timeout)
}

// exited says how a program ended.
func exited(args []string, e kube.Ended) string {
	text := fmt.Sprintf("%s ended with exit code %d", shown(args), e.Code)
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

// maxShown bounds what a message shows of a program.
const maxShown = 100

// shown is a program as people write it.
func shown(args []string) string {
	text := []rune(strings.ToValidUTF8(strings.Join(args, " "), "?"))
	if len(text) > maxShown {
		text = append(text[:maxShown-1], '…')
	}
	return fmt.Sprintf("%q", string(text))
}

// container is the runtime's id of a pod's container, and whether it runs.
func container(p *corev1.Pod, name string) (id string, running bool) {
	for _, s := range slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses) {
		if s.Name == name {
			return s.ContainerID, s.State.Running != nil
		}
	}
	return "", false
}

func containers(p *corev1.Pod) (names []string) {
	for _, c := range p.Spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			names = append(names, c.Name)
		}
	}
	return names
}
