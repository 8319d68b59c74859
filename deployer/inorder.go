package deployer

import (
	"fmt"
	"sync"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/release"
)

// inOrder remembers what was found in order: as long as neither what is wanted nor what is
// there changes, it is not read and compared again. The zero inOrder is empty.
type inOrder struct {
	mu    sync.Mutex // guards known
	known map[place]order
}

type place struct {
	live.Change
	env release.Env
}

// order is a question and what the cluster had when it was asked.
type order struct {
	asked string
	found stamp.Stamp
}

// asked is everything that decides what a target is to have, and how that is compared.
func (f *Fleet) asked(slot release.Slot, cluster string) string {
	env, _ := f.Platform.Environment(slot.Env)
	return fmt.Sprintf("%s %s %+v %+v %v", env.Spec.DesiredState, slot.Targets[cluster], env.Spec.Prune, env.Spec.Sync, f.labels(cluster))
}

func (c *inOrder) is(ch live.Change, env release.Env, now order) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, ok := c.known[place{ch, env}]
	return ok && before.asked == now.asked && now.found.Same(before.found)
}

func (c *inOrder) note(ch live.Change, env release.Env, now order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[place]order{}
	}
	c.known[place{ch, env}] = now
}
