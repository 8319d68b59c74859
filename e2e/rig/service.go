package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Service is a copy of examples/shop-web under a name of its own.
type Service struct {
	Name  release.Service
	rig   *Rig
	repo  *Repo
	ready []string // architectures whose program is compiled here, not in its build

	beside *Service // of the same project, which has the namespace; nil: it is alone
}

// Add puts a service onto the forge, into the platform repo and under load. shop/web is
// the one that the example platform has already.
func (r *Rig) Add(ctx context.Context, name release.Service) (*Service, error) {
	return r.add(ctx, &Service{Name: name, rig: r})
}

// AddReady is Add for scenarios about what comes after a build: the service's program is
// compiled here before each push, with caches that are warm, and its Dockerfile copies it.
// Without architectures it is built for this machine's only.
func (r *Rig) AddReady(ctx context.Context, name release.Service, architectures ...string) (*Service, error) {
	if len(architectures) == 0 {
		architectures = []string{runtime.GOARCH}
	}
	return r.add(ctx, &Service{Name: name, rig: r, ready: architectures})
}

// AddBeside is AddReady for one more service of another's project.
func (r *Rig) AddBeside(ctx context.Context, name release.Service, first *Service) (*Service, error) {
	return r.add(ctx, &Service{Name: name, rig: r, ready: []string{runtime.GOARCH}, beside: first})
}

func (r *Rig) add(ctx context.Context, s *Service) (*Service, error) {
	name := s.Name
	if err := r.Forge.Repo(ctx, string(name)); err != nil {
		return nil, err
	}
	if err := r.Forge.Hook(ctx, string(name), r.URL()+"/hooks/gitea", r.secret); err != nil {
		return nil, err
	}
	var err error
	if s.repo, err = r.Forge.Clone(ctx, string(name), filepath.Join(r.Dir, "checkouts", name.Team()+"-"+name.Name())); err != nil {
		return nil, err
	}
	if err := s.repo.CopyFrom(filepath.Join(r.Examples, "shop-web"), s.rename); err != nil {
		return nil, err
	}
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	return s, r.LabDo(ctx, "load", "set", string(name), "--namespace", s.Namespace(), "--name", name.Name(), "--rps", "40")
}

// Namespace is where its objects live: the team's name.
func (s *Service) Namespace() string { return s.Name.Team() }

// Repo is the checkout that its developers push from.
func (s *Service) Repo() *Repo { return s.repo }

// rename makes the example's text speak of this service.
func (s *Service) rename(text string) string {
	if s.ready != nil {
		text = s.compiled(text)
	}
	if s.beside != nil {
		text = strings.Replace(text, "namespace.yaml, ", "", 1)
	}
	if s.Name == "shop/web" {
		return text
	}
	team, name := s.Name.Team(), s.Name.Name()
	return strings.NewReplacer("shop/web", string(s.Name), "name: shop-web", "name: "+team+"-"+name, "shop-web", team+"-"+name,
		"name: web, team: shop", "name: "+name+", team: "+team, "namespace: shop", "namespace: "+team, "name: shop", "name: "+team,
		"namespaces: [shop]", "namespaces: ["+team+"]", "team: shop", "team: "+team,
		"app: web", "app: "+name, "name: web", "name: "+name).Replace(text)
}

// compiled changes what the example says of its build: it takes the program as it is.
func (s *Service) compiled(text string) string {
	if strings.HasPrefix(text, "FROM --platform=$BUILDPLATFORM") {
		return "FROM scratch\nARG TARGETARCH\nCOPY program-$TARGETARCH /web\nUSER 65532:65532\nENTRYPOINT [\"/web\"]\n"
	}
	return strings.NewReplacer("platforms: [linux/amd64, linux/arm64, linux/ppc64le]", "platforms: [linux/"+strings.Join(s.ready, ", linux/")+"]",
		"checks: [{name: test, target: test}]", "checks: []").Replace(text)
}

