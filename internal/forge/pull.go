package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Pull is a pull request as the forge says when it is asked.
type Pull struct {
	Author string // the account that opened it
	Owner  string // whose repo the head is in; empty when that repo is gone
	Branch string // of the head, by its own account
	Base   string // the branch that it is to be merged into
	Fork   bool   // the head is in another repo than the base
	Open   bool
}

// Comment is a comment as the forge says when it is asked.
type Comment struct {
	Author string
	Body   string
}

// okToTest is the command that lets a fork's commit be built. It names the whole commit:
// a shorter name can be made to fit another one.
var okToTest = regexp.MustCompile(`(?m)^/ok-to-test[ \t]+([0-9a-f]{40})[ \t]*\r?$`)

// OKToTest is the commit that the comment says may be built; false when it says nothing
// of the kind, or speaks of more than one commit.
func (c Comment) OKToTest() (release.Commit, bool) {
	found := okToTest.FindAllStringSubmatch(c.Body, 2)
	if len(found) != 1 {
		return "", false
	}
	return release.Commit(found[0][1]), true
}

// PullRef is where both forges keep the head of a pull request, in the base's repo.
func PullRef(number int) string { return fmt.Sprintf("refs/pull/%d/head", number) }

const maxPull = 1 << 31 // numbers of pull requests are below

// pullPayload is the part of the events of pull requests and their comments that we read.
type pullPayload struct {
	Action     string `json:"action"`
	Number     int    `json:"number"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	PullRequest struct {
		Head struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
	Issue struct {
		Number      int              `json:"number"`
		PullRequest *json.RawMessage `json:"pull_request"`
	} `json:"issue"`
	Comment struct {
		ID   int64 `json:"id"`
		User struct {
			Login string `json:"login"`
		} `json:"user"`
		Body string `json:"body"`
	} `json:"comment"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
}

// ParsePull reads the body of a pull_request event whose signature was verified before;
// false when nothing happened that a build depends on.
func ParsePull(kind Kind, body []byte) (p Push, matters bool, err error) {
	var in pullPayload
	if err := json.Unmarshal(body, &in); err != nil {
		return Push{}, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch in.Action {
	case "opened", "reopened", "closed", "synchronize", "synchronized": // the last two are GitHub's and Gitea's word for a push
	default:
		return Push{}, false, nil
	}
	p = Push{Forge: kind, Repo: in.Repository.FullName, After: commit(in.PullRequest.Head.SHA), Pusher: in.Sender.Login}
	return p, true, p.ofPull(in.Number)
}

// ParseComment reads the body of an issue_comment event whose signature was verified
// before; false unless it is new, on a pull request, by its sender, and says /ok-to-test.
func ParseComment(kind Kind, body []byte) (p Push, matters bool, err error) {
	var in pullPayload
	if err := json.Unmarshal(body, &in); err != nil {
		return Push{}, false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c := Comment{Author: in.Comment.User.Login, Body: in.Comment.Body}
	named, ok := c.OKToTest()
	if !ok || in.Action != "created" || in.Issue.PullRequest == nil || c.Author != in.Sender.Login {
		return Push{}, false, nil
	}
	if in.Comment.ID <= 0 {
		return Push{}, false, fmt.Errorf("%w: comment.id %d", ErrMalformed, in.Comment.ID)
	}
	p = Push{Forge: kind, Repo: in.Repository.FullName, After: named, Pusher: c.Author, Comment: in.Comment.ID}
	return p, true, p.ofPull(in.Issue.Number)
}

func (p *Push) ofPull(number int) error {
	if number <= 0 || number >= maxPull {
		return fmt.Errorf("%w: pull request %d", ErrMalformed, number)
	}
	p.Pull, p.Ref = number, PullRef(number)
	return p.validate()
}

// Pull asks for a pull request; release.ErrNotFound when there is none.
func (f *Client) Pull(ctx context.Context, repo string, number int) (Pull, error) {
	var p Pull
	err := f.ask(ctx, repo, func(ctx context.Context, owner, name string) (err error) {
		p, err = f.api.pull(ctx, owner, name, number)
		return err
	})
	if err != nil {
		return Pull{}, fmt.Errorf("ask for pull request %d of %s: %w", number, repo, err)
	}
	return p, nil
}

// Comment asks for a comment; release.ErrNotFound when there is none.
func (f *Client) Comment(ctx context.Context, repo string, id int64) (Comment, error) {
	var c Comment
	err := f.ask(ctx, repo, func(ctx context.Context, owner, name string) (err error) {
		c, err = f.api.comment(ctx, owner, name, id)
		return err
	})
	if err != nil {
		return Comment{}, fmt.Errorf("ask for comment %d of %s: %w", id, repo, err)
	}
	return c, nil
}

func (f *Client) ask(ctx context.Context, repo string, question func(ctx context.Context, owner, name string) error) error {
	if !ValidRepo(repo) {
		return fmt.Errorf("repo %q is not owner/name", repo)
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	owner, name, _ := strings.Cut(repo, "/")
	err := question(ctx, owner, name)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == http.StatusNotFound {
		return fmt.Errorf("%w: %w", release.ErrNotFound, err)
	}
	return err
}

func (f giteaAPI) pull(ctx context.Context, owner, repo string, number int) (Pull, error) {
	g, err := f.client(ctx)
	if err != nil {
		return Pull{}, err
	}
	in, resp, err := g.GetPullRequest(owner, repo, int64(number))
	if err != nil {
		return Pull{}, giteaRefusal(err, resp)
	}
	if in.Base == nil || in.Head == nil {
		return Pull{}, errors.New("the answer names no base or no head")
	}
	p := Pull{Base: in.Base.Ref, Branch: in.Head.Ref, Open: in.State == "open", Fork: true}
	if in.Poster != nil {
		p.Author = in.Poster.UserName
	}
	if head := in.Head.Repository; head != nil {
		p.Fork = in.Base.RepoID == 0 || head.ID != in.Base.RepoID
		if head.Owner != nil {
			p.Owner = head.Owner.UserName
		}
	}
	return p, nil
}

func (f giteaAPI) comment(ctx context.Context, owner, repo string, id int64) (Comment, error) {
	g, err := f.client(ctx)
	if err != nil {
		return Comment{}, err
	}
	in, resp, err := g.GetIssueComment(owner, repo, id)
	if err != nil {
		return Comment{}, giteaRefusal(err, resp)
	}
	c := Comment{Body: in.Body}
	if in.Poster != nil {
		c.Author = in.Poster.UserName
	}
	return c, nil
}

func (g *githubAPI) pull(ctx context.Context, owner, repo string, number int) (Pull, error) {
	in, resp, err := g.client.PullRequests.Get(ctx, owner, repo, number)
	if err != nil {
		return Pull{}, githubRefusal(err, resp)
	}
	base, head := in.GetBase().GetRepo().GetID(), in.GetHead().GetRepo().GetID() // 0: it is gone
	return Pull{
		Author: in.GetUser().GetLogin(), Owner: in.GetHead().GetRepo().GetOwner().GetLogin(), Branch: in.GetHead().GetRef(),
		Base: in.GetBase().GetRef(), Open: in.GetState() == "open", Fork: head == 0 || head != base,
	}, nil
}

func (g *githubAPI) comment(ctx context.Context, owner, repo string, id int64) (Comment, error) {
	in, resp, err := g.client.Issues.GetComment(ctx, owner, repo, id)
	if err != nil {
		return Comment{}, githubRefusal(err, resp)
	}
	return Comment{Author: in.GetUser().GetLogin(), Body: in.GetBody()}, nil
}
