// Package desired keeps what is to run where in git: one branch per environment, one
// folder per service with the rendered manifests and a record of the release.
//
// Start at Store.Write and Store.Read. It never forces a push and never changes a folder
// of another service.
package desired

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// The files of a service's folder and the trailers of a commit.
const (
	ManifestsFile  = "manifests.yaml"
	RecordFile     = "release.yaml"
	RecordKind     = "DesiredRelease"
	ReleaseTrailer = "Seatrial-Release"
	SourceTrailer  = "Source-Commit"
	ImageTrailer   = "Image"
	ReturnTrailer  = "Seatrial-Returned-From"
)

const (
	maxManifests = 8 << 20
	keepBytes    = 512 << 10 // of manifests whose contents are kept in memory; as objects they take ten times that
	keepLeast    = 8         // contents, however long
	mostBytes    = 4 << 20   // but no more than this
)

// Locate turns "platform/desired-state" into the URL of a remote.
type Locate func(repo string) string

// Store reads and writes desired-state branches. It is safe for concurrent use.
type Store struct {
	repos  *git.Repos
	locate Locate

	mu   sync.Mutex // guards what follows
	read map[where]Content
	age  []where // oldest first
	kept int     // bytes of manifests in read
}

type where struct {
	url      string
	service  release.Service
	revision release.Commit
}

// New makes a store over git remotes.
func New(repos *git.Repos, locate Locate) *Store {
	return &Store{repos: repos, locate: locate, read: map[where]Content{}}
}

// Record is release.yaml: which release the manifests beside it are.
type Record struct {
	APIVersion string          `json:"apiVersion"` // seatrial.dev/v1
	Kind       string          `json:"kind"`       // DesiredRelease
	Service    release.Service `json:"service"`
	Release    release.ID      `json:"release"`
	Commit     release.Commit  `json:"commit"` // of the source
	Repo       string          `json:"repo,omitempty"`
	Image      string          `json:"image,omitempty"`
	Manifests  release.Digest  `json:"manifests"`
	Renderer   string          `json:"renderer,omitempty"` // "plain", "kustomize", "helm"
	Path       string          `json:"path,omitempty"`
	Namespace  string          `json:"namespace,omitempty"` // of objects that name none
	Returned   release.ID      `json:"returned,omitempty"`  // the release that was refused, when this is a return

	Strategy *release.Strategy `json:"strategy,omitempty"` // how it takes over inside of a cluster
	Variants []Variant         `json:"variants,omitempty"` // for some clusters, the first that fits; the rest have ManifestsFile
}

// Variant says which clusters have manifests.NAME.yaml.
type Variant struct {
	Name      string           `json:"name"`
	Clusters  release.Selector `json:"clusters"`
	Manifests release.Digest   `json:"manifests"`
}

// fileOf is the name of a variant's manifests.
func fileOf(variant string) string { return "manifests." + variant + ".yaml" }

// Content is one service's folder at one commit. It is shared: do not change it.
type Content struct {
	Record   Record // zero when the folder has none
	Rendered render.Rendered
	Revision release.Commit // the commit it was read at
}

// Unreadable says that a revision holds something that is not content: asking again will
// not help, only another commit will. Any other error of Read means "could not ask".
type Unreadable struct{ Err error }

// Error is the error inside.
func (u Unreadable) Error() string { return u.Err.Error() }

// Unwrap gives the error inside.
func (u Unreadable) Unwrap() error { return u.Err }

