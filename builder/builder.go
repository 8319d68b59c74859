// Package builder turns a commit into an image: it checks what is asked for, lets
// BuildKit build every platform in one go, and remembers how it was done.
//
// Start reading at Builder.Build. It never runs anything of the repository itself,
// grants no entitlements, takes no frontend from a Dockerfile that the settings do not
// allow, and never resolves a tag it has pushed: the digest is what BuildKit answered.
package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder/daemons"
	"github.com/seatrial/seatrial/builder/login"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/secrets"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// Config is what the builder needs to know of its surroundings.
type Config struct {
	Addresses  []string          // of every buildkitd: "unix:///run/buildkit/buildkitd.sock"
	Registry   string            // where images go: "registry.example:5000"
	Folder     *Folder           // it builds the working folder of one person; nil: commits
	ID         string            // of this builder, a URI; provenance carries it and the gate demands it
	Version    string            // of the platform: another one may build differently
	State      string            // folder for the records of builds
	Mirrors    map[string]string // where buildkitd takes a host's images from: "docker.io" to "registry.example:5000"
	Frontends  []string          // values of "# syntax=" that may be loaded, beside docker/dockerfile:1
	MaxContext int64             // bytes of a build context; default 512 MiB
	MaxFiles   int               // files in a build context; default 100,000
	Parallel   int               // builds at once; default 2
	Timeout    time.Duration     // of builds that set none; default 30m
}

// Folder is how the builder treats a working folder: what it builds may use a person's own
// secrets, and shares no cache with what branches build.
type Folder struct {
	Repository string // its images go there; empty: nowhere
}

// Validate fills in defaults and reports the first setting that cannot be meant.
func (c *Config) Validate() error {
	switch {
	case len(c.Addresses) == 0:
		return errors.New("builder: no address of a buildkitd")
	case c.Registry == "" && c.Folder == nil:
		return errors.New("builder: no registry to push to")
	case c.ID == "":
		return errors.New("builder: no builder id")
	case c.State == "":
		return errors.New("builder: no state folder")
	}
	if c.MaxContext <= 0 {
		c.MaxContext = 512 << 20
	}
	if c.MaxFiles <= 0 {
		c.MaxFiles = 100_000
	}
	if c.Parallel <= 0 {
		c.Parallel = 2
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Minute
	}
	return nil
}

// keeps says whether what is built is pushed and remembered.
func (c Config) keeps(r release.Release) bool {
	return r.Pull == nil && (c.Folder == nil || c.Folder.Repository != "")
}

// Checkout gives the tree of a release's commit, which can be read by several at the same
// time until done is called, and when the commit was made. Its folders have to be fs.SubFS,
// so that no link leads out of one, and links fs.ReadLinkFS.
type Checkout func(ctx context.Context, r release.Release) (tree fs.FS, committed time.Time, done func() error, err error)

// Pipeline gives .seatrial.yaml as it is in a release's commit.
type Pipeline func(ctx context.Context, r release.Release) (release.Pipeline, error)

// SecretOf gives a secret of the server. Unless it is allowed, builds of the release's
// project may not use it; one without a value is not set on the server.
type SecretOf func(r release.Release, name string) (value secret.Text, allowed bool, err error)

// Parts are what the builder works with.
type Parts struct {
	Checkout Checkout
	Pipeline Pipeline
	Registry *oci.Registry
	Logs     *logs.Book
	Tree     Tree                 // may be nil: then nothing is ever proved unchanged
	Verify   Verify               // the same
	Policies func() string        // a digest of the policies in force; may be nil
	SecretOf SecretOf             // what builds may mount; may be nil: nothing
	Secrets  func() []secret.Text // everything that must not show up in logs and provenance; may be nil
	Log      *slog.Logger
}

// Builder builds.
type Builder struct {
	cfg   Config
	p     Parts
	slots chan struct{}
	key   []byte // that secrets are compared under
	desk  *login.Desk

	daemons *daemons.Pool
}

