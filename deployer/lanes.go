package deployer

import (
	"sync"

	"github.com/seatrial/seatrial/deployer/live"
)

const looksAtOnce = 8 // on one cluster

// lanes look at changes beside each other, those of each cluster in its own: a service that
// is slow, or a cluster that does not answer, delays no other. What changes while it is
// looked at is looked at once more. The zero lanes are ready to use.
type lanes struct {
	work sync.WaitGroup

	mu    sync.Mutex // guards what follows
	known map[live.Change]progress
	of    map[string]*lane // by cluster
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
func (ls *lanes) each(changes []live.Change, look func(live.Change)) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.known == nil {
		ls.known, ls.of = map[live.Change]progress{}, map[string]*lane{}
	}
	for _, ch := range changes {
		switch ls.known[ch] {
		case looking:
			ls.known[ch] = again
			continue
		case queued, again:
			continue
		}
		l := ls.of[ch.Cluster]
		if l == nil {
			l = &lane{}
			ls.of[ch.Cluster] = l
		}
		ls.known[ch] = queued
		if l.queue = append(l.queue, ch); l.workers < looksAtOnce {
			l.workers++
			ls.work.Go(func() { ls.run(l, look) })
		}
	}
}

// run looks until a lane is empty.
func (ls *lanes) run(l *lane, look func(live.Change)) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(l.queue) > 0 {
		ch := l.queue[0]
		l.queue = l.queue[1:]
		ls.known[ch] = looking
		ls.mu.Unlock()
		look(ch)
		ls.mu.Lock()
		if ls.known[ch] == again {
			ls.known[ch] = queued
			l.queue = append(l.queue, ch)
		} else {
			delete(ls.known, ch)
		}
	}
	l.workers--
}

// wait waits for every look that was begun.
func (ls *lanes) wait() { ls.work.Wait() }
