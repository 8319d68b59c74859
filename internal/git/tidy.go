package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/git/pack"
)

const (
	tidyEvery = time.Minute
	tidyAgain = time.Hour // after it went wrong
)

// Run tidies once a minute until ctx ends.
func (r *Repos) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := r.Tidy(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.Warn("tidy git mirrors", "error", err)
		}
	}
}

// Tidy puts loose objects and packs together in each mirror that has too many. Nobody waits
// meanwhile, but for a moment at the end, when what is of no more use goes; if files of the
// mirror are being read then, it goes with the first reading after that.
func (r *Repos) Tidy(ctx context.Context) error {
	r.tidying.Lock()
	defer r.tidying.Unlock()
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.mirrors))
	r.mu.Unlock()
	var errs []error
	for _, m := range all {
		if ctx.Err() != nil || r.cfg.Now().Before(m.rest) {
			continue
		}
		if err := r.tidy(ctx, m); err != nil {
			m.rest = r.cfg.Now().Add(tidyAgain)
			errs = append(errs, fmt.Errorf("tidy the mirror of %s: %w", m.url, err))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (r *Repos) tidy(ctx context.Context, m *mirror) error {
	if _, err := os.Stat(filepath.Join(m.dir, "refs", "seatrial")); err != nil {
		return nil // without branches there is nothing to keep: it is made anew, see trimLocked
	}
	if p, err := pack.Look(m.dir); err != nil || p.Loose() <= r.cfg.Loose && p.Packs() <= r.cfg.Packs {
		return err
	}
	if err := m.lock(ctx, r.cfg.MaxPacks); err != nil {
		return err
	}
	busy := len(m.spare) > 0
	m.pins.Add(1) // so that nothing that is there goes
	m.unlock()
	var spare []string
	var err error
	if !busy {
		spare, err = merge(ctx, m.dir)
	}
	m.turn <- struct{}{}
	defer m.unlock()
	m.pins.Add(-1)
	m.spare = append(m.spare, spare...)
	return errors.Join(err, m.dropLocked())
}

func merge(ctx context.Context, dir string) ([]string, error) {
	pile, err := pack.Look(dir)
	if err != nil {
		return nil, err
	}
	return pile.Merge(ctx)
}

// dropLocked deletes what has been packed once more, unless somebody reads it.
func (m *mirror) dropLocked() error {
	if len(m.spare) == 0 || m.pins.Load() > 0 {
		return nil
	}
	err := pack.Remove(m.spare)
	m.spare = nil
	return errors.Join(err, m.open())
}
