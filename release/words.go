package release

import (
	"fmt"
	"regexp"
	"strings"
)

// Service is a deployable unit, "team/name", for example "shop/web".
type Service string

// Commit is a full git commit id in lower-case hex, for example
// "3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817".
type Commit string

// Digest names content by its hash, for example "sha256:9f86d0…".
type Digest string

// Env is the name of an environment, for example "staging".
type Env string

// ID names a release: service and commit with dots, "shop.web.3f2a91c07d0b". The same
// push therefore always means the same release.
type ID string

// Revision orders everything that was ever saved; the store hands it out. Zero means
// "not saved yet".
type Revision int64

var (
	label  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	commit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// ValidName reports whether s can name a team, a service, a cluster or any other
// object: lower-case letters, digits and dashes, at most 63.
func ValidName(s string) bool { return label.MatchString(s) }

// ParseService reads "team/name".
func ParseService(s string) (Service, error) {
	team, name, ok := strings.Cut(s, "/")
	if !ok || !ValidName(team) || !ValidName(name) {
		return "", fmt.Errorf("service %q: want team/name in lower-case letters, digits and dashes", s)
	}
	return Service(s), nil
}

// Team is the part before the slash.
func (s Service) Team() string { team, _, _ := strings.Cut(string(s), "/"); return team }

// Name is the part after the slash.
func (s Service) Name() string { _, name, _ := strings.Cut(string(s), "/"); return name }

// Valid reports whether c is a full commit id.
func (c Commit) Valid() bool { return commit.MatchString(string(c)) }

// Short is the first twelve digits, what people read.
func (c Commit) Short() string { return string(c[:min(12, len(c))]) }

// Valid reports whether d is a SHA-256 digest.
func (d Digest) Valid() bool { return digest.MatchString(string(d)) }

// Hex is the digest without its algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// NewID names the release of one commit of one service.
func NewID(s Service, c Commit) ID {
	return ID(s.Team() + "." + s.Name() + "." + c.Short())
}

// NewPullID names the release of one commit of a pull request, "shop.web.pr7.3f2a91c07d0b":
// the same commit may be released from a branch, too.
func NewPullID(s Service, number int, c Commit) ID {
	return ID(fmt.Sprintf("%s.%s.pr%d.%s", s.Team(), s.Name(), number, c.Short()))
}