// Write commits a service's content to the environment's branch. The same key again
// answers with the commit that was made then.
func (s *Store) Write(ctx context.Context, at release.DesiredState, rec Record, out render.Rendered, key string) (release.Commit, error) {
	rec.APIVersion, rec.Kind, rec.Variants = release.APIVersion, RecordKind, nil
	files := map[string][]byte{ManifestsFile: out.YAML}
	for _, v := range out.Variants {
		rec.Variants = append(rec.Variants, Variant{v.Name, v.Clusters, v.Rendered.Digest})
		files[fileOf(v.Name)] = v.Rendered.YAML
	}
	record, err := yaml.Marshal(rec)
	if err != nil {
		return "", fmt.Errorf("write the record of %s: %w", rec.Release, err)
	}
	files[RecordFile] = record
	change := git.Change{URL: s.locate(at.Repo), Branch: at.Branch, Folder: string(rec.Service), Key: key,
		Subject:  fmt.Sprintf("deploy %s %s to %s", rec.Service, rec.Commit.Short(), at.Branch),
		Files:    files,
		Trailers: []git.Trailer{{Key: ReleaseTrailer, Value: string(rec.Release)}, {Key: SourceTrailer, Value: string(rec.Commit)}}}
	if rec.Image != "" {
		change.Trailers = append(change.Trailers, git.Trailer{Key: ImageTrailer, Value: rec.Image})
	}
	if rec.Returned != "" {
		change.Subject = fmt.Sprintf("return %s to %s on %s", rec.Service, rec.Commit.Short(), at.Branch)
		change.Trailers = append(change.Trailers, git.Trailer{Key: ReturnTrailer, Value: string(rec.Returned)})
	}
	made, err := s.repos.Commit(ctx, change)
	return made.Commit, err
}

// Return commits content that was there before, at placed.Desired, once more on top.
func (s *Store) Return(ctx context.Context, at release.DesiredState, svc release.Service, placed release.Placed, bad release.ID, key string) (release.Commit, error) {
	c, err := s.Read(ctx, at, svc, placed.Desired)
	if err != nil {
		return "", err
	}
	rec := c.Record
	rec.Service, rec.Release, rec.Commit, rec.Image = svc, placed.Release, placed.Commit, placed.Image
	rec.Manifests, rec.Returned = c.Rendered.Digest, bad
	return s.Write(ctx, at, rec, c.Rendered, key)
}

// Revert commits a service's folder as it was at revision; no revision takes it away. It
// undoes what a person pushed and a gate refused.
func (s *Store) Revert(ctx context.Context, at release.DesiredState, svc release.Service, revision release.Commit, reason, key string) (release.Commit, error) {
	change := git.Change{URL: s.locate(at.Repo), Branch: at.Branch, Folder: string(svc), Key: key, Files: map[string][]byte{},
		Subject: fmt.Sprintf("revert %s on %s", svc, at.Branch), Body: reason}
	if revision != "" {
		files, err := s.files(ctx, change.URL, at.Branch, svc, revision)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			data, err := s.repos.ReadFile(ctx, change.URL, at.Branch, revision, string(svc)+"/"+f, maxManifests)
			if errors.Is(err, git.ErrNoFile) {
				continue
			}
			if err != nil {
				return "", err
			}
			change.Files[f] = data
		}
	}
	made, err := s.repos.Commit(ctx, change)
	return made.Commit, err
}

