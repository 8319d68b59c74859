package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/e2e/bench/figure"
)

// sides are the runs of one number of services, in seconds and MiB.
type sides struct {
	limit, seen, first, changed, cpu, idle, peak, healed, one []float64
}

// point is the medians.
func (s sides) point(services int) point {
	return point{services: services, limit: figure.Median(s.limit), seen: figure.Median(s.seen), first: figure.Median(s.first), changed: figure.Median(s.changed),
		cpu: figure.Median(s.cpu), idle: figure.Median(s.idle), peak: figure.Percentile(s.peak, 1)}
}

// most is the largest number of services that is measured.
func (b *bench) most() int {
	if b.Runs == 0 {
		return slices.Max(append([]int{0}, b.Curve...))
	}
	return slices.Max(append([]int{b.Services}, b.Curve...))
}

// round is one run of each side.
func (b *bench) round(ctx context.Context, services int, s *sides, edits int) error {
	limit, seen, err := b.limit(ctx, services)
	if err != nil {
		return err
	}
	s.limit, s.seen = append(s.limit, limit), append(s.seen, seen)
	return b.on(ctx, services, func(c *child, first took) error {
		s.first, s.cpu = append(s.first, first.seconds), append(s.cpu, first.cpu)
		all, err := b.change(ctx, c, upTo(services))
		if err != nil {
			return err
		}
		s.changed = append(s.changed, all.seconds)
		b.tell("all %d changed: %.2f s, %.2f s of a processor", services, all.seconds, all.cpu)
		if err := b.reconcile(c, s); err != nil {
			return err
		}
		if err := b.drift(ctx, services, edits, s); err != nil || services < b.most() {
			return err
		}
		return b.one(ctx, c, services, s)
	})
}

// reconcile looks at everything twice: the first look may have to compare what has only
// just changed, the second is what goes on every minute.
func (b *bench) reconcile(c *child, s *sides) error {
	for i := range 2 {
		a, err := c.do(subject.Reconcile)
		if err != nil {
			return err
		}
		if i == 1 {
			s.idle, s.peak = append(s.idle, a.CPU.Seconds()), append(s.peak, a.Peak)
		}
		b.tell("one full reconcile: %.2f s, %.2f s of a processor; peak %.0f MiB", a.Took.Seconds(), a.CPU.Seconds(), a.Peak)
	}
	return nil
}

// edits are what somebody changes by hand, one of these per service.
var edits = []struct {
	kind  kind
	patch string
}{
	{kinds[1], `[{"op":"replace","path":"/spec/template/spec/containers/0/env/1/value","value":"edited"}]`},
	{kinds[2], `[{"op":"replace","path":"/spec/selector/app","value":"edited"}]`},
	{kinds[3], `[{"op":"replace","path":"/spec/rules/0/host","value":"edited.example.dev"}]`},
}

const (
	healLimit = time.Minute
	healLook  = 10 * time.Millisecond
)

// drift edits one object after the other and waits until its old version is back.
func (b *bench) drift(ctx context.Context, services, n int, s *sides) error {
	c, err := b.planes.open(alone)
	if err != nil {
		return err
	}
	for i := range n {
		e := edits[i%len(edits)]
		client := c.Dynamic().Resource(schema.GroupVersionResource{Group: e.kind.group, Version: "v1", Resource: e.kind.resource}).Namespace(subject.Team)
		seconds, err := healed(ctx, client, nameOf(i*services/n), []byte(e.patch))
		if err != nil {
			return err
		}
		s.healed = append(s.healed, seconds)
	}
	if n > 0 {
		b.tell("healed: p50 %.2f s, p95 %.2f s of %d edits", figure.Median(s.healed), figure.Percentile(s.healed, 0.95), len(s.healed))
	}
	return nil
}

// healed is how long after an edit the object is as it was before.
func healed(ctx context.Context, client dynamic.ResourceInterface, name string, patch []byte) (float64, error) {
	before, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	now, err := client.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		return 0, err
	}
	if equality.Semantic.DeepEqual(now.Object["spec"], before.Object["spec"]) {
		return 0, fmt.Errorf("the edit of %s changed nothing", name)
	}
	ctx, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	began := time.Now()
	for !equality.Semantic.DeepEqual(now.Object["spec"], before.Object["spec"]) {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s was edited and not healed within %s", name, healLimit)
		case <-time.After(healLook):
		}
		if now, err = client.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return 0, err
		}
	}
	return time.Since(began).Seconds(), nil
}

// ratio is the case with targets, with both sides in turn.
func (b *bench) ratio(ctx context.Context) ([]figure.Figure, sides, error) {
	var s sides
	for range b.Runs {
		if err := b.round(ctx, b.Services, &s, b.Edits); err != nil {
			return nil, s, err
		}
	}
	if b.Runs == 0 {
		return nil, s, nil
	}
	limit := figure.Median(s.limit)
	against := fmt.Sprintf("bare loop of %d workers", loopWorkers)
	ratio := func(name string, values []float64) figure.Figure {
		f := figure.Of(fmt.Sprintf("%d services, %s", b.Services, name), figure.Median(values), "s").To(against, limit)
		return f.AtMostTimes(wantRatio)
	}
	all := []figure.Figure{
		ratio("first sync, push to all observed", s.first),
		ratio("all changed by one commit, push to all observed", s.changed),
		figure.Of("  processor time of the first sync", figure.Median(s.cpu), "s"),
		figure.Of(fmt.Sprintf("%d services, nothing changed, one full reconcile, processor time", b.Services), figure.Median(s.idle), "s").AtMost(wantCPU),
		figure.Of(fmt.Sprintf("%d services, peak memory of the process with the deployer", b.Services), figure.Percentile(s.peak, 1), "MiB").AtMost(wantPeak),
	}
	if len(s.healed) > 0 {
		all = append(all, figure.Of("drift by hand to healed, p95", figure.Percentile(s.healed, 0.95), "s").AtMost(wantHealed),
			figure.Of("drift by hand to healed, p50", figure.Median(s.healed), "s"))
	}
	return all, s, nil
}

const ones = 5 // pushes of one service

// curve measures growing numbers of services, each once. ratio, which has been measured
// already, is one of them.
func (b *bench) curve(ctx context.Context, ratio sides) ([]figure.Figure, error) {
	points := map[int]point{}
	var last sides
	if b.Runs > 0 {
		points[b.Services], last = ratio.point(b.Services), ratio
	}
	for _, n := range b.Curve {
		if _, done := points[n]; done {
			continue
		}
		var s sides
		if err := b.round(ctx, n, &s, 0); err != nil {
			return nil, err
		}
		if points[n] = s.point(n); n == b.most() {
			last = s
		}
	}
	var all []figure.Figure
	var sorted []point
	for _, n := range slices.Sorted(maps.Keys(points)) {
		sorted = append(sorted, points[n])
		all = append(all, points[n].figures()...)
	}
	if len(last.one) > 0 {
		all = append(all, figure.Of(fmt.Sprintf("one changed among %d, push to observed, median of %d", b.most(), len(last.one)), figure.Median(last.one), "s").AtMost(wantOne),
			figure.Of("  the longest", figure.Percentile(last.one, 1), "s"))
	}
	return all, b.draw(sorted)
}

// one pushes one changed service a few times.
func (b *bench) one(ctx context.Context, c *child, services int, s *sides) error {
	for i := range ones {
		t, err := b.change(ctx, c, []int{i * services / ones})
		if err != nil {
			return err
		}
		s.one = append(s.one, t.seconds)
		b.tell("one changed among %d: %.2f s, %.2f s of a processor", services, t.seconds, t.cpu)
	}
	return nil
}
