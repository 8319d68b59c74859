// Package deployer moves environments from one desired revision to another: it plans
// waves, commits the content to git, syncs it to the clusters of a wave, judges their
// health, returns to what was verified before and heals drift.
//
// Start at Rollout.Sync, then Fleet. It never applies what is not in git first,
// never takes health of another revision for an answer and never deletes beyond the
// environment's guard.
package deployer

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

// Content renders a release's manifests for an environment; it has to give the same
// bytes each time.
type Content func(ctx context.Context, r release.Release, env release.Environment) (render.Rendered, error)

// Platform finds what the operators configured.
type Platform interface {
	Environment(release.Env) (release.Environment, bool)
	Project(name string) (release.Project, bool)
	Clusters() []release.Cluster
}

// Slot reads one service's place in one environment.
type Slot func(context.Context, release.Service, release.Env) (release.Slot, error)

// Clusters does the work on the clusters; *live.Clusters is one.
type Clusters interface {
	Sync(ctx context.Context, cluster string, w live.Want) (live.Result, error)
	Health(ctx context.Context, cluster string, w live.Want, since time.Time) (live.Result, error)
}

// Desired reads and writes desired-state branches; *desired.Store is one.
type Desired interface {
	Write(ctx context.Context, at release.DesiredState, rec desired.Record, out render.Rendered, key string) (release.Commit, error)
	Return(ctx context.Context, at release.DesiredState, svc release.Service, placed release.Placed, bad release.ID, key string) (release.Commit, error)
	Read(ctx context.Context, at release.DesiredState, svc release.Service, revision release.Commit) (desired.Content, error)
}

// Locks keeps a rollout and the healing of drift from changing one service on one
// cluster at the same time. The zero Locks is ready to use.
type Locks struct {
	mu   sync.Mutex // guards held
	held map[string]chan struct{}
}

// Lock waits for the service on the cluster, but not longer than ctx lasts.
func (l *Locks) Lock(ctx context.Context, cluster string, s release.Service) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	key := cluster + "\x00" + string(s)
	turn := l.held[key]
	if turn == nil {
		turn = make(chan struct{}, 1)
		l.held[key] = turn
	}
	l.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