// Read reads a service's folder at a commit of the branch. The error is an Unreadable
// when the remote answered, but what is there cannot be applied.
func (s *Store) Read(ctx context.Context, at release.DesiredState, svc release.Service, revision release.Commit) (Content, error) {
	key := where{s.locate(at.Repo), svc, revision}
	s.mu.Lock()
	c, ok := s.read[key]
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	c, err := s.load(ctx, at.Branch, key)
	if err != nil {
		return Content{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.read[key]; !twice {
		s.read[key], s.age, s.kept = c, append(s.age, key), s.kept+c.Rendered.Size()
		for ; len(s.age) > 1 && (s.kept > mostBytes || s.kept > keepBytes && len(s.age) > keepLeast); s.age = s.age[1:] {
			s.kept -= s.read[s.age[0]].Rendered.Size()
			delete(s.read, s.age[0])
		}
	}
	return c, nil
}

func (s *Store) load(ctx context.Context, branch string, at where) (Content, error) {
	c := Content{Revision: at.revision}
	var err error
	if c.Record, err = s.record(ctx, branch, at); err != nil {
		return Content{}, err
	}
	if c.Rendered, err = s.manifests(ctx, branch, at, ManifestsFile, c.Record); err != nil {
		return Content{}, err
	}
	var variants []render.Variant
	for _, v := range c.Record.Variants {
		out, err := s.manifests(ctx, branch, at, fileOf(v.Name), c.Record)
		if err != nil {
			return Content{}, err
		}
		variants = append(variants, render.Variant{Name: v.Name, Clusters: v.Clusters, Rendered: out})
	}
	c.Rendered = c.Rendered.With(variants)
	return c, nil
}

// record reads release.yaml. There may be none, where a person wrote the folder: the
// manifests decide. One that cannot be read is not taken for none: it may say that some
// clusters get other manifests.
func (s *Store) record(ctx context.Context, branch string, at where) (rec Record, err error) {
	data, err := s.repos.ReadFile(ctx, at.url, branch, at.revision, string(at.service)+"/"+RecordFile, 1<<20)
	if err != nil && !errors.Is(err, git.ErrNoFile) {
		return rec, err
	}
	if err := yaml.Unmarshal(data, &rec); err != nil {
		return Record{}, Unreadable{hint.Add(fmt.Errorf("%s/%s at %s of branch %s: %w", at.service, RecordFile, at.revision.Short(), branch, err), "put the file back with git revert")}
	}
	names := map[string]bool{}
	for _, v := range rec.Variants {
		if !release.ValidName(v.Name) || names[v.Name] || len(v.Clusters.MatchLabels) == 0 || len(rec.Variants) > render.MaxVariants {
			return Record{}, Unreadable{hint.Add(fmt.Errorf("%s/%s at %s of branch %s: variant %q: want at most %d, each with a name of its own and with labels",
				at.service, RecordFile, at.revision.Short(), branch, v.Name, render.MaxVariants), "put the file back with git revert")}
		}
		names[v.Name] = true
	}
	return rec, nil
}

// files are the names of a service's files at a revision.
func (s *Store) files(ctx context.Context, url, branch string, svc release.Service, revision release.Commit) ([]string, error) {
	names := []string{ManifestsFile, RecordFile}
	rec, err := s.record(ctx, branch, where{url, svc, revision})
	if _, bad := errors.AsType[Unreadable](err); bad {
		return names, nil
	}
	for _, v := range rec.Variants {
		names = append(names, fileOf(v.Name))
	}
	return names, err
}

// manifests reads and parses one file of a service.
func (s *Store) manifests(ctx context.Context, branch string, at where, file string, rec Record) (render.Rendered, error) {
	name := string(at.service) + "/" + file
	data, err := s.repos.ReadFile(ctx, at.url, branch, at.revision, name, maxManifests)
	if errors.Is(err, git.ErrNoFile) {
		return render.Rendered{}, Unreadable{hint.Add(fmt.Errorf("%w: %s at %s of branch %s", git.ErrNoFile, name, at.revision.Short(), branch), "put the file back with git revert")}
	}
	if errors.Is(err, git.ErrTooBig) { // the file: the commit was fetched for the record
		return render.Rendered{}, Unreadable{err}
	}
	if err != nil {
		return render.Rendered{}, err
	}
	out, err := render.Parse(name, data, render.Options{Service: at.service, Namespace: rec.Namespace})
	if err != nil {
		return render.Rendered{}, Unreadable{err}
	}
	return out, nil
}

// Head asks where the branch stands; git.ErrNoRef before anything was deployed.
func (s *Store) Head(ctx context.Context, at release.DesiredState) (release.Commit, error) {
	return s.repos.Head(ctx, s.locate(at.Repo), "refs/heads/"+at.Branch)
}

// serviceOf reads the service from a changed path.
func serviceOf(path string) (release.Service, bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		return "", false
	}
	svc, err := release.ParseService(parts[0] + "/" + parts[1])
	return svc, err == nil
}
