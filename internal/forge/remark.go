package forge

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"code.gitea.io/sdk/gitea"
	"github.com/google/go-github/v72/github"
)

// How many comments of a pull request are looked through.
const (
	remarksPage  = 50
	remarksPages = 20
)

// remark is a comment that may be ours.
type remark struct {
	id           int64
	author, body string
}

// KeepComment makes a comment of our own on a pull request that begins with marker say
// body: it edits the one that is there, or writes it. body has to begin with marker, too.
func (f *Client) KeepComment(ctx context.Context, repo string, number int, marker, body string) error {
	if marker == "" || !strings.HasPrefix(body, marker) {
		return errors.New("keep a comment: it does not begin with its marker")
	}
	err := f.ask(ctx, repo, func(ctx context.Context, owner, name string) error {
		me, err := f.api.me(ctx)
		if err != nil {
			return fmt.Errorf("ask whose token it is: %w", err)
		}
		first := int64(0)
		for page := 1; page <= remarksPages; page++ {
			list, err := f.api.remarks(ctx, owner, name, number, page)
			if err != nil {
				return err
			}
			for _, c := range list {
				if c.author == me && strings.HasPrefix(c.body, marker) {
					if c.body == body {
						return nil
					}
					return f.api.edit(ctx, owner, name, c.id, body)
				}
			}
			if len(list) < remarksPage || list[0].id == first { // Gitea gives all of them on every page
				break
			}
			first = list[0].id
		}
		return f.api.say(ctx, owner, name, number, body)
	})
	if err != nil {
		return fmt.Errorf("comment on pull request %d of %s: %w", number, repo, err)
	}
	return nil
}

func (f giteaAPI) me(ctx context.Context) (string, error) {
	g, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	u, resp, err := g.GetMyUserInfo()
	if err != nil {
		return "", giteaRefusal(err, resp)
	}
	return u.UserName, nil
}

func (f giteaAPI) remarks(ctx context.Context, owner, repo string, number, page int) ([]remark, error) {
	g, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	list, resp, err := g.ListIssueComments(owner, repo, int64(number), gitea.ListIssueCommentOptions{ListOptions: gitea.ListOptions{Page: page, PageSize: remarksPage}})
	if err != nil {
		return nil, giteaRefusal(err, resp)
	}
	var out []remark
	for _, c := range list {
		one := remark{id: c.ID, body: c.Body}
		if c.Poster != nil {
			one.author = c.Poster.UserName
		}
		out = append(out, one)
	}
	return out, nil
}

func (f giteaAPI) edit(ctx context.Context, owner, repo string, id int64, body string) error {
	g, err := f.client(ctx)
	if err != nil {
		return err
	}
	if _, resp, err := g.EditIssueComment(owner, repo, id, gitea.EditIssueCommentOption{Body: body}); err != nil {
		return giteaRefusal(err, resp)
	}
	return nil
}

func (f giteaAPI) say(ctx context.Context, owner, repo string, number int, body string) error {
	g, err := f.client(ctx)
	if err != nil {
		return err
	}
	if _, resp, err := g.CreateIssueComment(owner, repo, int64(number), gitea.CreateIssueCommentOption{Body: body}); err != nil {
		return giteaRefusal(err, resp)
	}
	return nil
}

func (g *githubAPI) me(ctx context.Context) (string, error) {
	u, resp, err := g.client.Users.Get(ctx, "")
	if err != nil {
		return "", githubRefusal(err, resp)
	}
	return u.GetLogin(), nil
}

func (g *githubAPI) remarks(ctx context.Context, owner, repo string, number, page int) ([]remark, error) {
	list, resp, err := g.client.Issues.ListComments(ctx, owner, repo, number, &github.IssueListCommentsOptions{ListOptions: github.ListOptions{Page: page, PerPage: remarksPage}})
	if err != nil {
		return nil, githubRefusal(err, resp)
	}
	var out []remark
	for _, c := range list {
		out = append(out, remark{id: c.GetID(), author: c.GetUser().GetLogin(), body: c.GetBody()})
	}
	return out, nil
}

func (g *githubAPI) edit(ctx context.Context, owner, repo string, id int64, body string) error {
	if _, resp, err := g.client.Issues.EditComment(ctx, owner, repo, id, &github.IssueComment{Body: &body}); err != nil {
		return githubRefusal(err, resp)
	}
	return nil
}

func (g *githubAPI) say(ctx context.Context, owner, repo string, number int, body string) error {
	if _, resp, err := g.client.Issues.CreateComment(ctx, owner, repo, number, &github.IssueComment{Body: &body}); err != nil {
		return githubRefusal(err, resp)
	}
	return nil
}
