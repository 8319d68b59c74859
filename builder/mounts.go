package builder

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/secrets"
	"github.com/seatrial/seatrial/builder/transfer"
	"github.com/seatrial/seatrial/release"
)

var (
	secretID    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	contextName = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	pinnedImage = regexp.MustCompile(`^docker-image://([^@]+)@(sha256:[0-9a-f]{64})$`)
)

// validateMounts is about what steps see beside the context.
func (p Plan) validateMounts() error {
	if len(p.Secrets) > 0 && !p.trusted() && !p.folder {
		return refuse("push the commit to a branch of the service's own repository", "secrets are for branches and tags, not for %s", p.Ref)
	}
	for i, id := range p.Secrets {
		if !secretID.MatchString(id) || slices.Contains(p.Secrets[:i], id) {
			return refuse(inPipeline, "secret %q: want each id once, like npmrc", id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Contexts)) {
		from := p.Contexts[name]
		if !contextName.MatchString(name) || !pinnedImage.MatchString(from) && (strings.Contains(from, "://") || !filepath.IsLocal(from)) {
			return refuse(inPipeline, "context %s: %q is neither a folder of the repository nor docker-image://NAME@sha256:…", name, from)
		}
	}
	return nil
}

// cleaned are the named contexts, each folder in one spelling.
func cleaned(contexts map[string]string) map[string]string {
	out := maps.Clone(contexts)
	for name, from := range out {
		if !strings.Contains(from, "://") {
			out[name] = filepath.Clean(from)
		}
	}
	return out
}

// secretsOf asks for the secrets that a plan mounts.
func (b *Builder) secretsOf(r release.Release, p Plan) (secrets.Set, error) {
	set := secrets.Set{}
	for _, want := range p.wanted {
		value, allowed, err := b.p.SecretOf(r, want.Name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("ask for secret %s: %w", want.Name, err)
		case !allowed:
			return nil, refuse("have an operator add it to spec.secrets of the project in the platform repo, then retry the release", "project %s has no secret %q", p.project, want.Name)
		case value == "":
			return nil, refuse("have an operator set its variable SEATRIAL_SECRET_<NAME> and start the server again, then retry the release", "secret %q has no value on the server", want.Name)
		case !logs.NewMasker(value).Found(value.Reveal()):
			return nil, refuse("have an operator replace it by a longer one", "secret %q is too short to be kept out of the build's log", want.Name)
		}
		set[want.ID] = value
	}
	return set, nil
}

// declared refuses a Dockerfile that mounts what the pipeline does not name.
func (s *source) declared(p Plan) error {
	for _, m := range secrets.Mounts(s.text) {
		if !slices.Contains(p.Secrets, m.ID) {
			return refuse(fmt.Sprintf("add {id: %s, name: NAME} with the name of one of the project's secrets to spec.build.secrets in .seatrial.yaml", m.ID),
				"%s:%d: secret %s is mounted and not declared", s.shown, m.Line, m.ID)
		}
	}
	return nil
}

// openContexts opens the folders among the named contexts. Each has an ignore file of its
// own, which BuildKit reads as well.
func (s *source) openContexts(ctx context.Context, p Plan, m *transfer.Measure) error {
	s.named = map[string]fsutil.FS{}
	for _, name := range slices.Sorted(maps.Keys(p.Contexts)) {
		from := p.Contexts[name]
		if pinnedImage.MatchString(from) {
			continue
		}
		folder, err := inside(s.tree, from)
		if err != nil {
			return err
		}
		ignored, err := readIgnore(s.tree, path.Join(from, ".dockerignore"))
		if err != nil {
			return err
		}
		patterns, err := ignorefile.ReadAll(strings.NewReader(string(ignored)))
		if err != nil {
			return refuse(inPipeline, "%s/.dockerignore: %v", from, err)
		}
		s.named[name] = transfer.New(folder, s.when)
		if err := m.Add(ctx, s.named[name], patterns); err != nil {
			return refused(err)
		}
	}
	return nil
}

// images are the named contexts that are images.
func (p Plan) images() []base {
	var out []base
	for _, name := range slices.Sorted(maps.Keys(p.Contexts)) {
		if m := pinnedImage.FindStringSubmatch(p.Contexts[name]); m != nil {
			out = append(out, base{Name: m[1], Digest: release.Digest(m[2]), Pinned: true})
		}
	}
	return out
}
