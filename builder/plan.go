package builder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/builder/secrets"
	"github.com/seatrial/seatrial/release"
)

var (
	platformName = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/v[0-9]+)?$`)
	argName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	secretName   = regexp.MustCompile(`(?i)(passw(or)?d|secret|token|credential|api_?key|private_?key)`)
)

// Plan is everything a build depends on that somebody chose: what a person needs to
// repeat it, and what its provenance states.
type Plan struct {
	Service    release.Service      `json:"service"`
	Repository string               `json:"repository"`
	Ref        string               `json:"ref"`
	Commit     release.Commit       `json:"commit"`
	Pipeline   release.Digest       `json:"pipeline"` // of .seatrial.yaml as it was read
	Context    string               `json:"context"`
	Dockerfile string               `json:"dockerfile,omitempty"`
	Planned    *plan.Plan           `json:"planned,omitempty"` // instead of a Dockerfile
	Target     string               `json:"target,omitempty"`
	Args       map[string]string    `json:"args"`
	Platforms  []string             `json:"platforms"`
	Checks     []release.BuildCheck `json:"checks,omitempty"`
	Secrets    []string             `json:"secrets,omitempty"`  // ids of what steps may mount
	Contexts   map[string]string    `json:"contexts,omitempty"` // by name

	project  string        // whose caches it may use
	pull     *release.Pull // that it is built for; nil: none
	kept     bool          // the image is pushed
	folder   bool          // it is of a working folder
	timeout  time.Duration
	named    bool               // the pipeline says which Dockerfile
	override *release.BuildPlan // the pipeline wants a plan
	wanted   []release.BuildSecret
	mounts   secrets.Set
}

// newPlan reads the pipeline strictly: what is odd is refused, not guessed.
func newPlan(r release.Release, p release.Pipeline, cfg Config) (Plan, error) {
	s := p.Spec.Build
	raw, err := json.Marshal(p)
	if err != nil {
		return Plan{}, fmt.Errorf("encode the pipeline: %w", err)
	}
	sum := sha256.Sum256(raw)
	out := Plan{
		Service: r.Service, Repository: r.Repo, Ref: r.Ref, Commit: r.Commit,
		Pipeline: release.Digest("sha256:" + hex.EncodeToString(sum[:])),
		Context:  or(s.Context, "."), Dockerfile: or(s.Dockerfile, "Dockerfile"), Target: s.Target,
		Args: map[string]string{}, Platforms: slices.Clone(s.Platforms), Checks: s.Checks, Contexts: cleaned(s.Contexts), timeout: s.Timeout.Std(),
		project: or(r.Project, string(r.Service)), pull: r.Pull, kept: cfg.keeps(r), folder: cfg.Folder != nil, named: s.Dockerfile != "", override: s.Plan, wanted: s.Secrets,
	}
	for _, x := range s.Secrets {
		out.Secrets = append(out.Secrets, x.ID)
	}
	if len(out.Platforms) == 0 {
		out.Platforms = []string{"linux/amd64"}
	}
	if out.timeout <= 0 {
		out.timeout = cfg.Timeout
	}
	out.Args["VERSION"], out.Args["COMMIT"] = r.Commit.Short(), string(r.Commit)
	maps.Copy(out.Args, s.Args)
	return out, out.validate()
}

// as is the plan once it is known what the tree holds.
func (p Plan) as(src *source) Plan {
	if src.planned != nil {
		p.Dockerfile, p.Planned = "", src.planned
	}
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

const inPipeline = "correct .seatrial.yaml and push again"

func (p Plan) validate() error {
	if !filepath.IsLocal(p.Context) || !filepath.IsLocal(p.Dockerfile) {
		return refuse(inPipeline, "build context %q or Dockerfile %q lies outside the repository", p.Context, p.Dockerfile)
	}
	seen := map[string]bool{}
	for _, name := range p.Platforms {
		if !platformName.MatchString(name) || seen[name] {
			return refuse(inPipeline, "platform %q: want each once, like linux/arm64", name)
		}
		seen[name] = true
	}
	names := slices.Collect(maps.Keys(p.Args))
	for _, c := range p.Checks {
		names = slices.AppendSeq(names, maps.Keys(c.Matrix))
	}
	for _, name := range names {
		switch {
		case !argName.MatchString(name) || strings.HasPrefix(name, "BUILDKIT_") || name == "SOURCE_DATE_EPOCH":
			return refuse(inPipeline, "build argument %q is not allowed", name)
		case secretName.MatchString(name):
			return refuse("build arguments end up in the image and its provenance; take the secret where the service runs instead", "build argument %s looks like a secret", name)
		}
	}
	return p.validateMounts()
}

// holdsNo refuses a plan that holds a secret's value: it would be published with the
// provenance.
func (p Plan) holdsNo(mask *logs.Masker) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	if mask.Found(string(raw)) {
		return refuse("take it out of .seatrial.yaml and change the secret: it has been in git", "the build's parameters hold the value of a secret, which the provenance would publish")
	}
	return nil
}

// caches says whose cache mounts a build uses: those of its project, and of those what
// only branches and tags of its own repository may write. Each pull request has its own.
func (p Plan) caches() string {
	if p.pull != nil {
		return fmt.Sprintf("%s/%s/pull/%d", p.project, p.Repository, p.pull.Number)
	}
	trust := "untrusted"
	if p.trusted() {
		trust = "trusted"
	}
	return p.project + "/" + trust
}

// trusted says that whoever may write to the repository has written the commit.
func (p Plan) trusted() bool {
	return strings.HasPrefix(p.Ref, "refs/heads/") || strings.HasPrefix(p.Ref, "refs/tags/")
}

// epoch is the time every file of the image carries.
func epoch(committed time.Time) string { return fmt.Sprint(committed.Unix()) }

// command is how a person repeats a build.
func (p Plan) command(target string) string {
	c := fmt.Sprintf("git checkout %s && ", p.Commit)
	if p.folder {
		c = ""
	}
	file := p.Dockerfile
	if p.Planned != nil {
		c, file = c+"seatrial build eject > Dockerfile && ", "Dockerfile"
	}
	c += fmt.Sprintf("docker buildx build --platform %s -f %s", strings.Join(p.Platforms, ","), file)
	if target != "" {
		c += " --target " + target
	}
	for _, k := range slices.Sorted(maps.Keys(p.Args)) {
		c += fmt.Sprintf(" --build-arg %s=%q", k, p.Args[k])
	}
	for _, id := range p.Secrets {
		c += fmt.Sprintf(" --secret id=%s", id)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Contexts)) {
		c += fmt.Sprintf(" --build-context %s=%s", name, p.Contexts[name])
	}
	return c + " " + p.Context
}
