package deployer

import (
	"sync"

	"github.com/seatrial/seatrial/deployer/live"
)

const looksAtOnce = 8 // on one cluster

// aside looks at changes beside each other: a service that is slow, or a cluster that does
// not answer, delays no other. What changes while it is looked at is looked at once more.
// The zero aside is ready to use.
type aside struct {
	work sync.WaitGroup

	mu    sync.Mutex // guards what follows
	known map[live.Change]progress
	lanes map[string]*lane // by cluster
}

// lane is what one cluster has to be asked.
type lane struct {
	queue   []live.Change
	workers int
}

// progress of a change.
type progress int

const (
	unknown progress = iota
	queued
	looking
	again // it changed since the look began
)

// each sees to it that the changes are looked at, and does not wait for that.
func (a *aside) each(changes []live.Change, look func(live.Change)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known, a.lanes = map[live.Change]progress{}, map[string]*lane{}
	}
	for _, ch := range changes {
		switch a.known[ch] {
		case looking:
			a.known[ch] = again
			continue
		case queued, again:
			continue
		}
		l := a.lanes[ch.Cluster]
		if l == nil {
			l = &lane{}
			a.lanes[ch.Cluster] = l
		}
		a.known[ch] = queued
		if l.queue = append(l.queue, ch); l.workers < looksAtOnce {
			l.workers++
			a.work.Go(func() { a.run(l, look) })
		}
	}
}

// run looks until a lane is empty.
func (a *aside) run(l *lane, look func(live.Change)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(l.queue) > 0 {
		ch := l.queue[0]
		l.queue = l.queue[1:]
		a.known[ch] = looking
		a.mu.Unlock()
		look(ch)
		a.mu.Lock()
		if a.known[ch] == again {
			a.known[ch] = queued
			l.queue = append(l.queue, ch)
		} else {
			delete(a.known, ch)
		}
	}
	l.workers--
}

// wait waits for every look that was begun.
func (a *aside) wait() { a.work.Wait() }
