package live

import (
	"context"
	"math"

	"github.com/seatrial/seatrial/release"
)

// Withdraw deletes what a service has on a cluster, but for what asks to stay. The
// objects of the Want say which kinds to look for.
func (c *Clusters) Withdraw(ctx context.Context, name string, w Want) (Result, error) {
	if _, err := c.reach(ctx, name, w.Objects); err != nil {
		return Result{State: Unreachable, Message: err.Error()}, err
	}
	w.Objects, w.Hooks = nil, false
	w.Prune = release.Prune{MaxDelete: math.MaxInt, AllowEmpty: true}
	return c.Sync(ctx, name, w)
}