// New makes a Builder; it does not reach for buildkitd yet.
func New(cfg Config, p Parts) (*Builder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	for _, sub := range []string{sameInputs, lastBuilds} {
		if err := os.MkdirAll(filepath.Join(cfg.State, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of build records: %w", err)
		}
	}
	key, err := secrets.OpenKey(filepath.Join(cfg.State, "secrets.key"))
	if err != nil {
		return nil, err
	}
	return &Builder{cfg: cfg, p: p.orDefault(), slots: make(chan struct{}, cfg.Parallel), key: key, desk: login.New(p.Registry), daemons: daemons.New(cfg.Addresses)}, nil
}

func (p Parts) orDefault() Parts {
	if p.Tree == nil {
		p.Tree = func(context.Context, release.Release, string) (string, error) { return "", nil }
	}
	if p.Verify == nil {
		p.Verify = func(context.Context, release.Release) ([]string, error) {
			return []string{"nobody verifies here"}, nil
		}
	}
	if p.Policies == nil {
		p.Policies = func() string { return "" }
	}
	if p.SecretOf == nil {
		p.SecretOf = func(release.Release, string) (secret.Text, bool, error) { return "", false, nil }
	}
	if p.Secrets == nil {
		p.Secrets = func() []secret.Text { return nil }
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return p
}

// refusal is a build that cannot succeed by trying again.
type refusal struct{ reason, hint string }

func (r *refusal) Error() string { return r.reason }

func refuse(hint, format string, args ...any) error {
	return &refusal{reason: fmt.Sprintf(format, args...), hint: hint}
}

// refused is an error that comes with its next step, as a refusal.
func refused(err error) error {
	if next := hint.Of(err); next != "" {
		return refuse(next, "%v", err)
	}
	return err
}

// Build is the action of the phase Building. A key that has been built already gives
// the same artifact again without building, as long as the registry still has it; and so
// do the same inputs, when what was built of them is proved to be whole and signed.
func (b *Builder) Build(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	default:
		return release.Facts{}, release.Wait(fmt.Sprintf("%d other builds are running", b.cfg.Parallel), 2*time.Second), nil
	}
	rec, err := b.build(ctx, key, r)
	var no *refusal
	switch {
	case errors.As(err, &no):
		return release.Facts{}, release.Refuse(no.reason, no.hint), nil
	case err != nil:
		return release.Facts{}, release.Verdict{}, err
	}
	var facts release.Facts
	if a := rec.artifact(); b.cfg.keeps(r) {
		facts.Artifact = &a
	}
	return facts, release.Pass(rec.evidence()).Because(rec.Why), nil
}

func (b *Builder) build(ctx context.Context, key string, r release.Release) (record, error) {
	if b.cfg.Folder == nil { // whose key is the same each time
		rec, err := b.recall(ctx, r.ID, key, b.repository(r))
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return rec, err
		}
	}
	pipeline, err := b.p.Pipeline(ctx, r)
	if err != nil {
		return record{}, err
	}
	plan, err := newPlan(r, pipeline, b.cfg)
	if err != nil {
		return record{}, err
	}
	if plan.mounts, err = b.secretsOf(r, plan); err != nil {
		return record{}, err
	}
	host, _, _ := strings.Cut(b.repository(r), "/")
	if _, _, err := b.p.Registry.Login(oci.As(ctx, plan.project), host); err != nil && r.Pull == nil {
		return record{}, hint.Add(err, "set it and start the server again; the build goes on by itself")
	}
	mask := logs.NewMasker(slices.Concat(b.p.Secrets(), plan.mounts.Values())...)
	if err := plan.holdsNo(mask); err != nil {
		return record{}, err
	}
	rec := record{Key: key, Release: r.ID, Repository: b.repository(r), Tag: tag(r.Commit, key), Plan: plan}
	if rec.Inputs, err = b.inputsOf(ctx, r, plan); err != nil {
		return record{}, err
	}
	proved, why, err := b.unchanged(ctx, key, r, rec.Inputs)
	if err != nil || proved.Key != "" {
		return proved, err
	}
	if !b.cfg.keeps(r) {
		rec.Tag = ""
	}
	rec.Why = mask.Mask(why) // an earlier build's inputs may hold what is a secret by now
	rec.Changed = b.since(r.Service, rec.Inputs)
	b.p.Log.Info("build", "release", r.ID, "why", rec.Why)
	err = b.construct(ctx, &rec, r, mask)
	return rec, err
}

