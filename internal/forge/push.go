package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/release"
)

// Push is what a webhook says happened: a branch moved, or something about a pull request.
// It is a hint, not a fact: whoever acts on it reads Ref again from the configured remote,
// and asks the forge for the rest.
type Push struct {
	Forge    Kind           `json:"forge"`
	Delivery string         `json:"delivery"` // the forge's id of this delivery
	Repo     string         `json:"repo"`     // "shop/web"
	Ref      string         `json:"ref"`      // "refs/heads/main"
	Before   release.Commit `json:"before,omitempty"`
	After    release.Commit `json:"after,omitempty"`
	Pusher   string         `json:"pusher,omitempty"` // the account the forge let push
	Deleted  bool           `json:"deleted,omitempty"`

	Pull    int   `json:"pull,omitempty"`    // number of the pull request that Ref is the head of
	Comment int64 `json:"comment,omitempty"` // id of the comment that says /ok-to-test to After
}

// Branch is the branch's name; false for tags and other refs.
func (p Push) Branch() (string, bool) { return strings.CutPrefix(p.Ref, "refs/heads/") }

// ErrMalformed: a push whose content makes no sense.
var ErrMalformed = errors.New("malformed push")

const (
	maxRef   = 255
	noCommit = "0000000000000000000000000000000000000000" // git's "no commit"
)

// payload is the part of a push event that we read; all else is skipped unseen.
type payload struct {
	Ref        string `json:"ref"`
	Before     string `json:"before"`
	After      string `json:"after"`
	Deleted    bool   `json:"deleted"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Pusher struct {
		Login    string `json:"login"`    // Gitea
		Username string `json:"username"` // Gitea before 1.20
		Name     string `json:"name"`     // GitHub
	} `json:"pusher"`
}

// ParsePush reads the body of a push event whose signature was verified before.
func ParsePush(kind Kind, body []byte) (Push, error) {
	var in payload
	if err := json.Unmarshal(body, &in); err != nil {
		return Push{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	p := Push{
		Forge: kind, Repo: in.Repository.FullName, Ref: in.Ref,
		Before: commit(in.Before), After: commit(in.After),
		Deleted: in.Deleted || in.After == noCommit,
	}
	switch kind {
	case GitHub:
		p.Pusher = in.Pusher.Name
	default:
		p.Pusher = first(in.Pusher.Login, in.Pusher.Username)
	}
	return p, p.validate()
}

func (p Push) validate() error {
	switch {
	case !ValidRepo(p.Repo):
		return fmt.Errorf("%w: repository.full_name %q is not owner/name", ErrMalformed, cut(p.Repo, 80))
	case !validRef(p.Ref):
		return fmt.Errorf("%w: ref %q", ErrMalformed, cut(p.Ref, 80))
	case !p.Deleted && !p.After.Valid():
		return fmt.Errorf("%w: after %q is not a full commit id", ErrMalformed, cut(string(p.After), 80))
	case p.Before != "" && !p.Before.Valid():
		return fmt.Errorf("%w: before %q is not a full commit id", ErrMalformed, cut(string(p.Before), 80))
	case len(p.Pusher) > 100 || strings.ContainsFunc(p.Pusher, control):
		return fmt.Errorf("%w: pusher %q", ErrMalformed, cut(p.Pusher, 80))
	}
	return nil
}

// validRef follows git's own rules for names closely enough that nothing dangerous
// passes: no control characters, no "..", none of the characters git forbids.
func validRef(ref string) bool {
	return strings.HasPrefix(ref, "refs/") && len(ref) > len("refs/") && len(ref) <= maxRef && utf8.ValidString(ref) &&
		!strings.ContainsFunc(ref, control) && !strings.ContainsAny(ref, " ~^:?*[\\") &&
		!strings.Contains(ref, "..") && !strings.Contains(ref, "//") && !strings.Contains(ref, "@{") &&
		!strings.HasSuffix(ref, "/") && !strings.HasSuffix(ref, ".lock") && !strings.HasSuffix(ref, ".")
}

func control(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// commit is empty for git's "no commit".
func commit(s string) release.Commit {
	if s == noCommit {
		return ""
	}
	return release.Commit(s)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
