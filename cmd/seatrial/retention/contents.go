package retention

import (
	"context"
	"errors"

	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/release"
)

// FromGit reads contents from the desired-state branches. A revision that holds nothing
// that could be applied names nothing; one that cannot be read is an error.
func FromGit(environment func(release.Env) (release.Environment, error), d *desired.Store) Content {
	return func(ctx context.Context, env release.Env, s release.Service, revision release.Commit) ([]byte, error) {
		e, err := environment(env)
		if err != nil {
			return nil, err
		}
		at := e.Spec.DesiredState
		if revision == "" {
			revision, err = d.Head(ctx, at)
			if errors.Is(err, git.ErrNoRef) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
		}
		c, err := d.Read(ctx, at, s, revision)
		if _, nothing := errors.AsType[desired.Unreadable](err); nothing {
			return nil, nil
		}
		all := c.Rendered.YAML
		for _, v := range c.Rendered.Variants {
			all = append(append(all[:len(all):len(all)], "\n---\n"...), v.Rendered.YAML...)
		}
		return all, err
	}
}
