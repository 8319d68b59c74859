// Package consents keeps what people say about experiments before they are run, and is the
// server's end of it.
//
// Start at Desk, then Votes. It never decides whether enough people have agreed: chaos/consent
// does, and asks for the people as they are now.
package consents

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
)

// Votes keeps votes in the store. What was said is never removed, and changed only by the
// run that uses it.
type Votes struct {
	KV     store.KV
	Groups func(ctx context.Context, person string) ([]string, error) // as they are now; none of somebody who is not known
	Tokens func(ctx context.Context) ([]auth.Token, error)
	Now    func() time.Time
}

const (
	prefix = "consent/"
	lasts  = 31 * 24 * time.Hour // no rule lets an approval count for longer
	atOnce = 500                 // votes in one read of the store
)

func place(experiment string, env release.Env) string {
	return prefix + string(env) + "/" + experiment + "/"
}

func key(v consent.Vote) string {
	return place(v.Experiment, v.Env) + store.TimeKey(v.At, v.By)
}

// Given lists what was said in the last 31 days, newest first, with the groups that people
// had then and still have.
func (v Votes) Given(ctx context.Context, experiment string, env release.Env) ([]consent.Vote, error) {
	var out []consent.Vote
	now := map[string][]string{}
	here := place(experiment, env)
	for after := ""; ; {
		page, err := v.KV.List(ctx, here, after, atOnce)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			one := consent.Vote{Version: e.Modified}
			if err := json.Unmarshal(e.Value, &one); err != nil {
				return nil, fmt.Errorf("read %s: %w", e.Key, err)
			}
			if v.Now().Sub(one.At) > lasts {
				return out, nil
			}
			if _, ok := now[one.By]; !ok {
				if now[one.By], err = v.Groups(ctx, one.By); err != nil {
					return nil, fmt.Errorf("read groups of %s: %w", one.By, err)
				}
			}
			one.Groups = slices.DeleteFunc(one.Groups, func(g string) bool { return !slices.Contains(now[one.By], g) })
			out = append(out, one)
		}
		if len(page) < atOnce {
			return out, nil
		}
		after = page[len(page)-1].Key
	}
}

// Names are all names of whoever starts a run: of a token also those who made one of that
// name, and where that was a token too, those who made it. One that nobody knows any more
// could be anybody's: that is an error.
func (v Votes) Names(ctx context.Context, by string) ([]string, error) {
	names := []string{by}
	if !strings.HasPrefix(by, consent.Robot) {
		return names, nil
	}
	all, err := v.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(names); i++ {
		token, ok := strings.CutPrefix(names[i], consent.Robot)
		known := !ok || i == 0
		for _, t := range all {
			if !ok || t.Name != token {
				continue
			}
			if known = true; !slices.Contains(names, t.By) {
				names = append(names, t.By)
			}
		}
		if !known {
			return nil, hint.Add(fmt.Errorf("who made %s, which made %s, is not known any more: %w", names[i], by, web.ErrRefused), "start it as a person, or with a token that a person has made")
		}
	}
	return names, nil
}

// Use marks votes as used by a run, all or none: release.ErrStale when one has changed.
func (v Votes) Use(ctx context.Context, votes []consent.Vote, run string) error {
	var t store.Txn
	for _, one := range votes {
		one.Run = run
		value, err := json.Marshal(one)
		if err != nil {
			return err
		}
		t.If = append(t.If, store.Condition{Key: key(one), Modified: one.Version})
		t.Put = append(t.Put, store.Put{Key: key(one), Value: value})
	}
	_, err := v.KV.Commit(ctx, t)
	return err
}

// Add keeps what a person says, with the groups of that moment.
func (v Votes) Add(ctx context.Context, one consent.Vote) error {
	value, err := json.Marshal(one)
	if err != nil {
		return err
	}
	_, err = v.KV.Commit(ctx, store.Txn{If: []store.Condition{{Key: key(one)}}, Put: []store.Put{{Key: key(one), Value: value}}})
	return err
}