// compile makes the programs that a ready service's Dockerfile copies; the clusters and
// what is measured on them come first.
func (s *Service) compile(ctx context.Context) error {
	for _, arch := range s.ready {
		_, err := run(ctx, s.repo.dir, "nice", "env", "CGO_ENABLED=0", "GOARCH="+arch,
			"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "program-"+arch, ".")
		if err != nil {
			return err
		}
	}
	return nil
}

// join adds the service's project, SLO and experiment to the platform repo.
func (s *Service) join(ctx context.Context) error {
	if s.Name == "shop/web" {
		return nil
	}
	if err := s.describe(ctx); err != nil {
		return err
	}
	// A push that comes before the platform repo was read waits for the next poll.
	return WaitFor(ctx, "the server to know "+string(s.Name), 500*time.Millisecond, func() (bool, error) {
		body := fmt.Sprintf(`{"ref":"refs/heads/none","after":"%s","repository":{"full_name":%q}}`, strings.Repeat("1", 40), s.Name)
		code, err := s.rig.PushHook(ctx, Sign([]byte(body)), rand.Text(), []byte(body))
		return code == http.StatusAccepted, errors.Join(err, fmt.Errorf("the server answers %d", code))
	})
}

func (s *Service) describe(ctx context.Context) error {
	s.rig.mu.Lock()
	defer s.rig.mu.Unlock()
	files := []string{"projects/shop.yaml", "slos/shop-web.yaml"}
	if s.beside != nil {
		files = files[1:]
		if err := s.enter(s.beside); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := s.copyPlatform(file); err != nil {
			return err
		}
	}
	_, err := s.rig.platform.Push(ctx, "platform: add "+string(s.Name))
	return err
}

// enter adds the repo to another service's project.
func (s *Service) enter(first *Service) error {
	file := first.fileIn("projects")
	data, err := readFile(filepath.Join(s.rig.platform.Dir(), file))
	if err != nil {
		return err
	}
	before := "repos: [" + string(first.Name) + "]"
	if !strings.Contains(data, before) {
		return fmt.Errorf("%s has no %s", file, before)
	}
	return s.rig.platform.Write(file, strings.Replace(data, before, fmt.Sprintf("repos: [%s, %s]", first.Name, s.Name), 1))
}

func (s *Service) fileIn(folder string) string {
	return filepath.Join(folder, s.Name.Team()+"-"+s.Name.Name()+".yaml")
}

func (s *Service) copyPlatform(file string) error {
	data, err := readFile(filepath.Join(s.rig.Examples, "platform", file))
	if err != nil {
		return err
	}
	return s.rig.platform.Write(s.fileIn(filepath.Dir(file)), s.rename(s.rig.quicken(data)))
}

// Change writes the files of a story over the checkout.
func (s *Service) Change(story string) error {
	return s.repo.CopyFrom(filepath.Join(s.rig.Examples, "stories", story), s.rename)
}

// Push commits and pushes, and returns the release that must come of it.
func (s *Service) Push(ctx context.Context, message string) (release.ID, error) {
	if err := s.compile(ctx); err != nil {
		return "", err
	}
	commit, err := s.repo.Push(ctx, message)
	if err != nil {
		return "", err
	}
	s.rig.Say("git push %s  %s  %q", s.Name, commit[:12], message)
	return release.NewID(s.Name, release.Commit(commit)), nil
}

// Image is what a cluster runs of the service now, as "repository@digest", one a pod.
func (s *Service) Image(ctx context.Context, cluster string) ([]string, error) {
	out, err := s.rig.Kubectl(ctx, cluster, "-n", s.Namespace(), "get", "pods", "-l", "app="+s.Name.Name(),
		"-o", `jsonpath={range .items[?(@.status.phase=="Running")]}{.spec.containers[0].image}{"\n"}{end}`)
	if err != nil {
		return nil, fmt.Errorf("images of %s on %s: %w", s.Name, cluster, err)
	}
	return strings.Fields(out), nil
}

// Desired reads a file of the service's folder on an environment's branch.
func (s *Service) Desired(ctx context.Context, env release.Env, file string) (string, error) {
	repo, err := s.desired(ctx, env)
	if err != nil {
		return "", err
	}
	return readFile(filepath.Join(repo.Dir(), string(s.Name), file))
}

// desired is a fresh checkout of an environment's branch.
func (s *Service) desired(ctx context.Context, env release.Env) (*Repo, error) {
	dir := filepath.Join(s.rig.Dir, "checkouts", fmt.Sprintf("desired-%s-%s-%s", env, s.Name.Team(), s.Name.Name()))
	repo, err := s.rig.Forge.Clone(ctx, "platform/desired-state", dir)
	if err != nil {
		return nil, err
	}
	return repo, repo.Checkout(ctx, "env/"+string(env))
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

// Restore brings the example's own sources back.
func (s *Service) Restore() error {
	return s.repo.CopyFrom(filepath.Join(s.rig.Examples, "shop-web"), s.rename)
}

// Signed lets git verify the newest commit of the server's on an environment's branch by
// the keys that the server gives out.
func (s *Service) Signed(ctx context.Context, env release.Env) error {
	commit, err := s.DesiredGit(ctx, env, "log", "-1", "--format=%H", "--grep=^Seatrial-Key: ")
	if err != nil {
		return err
	}
	_, err = s.DesiredGit(ctx, env, "-c", "gpg.ssh.allowedSignersFile="+filepath.Join(s.rig.Dir, "state", "allowed-signers"), "verify-commit", commit)
	return err
}

// DesiredGit runs a git command in a fresh checkout of an environment's branch.
func (s *Service) DesiredGit(ctx context.Context, env release.Env, args ...string) (string, error) {
	repo, err := s.desired(ctx, env)
	if err != nil {
		return "", err
	}
	return repo.Git(ctx, args...)
}
