// Package builds introduces the builder to what it has to ask others: git for a commit's
// tree, signing for the proof of an artifact, the platform repo for the policies.
//
// Start at Sources. It never decides anything: an answer that nobody has stays an error.
package builds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// MaxPipeline bounds .seatrial.yaml when it is read from a commit. A larger file is
// read this far and refused by the parser, which says so.
const MaxPipeline = 1 << 20

// Sources are whom the builder asks.
type Sources struct {
	Repos    *git.Repos
	URL      func(repo string) string // where a repo is cloned from
	Verifier func() *signing.Verifier
	Builder  string // the builder's id
	Rego     func() map[string]string
	Projects func() map[string]release.Project
	Value    func(name string) secret.Text // of the server's secrets
}

// Checkout gives the builder the files of a commit, straight from git. How many of them a
// build may be sent is for the builder to say.
func (s Sources) Checkout(ctx context.Context, r release.Release) (tree fs.FS, committed time.Time, done func() error, err error) {
	url := s.URL(r.Repo)
	info, err := s.Repos.Info(ctx, url, r.Ref, r.Commit)
	if err != nil {
		return nil, time.Time{}, nil, err
	}
	tree, done, err = s.Repos.Files(ctx, url, r.Ref, r.Commit, git.Limits{Files: 200_000, Bytes: 4 << 30})
	return tree, info.Time, done, err
}

// Pipeline is .seatrial.yaml as it is in the release's commit; for a fork's as it was in
// the base branch when the release began, whatever the branch says now.
func (s Sources) Pipeline(ctx context.Context, r release.Release) (release.Pipeline, error) {
	ref, commit := r.Ref, r.Commit
	if r.Pull != nil && r.Pull.Fork {
		ref, commit = "refs/heads/"+r.Pull.Base, r.Pull.Pipeline
	}
	data, err := s.Repos.ReadFile(ctx, s.URL(r.Repo), ref, commit, spec.Name, MaxPipeline)
	if err != nil {
		return release.Pipeline{}, err
	}
	return spec.Parse(spec.Name, data)
}

// Tree is git's id of a folder in a release's commit; "" when it has no such folder,
// which the builder finds out with better words.
func (s Sources) Tree(ctx context.Context, r release.Release, path string) (string, error) {
	id, err := s.Repos.ObjectID(ctx, s.URL(r.Repo), r.Ref, r.Commit, path)
	if errors.Is(err, git.ErrNoFile) {
		return "", nil
	}
	return id, err
}

// Verify says what is missing or wrong with a release's artifact.
func (s Sources) Verify(ctx context.Context, r release.Release) ([]string, error) {
	report, err := s.Verifier().Verify(ctx, r.Artifact.Reference(), signing.ExpectOf(r, s.Builder))
	if err != nil {
		return nil, err
	}
	if len(report.Checks) == 0 {
		return []string{"nothing was checked"}, nil
	}
	return report.Refusals(), nil
}

// SecretOf is a secret that the release's project may use in its builds.
func (s Sources) SecretOf(r release.Release, name string) (value secret.Text, allowed bool, err error) {
	p, ok := s.Projects()[r.Project]
	if !ok {
		return "", false, hint.Add(fmt.Errorf("project %q of %s is not in the platform repo", r.Project, r.Service), "bring it back, or hold the release")
	}
	if !slices.Contains(p.Spec.Secrets, name) {
		return "", false, nil
	}
	return s.Value(name), true, nil
}

// Secrets are those of all projects: none of them may show up anywhere.
func (s Sources) Secrets() []secret.Text {
	var out []secret.Text
	for _, p := range s.Projects() {
		for _, name := range p.Spec.Secrets {
			out = append(out, s.Value(name))
		}
		for _, l := range p.Spec.Registries {
			out = append(out, s.Value(l.Secret))
		}
	}
	return out
}

// Logins are those of one project, and of no other.
func (s Sources) Logins(project string) []oci.Host {
	var out []oci.Host
	for _, l := range s.Projects()[project].Spec.Registries {
		out = append(out, oci.Host{Name: l.Host, User: l.User, Password: s.Value(l.Secret), TokenHost: l.TokenHost,
			Of: fmt.Sprintf("secret %s of project %s", l.Secret, project)})
	}
	return out
}

// As lets what an action asks of registries be asked with the logins of its release's
// project. A fork's commit has none, whoever's it wants to be.
func As(act pipeline.Action) pipeline.Action {
	return func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
		if r.Pull != nil && r.Pull.Fork {
			return act(oci.Anonymous(ctx), key, r)
		}
		return act(oci.As(ctx, r.Project), key, r)
	}
}

// Policies is a digest of the platform repo's policies.
func (s Sources) Policies() string {
	raw, err := json.Marshal(s.Rego()) // keys come sorted
	if err != nil {                    // plain strings always encode
		return ""
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}
