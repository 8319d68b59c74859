package silences

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/notify/silence"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
)

// Desk lets people silence messages.
type Desk struct {
	Shelf shelf.Silences
	Now   func() time.Time
}

const (
	maxActive = 200
	kept      = 30 * 24 * time.Hour // after its end
)

// List has the last to end first.
func (d Desk) List(ctx context.Context) ([]release.Silence, error) {
	all, err := d.Shelf.All(ctx)
	slices.SortFunc(all, func(a, b release.Silence) int { return cmp.Or(b.Until.Compare(a.Until), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// Add silences what fits from now on, and forgets those that ended long ago.
func (d Desk) Add(ctx context.Context, conditions []string, length time.Duration, by, reason string) (release.Silence, error) {
	now := d.Now()
	s, err := silence.New(strings.ToLower(rand.Text()[:10]), conditions, length, by, reason, now)
	if err != nil {
		return s, fmt.Errorf("%w: %w", web.ErrInvalid, err)
	}
	all, err := d.Shelf.All(ctx)
	if err != nil {
		return s, err
	}
	active := 0
	var old []release.Silence
	for _, one := range all {
		if one.Active(now) {
			active++
		} else if now.Sub(one.Until) > kept && len(old) < 100 {
			old = append(old, one)
		}
	}
	if active >= maxActive {
		return s, hint.Add(fmt.Errorf("%d silences are active: %w", active, web.ErrRefused), "end some: seatrial silence list")
	}
	return s, d.Shelf.Put(ctx, s, old...)
}

// End ends a silence and lets go of what it held back. The end is kept first: a crash in
// between leaves messages that wait for the end that was meant at first.
func (d Desk) End(ctx context.Context, id, by, reason string) (release.Silence, error) {
	all, err := d.Shelf.All(ctx)
	if err != nil {
		return release.Silence{}, err
	}
	i := slices.IndexFunc(all, func(s release.Silence) bool { return s.ID == id })
	if i < 0 {
		return release.Silence{}, hint.Add(fmt.Errorf("silence %s: %w", id, web.ErrNotFound), "see which there are: seatrial silence list")
	}
	meant := all[i].Until
	ended, ok := silence.End(all[i], by, reason, d.Now())
	if !ok {
		return all[i], fmt.Errorf("silence %s is over since %s: %w", id, meant.Format(time.RFC3339), web.ErrRefused)
	}
	if err := d.Shelf.Put(ctx, ended); errors.Is(err, release.ErrStale) {
		return ended, fmt.Errorf("silence %s: %w", id, web.ErrStale)
	} else if err != nil {
		return ended, err
	}
	return ended, d.Shelf.Release(ctx, id, meant)
}
