package daemons

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// avoided is how long a buildkitd that did not answer is tried last.
const avoided = 15 * time.Second

// Pool is every buildkitd that may be used.
type Pool struct {
	mu      sync.Mutex // guards workers' fields
	workers []*worker
}

// worker is one buildkitd as it was last seen.
type worker struct {
	address   string
	builds    int       // of ours, under way
	failed    time.Time // when it last did not answer
	platforms []string  // that it runs without an emulator or with one; empty: not asked yet
}

// New makes a Pool; it does not reach for anybody yet.
func New(addresses []string) *Pool {
	p := &Pool{}
	for _, a := range addresses {
		p.workers = append(p.workers, &worker{address: a})
	}
	return p
}

// Dial connects to the best buildkitd that answers. done gives its place back.
func (p *Pool) Dial(ctx context.Context, wanted []string, affinity string) (d *Daemon, done func(), err error) {
	var problems []error
	for _, w := range p.order(wanted, affinity, time.Now()) {
		d, err := dial(ctx, w.address)
		if err == nil && len(p.workers) > 1 {
			err = p.learn(ctx, w, d)
		}
		if err != nil {
			problems = append(problems, err)
			p.note(func() { w.failed = time.Now() })
			continue
		}
		p.note(func() { w.builds++ })
		return d, func() { d.Close(); p.note(func() { w.builds-- }) }, nil
	}
	return nil, nil, errors.Join(problems...)
}

func (p *Pool) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// learn asks a buildkitd for its platforms, once.
func (p *Pool) learn(ctx context.Context, w *worker, d *Daemon) error {
	known := false
	p.note(func() { known = w.platforms != nil })
	if known {
		return nil
	}
	platforms, err := d.platforms(ctx)
	if err != nil {
		d.Close()
		return err
	}
	p.note(func() { w.platforms = platforms })
	return nil
}

// order is the workers, best first.
func (p *Pool) order(wanted []string, affinity string, now time.Time) []*worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	ranked := slices.Clone(p.workers)
	slices.SortStableFunc(ranked, func(a, b *worker) int {
		return slices.Compare(b.merit(wanted, affinity, now), a.merit(wanted, affinity, now))
	})
	return ranked
}

// merit compares workers, the weightiest first: it answers; it runs the platforms that
// are wanted; it is not busier than the others; and then always the same one for the same
// service, whose caches are there.
func (w *worker) merit(wanted []string, affinity string, now time.Time) []int {
	answers := 1
	if now.Sub(w.failed) < avoided {
		answers = 0
	}
	runs := 0
	for _, platform := range wanted {
		if slices.Contains(w.platforms, platform) {
			runs++
		}
	}
	h := fnv.New32a()
	h.Write([]byte(w.address + "\x00" + affinity)) // never fails
	return []int{answers, runs, -w.builds / busy, int(h.Sum32())}
}

// busy is how many builds a worker may have more than another before its warm caches are
// not worth the wait.
const busy = 2
