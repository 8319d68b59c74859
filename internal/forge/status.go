package forge

import (
	"context"

	"code.gitea.io/sdk/gitea"
	"github.com/google/go-github/v72/github"
	"github.com/seatrial/seatrial/release"
)

// giteaAPI is a Gitea.
type giteaAPI struct{ *Client }

// client is made for each call: Gitea's SDK keeps the context in the client.
func (f giteaAPI) client(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(f.config.URL,
		gitea.SetContext(ctx),
		gitea.SetGiteaVersion(""), // else it asks for the version first
		gitea.SetToken(f.config.Token.Reveal()),
		gitea.SetHTTPClient(f.http),
		gitea.SetUserAgent("seatrial"))
}

func (f giteaAPI) status(ctx context.Context, owner, repo string, c release.Commit, s Status) error {
	g, err := f.client(ctx)
	if err != nil {
		return err
	}
	_, resp, err := g.CreateStatus(owner, repo, string(c), gitea.CreateStatusOption{
		State:       gitea.StatusState(s.State),
		TargetURL:   s.Target,
		Description: cut(s.Description, giteaDescription),
		Context:     s.Context,
	})
	return giteaRefusal(err, resp)
}

func giteaRefusal(err error, resp *gitea.Response) error {
	if resp == nil {
		return err
	}
	return refusal(err, resp.Response)
}

type githubAPI struct{ client *github.Client }

func (f *Client) github() (*githubAPI, error) {
	c := github.NewClient(f.http).WithAuthToken(f.config.Token.Reveal())
	c.UserAgent = "seatrial"
	if f.config.URL == "" {
		return &githubAPI{c}, nil
	}
	c, err := c.WithEnterpriseURLs(f.config.URL, f.config.URL)
	if err != nil {
		return nil, err
	}
	return &githubAPI{c}, nil
}

func (g *githubAPI) status(ctx context.Context, owner, repo string, c release.Commit, s Status) error {
	out := &github.RepoStatus{
		State:       github.Ptr(string(s.State)),
		Description: github.Ptr(cut(s.Description, githubDescription)),
		Context:     github.Ptr(s.Context),
	}
	if s.Target != "" {
		out.TargetURL = github.Ptr(s.Target)
	}
	_, resp, err := g.client.Repositories.CreateStatus(ctx, owner, repo, string(c), out)
	return githubRefusal(err, resp)
}

func githubRefusal(err error, resp *github.Response) error {
	if resp == nil {
		return err
	}
	return refusal(err, resp.Response)
}
