// Package forge is the one door to the places where repositories live: Gitea (and
// Forgejo) and GitHub. It reads what their webhooks say, asks about pull requests and
// writes commit statuses.
//
// Start at Kind, then ParsePush, ParsePull and Client. It never verifies a webhook's signature
// (web/hooks does, before it parses), never reads repositories (internal/git does) and
// never sends its token to another host than the configured one.
package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// Kind says which API a forge speaks.
type Kind string

// The forges we know. Forgejo speaks Gitea's API.
const (
	Gitea  Kind = "gitea"
	GitHub Kind = "github"
)

// Config is how to reach one forge.
type Config struct {
	Kind    Kind
	URL     string        // "https://git.example"; for GitHub empty means github.com
	Token   secret.Text   // may set commit statuses and read pull requests
	Timeout time.Duration // of one call; default 10s
}

// Validate names the first mistake.
func (c Config) Validate() error {
	if c.Kind != Gitea && c.Kind != GitHub {
		return fmt.Errorf("forge kind %q is neither gitea nor github", c.Kind)
	}
	if c.URL == "" && c.Kind == GitHub {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("forge url %q: want http(s)://host", c.URL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return hint.Add(errors.New("forge url: carries credentials, a query or a fragment"), "put the token into its own setting")
	}
	return nil
}

// Status is what a commit's page on the forge is to say.
type Status struct {
	Context     string // "seatrial/staging"
	State       State
	Description string // cut to what the forge takes
	Target      string // http(s) link to the release; may be empty
}

// State is the colour of a status.
type State string

// The states both forges know.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure" // the release was refused
	Broken  State = "error"   // we could not find out
)

// Client calls one forge. It is safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client
	api    api
}

// api is the part that differs from forge to forge.
type api interface {
	status(ctx context.Context, owner, repo string, c release.Commit, s Status) error
	pull(ctx context.Context, owner, repo string, number int) (Pull, error)
	comment(ctx context.Context, owner, repo string, id int64) (Comment, error)

	me(ctx context.Context) (login string, err error)
	remarks(ctx context.Context, owner, repo string, number, page int) ([]remark, error)
	edit(ctx context.Context, owner, repo string, id int64, body string) error
	say(ctx context.Context, owner, repo string, number int, body string) error
}

// The longest description each forge takes, in characters.
const (
	giteaDescription  = 255
	githubDescription = 140
)

const (
	maxAnswer      = 1 << 20 // bytes of a forge's answer that are read
	defaultTimeout = 10 * time.Second
)

// New makes a client; nothing is called yet.
func New(c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	c.URL = strings.TrimSuffix(c.URL, "/")
	f := &Client{config: c, http: &http.Client{
		Timeout:       c.Timeout,
		Transport:     bounded{http.DefaultTransport},
		CheckRedirect: sameHost,
	}}
	if c.Kind == Gitea {
		f.api = giteaAPI{f}
		return f, nil
	}
	gh, err := f.github()
	if err != nil {
		return nil, fmt.Errorf("forge url %q: %w", c.URL, err)
	}
	f.api = gh
	return f, nil
}

// repoName is "owner/name" as both forges allow it.
var repoName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`)

// SetStatus sets the status of one commit; the same context replaces what was there.
func (f *Client) SetStatus(ctx context.Context, repo string, c release.Commit, s Status) error {
	owner, name, _ := strings.Cut(repo, "/")
	if !ValidRepo(repo) {
		return fmt.Errorf("set status: repo %q is not owner/name", repo)
	}
	if !c.Valid() {
		return fmt.Errorf("set status of %s: commit %q is not a full id", repo, c)
	}
	if err := s.validate(); err != nil {
		return fmt.Errorf("set status of %s: %w", repo, err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	if err := f.api.status(ctx, owner, name, c, s); err != nil {
		return fmt.Errorf("set status %s of %s@%s: %w", s.Context, repo, c.Short(), err)
	}
	return nil
}

func (s Status) validate() error {
	switch s.State {
	case Pending, Success, Failure, Broken:
	default:
		return fmt.Errorf("state %q is unknown", s.State)
	}
	if s.Context == "" {
		return errors.New("status context is empty")
	}
	if s.Target == "" {
		return nil
	}
	// A javascript: link on the forge's page would run with its reader's rights.
	u, err := url.Parse(s.Target)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("status target %q: want an http(s) link", s.Target)
	}
	return nil
}

// ValidRepo reports whether repo is "owner/name" and stays two steps of a path.
func ValidRepo(repo string) bool {
	owner, name, _ := strings.Cut(repo, "/")
	return repoName.MatchString(repo) && strings.Trim(owner, ".") != "" && strings.Trim(name, ".") != ""
}

// cut shortens s to at most n characters, on one line.
func cut(s string, n int) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > n {
		r = append(r[:n-1], '…')
	}
	return string(r)
}

// sameHost follows redirects only within the configured host, so the token stays there.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > 3 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("refused redirect to %s", req.URL.Host)
	}
	return nil
}

// bounded cuts answers off, since both SDKs read them to the end.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = capped{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

type capped struct {
	io.Reader
	io.Closer
}
