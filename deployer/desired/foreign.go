package desired

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/release"
)

// maxForeign bounds how many commits are looked at for people's pushes. We may make thousands
// between two looks: one for each service of a repo that changed.
const maxForeign = 10_000

// Push is a person's change of one service on the branch.
type Push struct {
	Service release.Service
	Commit  release.Commit // the newest commit that changed it
	Author  string
	Email   string
	Time    time.Time
	Subject string
}

// Foreign lists what people, not we, changed on the branch between since and head, per
// service the newest change; a service that we committed afterwards is left out. An empty
// since looks at the whole branch. When somebody has rewritten it, every service that is not
// as it was at since was changed by a person: we never rewrite.
func (s *Store) Foreign(ctx context.Context, at release.DesiredState, since, head release.Commit) ([]Push, error) {
	if head == "" || head == since {
		return nil, nil
	}
	log, err := s.repos.Log(ctx, s.locate(at.Repo), at.Branch, head, since, maxForeign)
	if err != nil {
		return nil, err
	}
	return foreignIn(log), nil
}

// foreignIn decides, newest commit first, whose the last word on each service was.
func foreignIn(log []git.Logged) []Push {
	var out []Push
	settled := map[release.Service]bool{}
	for _, c := range log {
		ours := c.Key != "" && !c.Rewritten
		for _, p := range c.Paths {
			svc, ok := serviceOf(p)
			if !ok || settled[svc] {
				continue
			}
			settled[svc] = true
			if !ours {
				push := Push{Service: svc, Commit: c.Commit, Author: c.Author, Email: c.Email, Time: c.Time, Subject: c.Subject}
				if c.Key != "" {
					push.Author, push.Email = "somebody who rewrote the branch", "" // of the commit are we the author
				}
				out = append(out, push)
			}
		}
	}
	slices.SortFunc(out, func(a, b Push) int { return strings.Compare(string(a.Service), string(b.Service)) })
	return out
}