// construct builds what rec says and completes it.
func (b *Builder) construct(ctx context.Context, rec *record, r release.Release, mask *logs.Masker) (err error) {
	tree, committed, forget, err := b.p.Checkout(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forget()) }()
	src, err := openSource(ctx, tree, committed, rec.Plan, b.cfg)
	if err != nil {
		return err
	}
	rec.Plan = rec.Plan.as(src)
	if err := rec.Plan.holdsNo(mask); err != nil { // planning adds to what the pipeline says
		return err
	}
	daemon, done, err := b.daemons.Dial(ctx, rec.Plan.Platforms, string(r.Service))
	if err != nil {
		return err
	}
	defer done()
	log, err := b.p.Logs.Start(r.ID, mask)
	if err != nil {
		return err
	}
	rec.Committed, rec.BuildKit, rec.Started = committed, daemon.Version, time.Now().UTC()
	err = b.run(ctx, daemon, src, rec, log)
	b.noteFailure(*rec, err, mask)
	if e := log.Close(last(*rec, err)); e != nil {
		b.p.Log.Warn("build log", "release", r.ID, "error", e) // the build itself stands
	}
	return err
}

// run does the checks, then the image, and saves the record.
func (b *Builder) run(ctx context.Context, d *daemons.Daemon, src *source, rec *record, log *logs.Log) error {
	log.Note("", "note", fmt.Sprintf("build %s:%s with BuildKit %s", rec.Repository, or(rec.Tag, string(rec.Plan.Commit)), d.Version))
	log.Note("", "note", rec.Why)
	within, cancel := context.WithTimeout(ctx, rec.Plan.timeout)
	defer cancel()
	err := b.solveAll(within, d, src, rec, log)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return refuse("raise spec.build.timeout in .seatrial.yaml, or make the build faster", "the build took longer than %s", rec.Plan.timeout)
	}
	if err != nil {
		return err
	}
	if rec.Plan.kept {
		if err := b.readBack(ctx, rec); err != nil {
			return err
		}
	}
	rec.Finished = time.Now().UTC()
	return b.remember(*rec)
}

// readBack asks the registry what was pushed.
func (b *Builder) readBack(ctx context.Context, rec *record) error {
	img, err := b.p.Registry.Open(ctx, oci.Ref{Repository: rec.Repository, Digest: rec.Digest})
	if err != nil {
		return fmt.Errorf("read back what was pushed: %w", err)
	}
	for _, p := range img.Platforms {
		rec.Platforms = append(rec.Platforms, release.Platform{Name: p.Name, Digest: p.Digest})
	}
	if len(rec.Platforms) != len(rec.Plan.Platforms) {
		return refuse("look at the build log", "the pushed index has %d platforms, want %d", len(rec.Platforms), len(rec.Plan.Platforms))
	}
	return b.p.Registry.TagPlatforms(ctx, oci.Ref{Repository: rec.Repository, Tag: rec.Tag}, rec.Platforms)
}

func (b *Builder) solveAll(ctx context.Context, d *daemons.Daemon, src *source, rec *record, log *logs.Log) error {
	for _, c := range rec.Plan.goals() {
		log.Note("", "note", "check "+c.name)
		done, err := solve(ctx, d, b.request(src, rec, c, false), log)
		rec.add(done.steps)
		if err != nil {
			return inCheck(c.name, err)
		}
		rec.CheckBases, rec.Loose = append(rec.CheckBases, src.pinned(done.bases, c.plan)...), append(rec.Loose, done.loose...)
	}
	log.Note("", "note", "image")
	done, err := solve(ctx, d, b.request(src, rec, goal{target: rec.Plan.Target, plan: rec.Plan}, true), log)
	rec.add(done.steps)
	if err != nil {
		return err
	}
	rec.Digest, rec.Bases, rec.Loose = done.digest, src.pinned(done.bases, rec.Plan), append(rec.Loose, done.loose...)
	if rec.Plan.kept && !rec.Digest.Valid() {
		return fmt.Errorf("buildkitd answered with digest %q", rec.Digest)
	}
	return nil
}

func inCheck(name string, err error) error {
	var no *refusal
	if errors.As(err, &no) {
		return refuse(no.hint, "check %s: %s", name, no.reason)
	}
	return fmt.Errorf("check %s: %w", name, err)
}

// last is the line a log ends with.
func last(rec record, err error) string {
	var no *refusal
	switch {
	case errors.As(err, &no):
		return "failed: " + no.reason
	case err != nil:
		return "interrupted: " + err.Error()
	}
	return fmt.Sprintf("built %s in %s", rec.image(), rec.Finished.Sub(rec.Started).Round(time.Millisecond))
}

// tag is for people; the same key always has the same one.
func tag(c release.Commit, key string) string { return string(c) + "-" + buildID(key) }

func buildID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:4])
}

func (b *Builder) repository(r release.Release) string {
	if b.cfg.Folder != nil {
		return b.cfg.Folder.Repository
	}
	return b.cfg.Registry + "/" + string(r.Service)
}
