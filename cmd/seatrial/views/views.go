// Package views shows the parts of the platform to package web: releases, the board,
// what people may do, logs and changes.
//
// Start at Releases, Acts and Fleet, one for each part of web.Parts. It never decides
// anything: it reads, sorts and words.
package views

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/builds"
)

// as gives an error the kind that web understands and keeps its words.
type as struct {
	error
	kind error
}

func (a as) Is(target error) bool { return target == a.kind }

func (a as) Unwrap() error { return a.error }

// known gives the store's errors their kind for web.
func known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, release.ErrNotFound):
		return as{err, web.ErrNotFound}
	case errors.Is(err, release.ErrStale):
		return as{err, web.ErrStale}
	case errors.Is(err, store.ErrCompacted):
		return as{err, web.ErrTooOld}
	}
	return err
}

// Releases reads releases.
type Releases struct{ Book *store.Book }

// Release returns one whole release.
func (v Releases) Release(ctx context.Context, id release.ID) (release.Release, error) {
	r, err := v.Book.Release(ctx, id)
	return r, known(err)
}

// Releases returns a page, newest first.
func (v Releases) Releases(ctx context.Context, f web.Filter) (web.ReleasePage, error) {
	items, next, err := v.Book.Releases(ctx, store.Filter{Service: f.Service, Env: f.Env, Phase: f.Phase, Text: f.Query, After: f.After, Limit: f.Limit})
	return web.ReleasePage{Items: items, Next: next}, known(err)
}

// Returning are the releases of its set that would return from env with a release.
func (v Releases) Returning(ctx context.Context, id release.ID, env release.Env) ([]release.Release, error) {
	r, err := v.Book.Release(ctx, id)
	if err != nil {
		return nil, known(err)
	}
	others, err := v.Book.With(ctx, r)
	if err != nil {
		return nil, err
	}
	var list []release.Release
	for _, o := range others {
		slot, err := v.Book.Slot(ctx, o.Service, env)
		if err != nil {
			return nil, err
		}
		if pipeline.Returns(o, slot) {
			list = append(list, o)
		}
	}
	return list, nil
}

// Acts are what people may do to a release.
func Acts(r *pipeline.Runner, a *policies.Approving, groups policies.Groups) web.Acts {
	do := func(change func(release.Release, web.Act, time.Time) (release.Release, error)) web.Do {
		return func(ctx context.Context, act web.Act) (release.Release, error) {
			saved, err := r.Do(ctx, act.Release, act.IfVersion, func(rel release.Release, now time.Time) (release.Release, error) {
				next, err := change(rel, act, now)
				if err != nil {
					err = as{err, web.ErrRefused}
				}
				return next, err
			})
			return saved, known(err)
		}
	}
	return web.Acts{
		Hold: do(func(rel release.Release, act web.Act, now time.Time) (release.Release, error) {
			return pipeline.Hold(rel, act.By, act.Reason, now)
		}),
		Free: do(func(rel release.Release, act web.Act, now time.Time) (release.Release, error) {
			return pipeline.Free(rel, act.By, now)
		}),
		Retry: do(func(rel release.Release, act web.Act, now time.Time) (release.Release, error) {
			return pipeline.Retry(rel, act.By, act.Reason, now)
		}),
		Rollback: func(ctx context.Context, act web.Act) (release.Release, error) {
			if err := kept(ctx, r.Book, act); err != nil {
				return release.Release{}, err
			}
			return do(func(rel release.Release, act web.Act, now time.Time) (release.Release, error) {
				return pipeline.RollBack(rel, act.Env, act.To, act.By, act.Reason, now)
			})(ctx, act)
		},
		Approve: approve(r, a, groups),
	}
}

// kept refuses a release to return to that its environment does not keep, and names those
// that it does.
func kept(ctx context.Context, book pipeline.Book, act web.Act) error {
	if act.To == "" {
		return nil
	}
	rel, err := book.Release(ctx, act.Release)
	if err != nil {
		return known(err)
	}
	slot, err := book.Slot(ctx, rel.Service, act.Env)
	if err != nil {
		return known(err)
	}
	if _, ok := slot.ReturnTo(release.Stage{To: act.To}, act.Release); !ok {
		return notKept(slot, act.To, web.ErrRefused)
	}
	return nil
}

// approve records an approval of exactly what is there now and wakes the release.
func approve(r *pipeline.Runner, a *policies.Approving, groups policies.Groups) web.Do {
	return func(ctx context.Context, act web.Act) (release.Release, error) {
		rel, err := r.Book.Release(ctx, act.Release)
		if err != nil {
			return rel, known(err)
		}
		if act.IfVersion != 0 && act.IfVersion != rel.Version {
			return rel, as{fmt.Errorf("approve %s: it is at version %d, not %d", rel.ID, rel.Version, act.IfVersion), web.ErrStale}
		}
		if strings.HasPrefix(act.By, "token:") {
			err := fmt.Errorf("approve %s: a token is no person", rel.ID)
			return rel, as{hint.Add(err, "sign in to the console and approve there"), web.ErrRefused}
		}
		if rel.Phase != release.Approving || (act.Env != "" && act.Env != rel.Env()) {
			return rel, as{fmt.Errorf("approve %s for %s: it is %s in %q", rel.ID, act.Env, rel.Phase, rel.Env()), web.ErrRefused}
		}
		content, err := a.Content(ctx, rel)
		if err != nil {
			return rel, err
		}
		mine, err := groups(ctx, act.By)
		if err != nil {
			return rel, err
		}
		said := policies.Approval{By: act.By, Groups: mine, Digest: content.Digest(), Decision: policies.Approve, Reason: act.Reason}
		if err := a.Say(ctx, rel, said); err != nil {
			return rel, as{err, web.ErrRefused}
		}
		rel, err = r.Do(ctx, act.Release, 0, func(rel release.Release, now time.Time) (release.Release, error) {
			rel.Due = now
			return rel, nil
		})
		return rel, known(err)
	}
}

// Logs reads build logs.
type Logs struct{ Book *logs.Book }

// Log returns lines from a number on.
func (v Logs) Log(ctx context.Context, id release.ID, from, limit int) (builds.LogPage, error) {
	page, err := v.Book.Read(ctx, id, int64(from), limit)
	return builds.LogPage{Lines: lines(page.Lines), Next: int(page.Next), Done: page.Done}, err
}

// Follow calls fn with lines as they come.
func (v Logs) Follow(ctx context.Context, id release.ID, from int, fn func([]builds.LogLine) error) error {
	return v.Book.Subscribe(ctx, id, int64(from), func(l []logs.Line) error { return fn(lines(l)) })
}

// Search returns lines with a text in them.
func (v Logs) Search(ctx context.Context, id release.ID, q builds.LogQuery) (builds.LogMatches, error) {
	found, err := v.Book.Search(ctx, id, q.Text, q.After, q.Limit)
	return builds.LogMatches{Lines: lines(found.Lines), After: found.After}, err
}

func lines(in []logs.Line) []builds.LogLine {
	out := make([]builds.LogLine, 0, len(in))
	for _, l := range in {
		out = append(out, builds.LogLine{N: int(l.N), At: l.At, Step: l.Step, Stream: l.Stream, Text: l.Text})
	}
	return out
}

// Changes is the store's history in web's words.
type Changes struct{ KV store.KV }

// Revision is the newest revision.
func (v Changes) Revision(ctx context.Context) (release.Revision, error) { return v.KV.Revision(ctx) }

// Watch calls fn with every change of a release, a slot or a run.
func (v Changes) Watch(ctx context.Context, from release.Revision, fn func(web.Change) error) error {
	return known(v.KV.Watch(ctx, "", from, func(c store.Change) error {
		change, ok, err := read(c)
		if err != nil || !ok {
			return err
		}
		return fn(change)
	}))
}

func read(c store.Change) (change web.Change, ok bool, err error) {
	change.Revision = c.Modified
	kind, _, _ := strings.Cut(c.Key, "/")
	if c.Deleted {
		return change, false, nil
	}
	switch kind {
	case "release":
		r, err := store.DecodeRelease(c.Entry)
		change.Release = &r
		return change, true, err
	case "slot":
		s, err := store.DecodeSlot(c.Entry)
		change.Slot = &s
		return change, true, err
	case "run":
		r, err := decodeRun(c.Entry)
		change.Run = &r
		return change, true, err
	}
	return change, false, nil
}
