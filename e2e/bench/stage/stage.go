// Package stage is the platform on the lab for a benchmark: the rig with an example
// platform that the benchmark has edited, and nothing left behind.
//
// Start at Open. It never measures anything, and never touches what other services than
// its own have in the lab's clusters; like every user of the rig it makes the forge's
// platform repos anew.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// Config says where everything is.
type Config struct {
	Bin      string // folder of the binaries seatrial and lab
	Examples string // the repo's examples folder
	Dir      string // of everything that is kept while measuring
	Listen   string // of the server
	Metrics  string
	Say      func(format string, args ...any)
}

// Stage is a running platform with services of the benchmark's own.
type Stage struct {
	*rig.Rig
	Lab      string // the binary
	services []*rig.Service
	dir      string
}

// Edit changes the text of one file of the example platform: "environments/prod.yaml".
type Edit func(file, text string) string

// Open starts a server on an edited copy of the example platform. extra are files that it
// has besides.
func Open(ctx context.Context, c Config, edit Edit, extra map[string]string) (*Stage, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(c.Dir, "stage-")
	if err != nil {
		return nil, err
	}
	bin, err := filepath.Abs(c.Bin)
	if err != nil {
		return nil, err
	}
	whole := filepath.Join(dir, "examples")
	if err := copyExamples(c.Examples, whole, edit, extra); err != nil {
		return nil, err
	}
	// What is the shop's would make releases of a shop/web that somebody left on the forge.
	start := filepath.Join(dir, "start")
	if err := copyExamples(c.Examples, start, edit, extra); err != nil {
		return nil, err
	}
	for _, file := range []string{"projects/shop.yaml", "slos/shop-web.yaml", "experiments/nightly-kill.yaml"} {
		if err := os.Remove(filepath.Join(start, "platform", file)); err != nil {
			return nil, err
		}
	}
	s := &Stage{Lab: filepath.Join(bin, "lab"), dir: dir}
	s.Rig, err = rig.Open(ctx, rig.Config{Seatrial: filepath.Join(bin, "seatrial"), Lab: s.Lab, Examples: start,
		Dir: filepath.Join(dir, "server"), Listen: c.Listen, Metrics: c.Metrics, Say: c.Say})
	if err != nil {
		return nil, err
	}
	s.Examples = whole // from here on services are copied from it
	return s, nil
}

func copyExamples(from, to string, edit Edit, extra map[string]string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy the examples: %w", err)
	}
	platform := filepath.Join(to, "platform")
	for name, text := range extra {
		if err := os.WriteFile(filepath.Join(platform, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return filepath.WalkDir(platform, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(platform, path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(edit(file, string(data))), 0o600)
	})
}

// Service adds one and gives it a load of its own, in requests a second on each cluster.
// With architectures its program is compiled outside its build.
func (s *Stage) Service(ctx context.Context, name release.Service, rps int, architectures ...string) (*rig.Service, error) {
	service, err := s.add(ctx, name, architectures)
	if err != nil {
		return nil, fmt.Errorf("add %s: %w", name, err)
	}
	s.services = append(s.services, service)
	return service, s.LabDo(ctx, "load", "set", string(name), "--namespace", service.Namespace(), "--name", name.Name(), "--rps", fmt.Sprint(rps))
}

func (s *Stage) add(ctx context.Context, name release.Service, architectures []string) (*rig.Service, error) {
	if architectures == nil {
		return s.Add(ctx, name)
	}
	return s.AddReady(ctx, name, architectures...)
}

// Mark changes a service's page, so that its next image is another.
func Mark(s *rig.Service, text string) error {
	source, err := s.Read("main.go")
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(source, `fmt.Fprintf(w, "`)
	_, after, ended := strings.Cut(rest, `: %s\n"`)
	if !found || !ended {
		return fmt.Errorf("mark %s: main.go is not the example's", s.Name)
	}
	return s.Repo().Write("main.go", before+`fmt.Fprintf(w, "`+text+`: %s\n"`+after)
}

// Close stops the server and removes everything of the services from the lab. failed is
// how the measuring ended, and is part of the answer; the server's log is kept then.
func (s *Stage) Close(ctx context.Context, failed error) error {
	s.Stop()
	all := []error{failed}
	for _, service := range s.services {
		all = append(all, s.remove(ctx, service))
	}
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("%w; the server's log is %s", err, s.Log())
	}
	return os.RemoveAll(s.dir)
}

func (s *Stage) remove(ctx context.Context, service *rig.Service) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute) // interrupted or not
	defer cancel()
	all := []error{s.LabDo(ctx, "load", "remove", string(service.Name)), s.removeRepo(ctx, string(service.Name))}
	for _, c := range s.Rig.Lab.Clusters {
		_, err := s.Kubectl(ctx, c.Name, "delete", "namespace", service.Namespace(), "--ignore-not-found", "--wait=false")
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (s *Stage) removeRepo(ctx context.Context, name string) error {
	token, err := os.ReadFile(s.Rig.Lab.Forge.TokenFile)
	if err != nil {
		return err
	}
	org, _, _ := strings.Cut(name, "/")
	for _, path := range []string{"/repos/" + name, "/orgs/" + org} {
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.Rig.Lab.Forge.URL+"/api/v1"+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "token "+strings.TrimSpace(string(token)))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		res.Body.Close()
		if res.StatusCode >= 300 && res.StatusCode != http.StatusNotFound {
			return fmt.Errorf("forge: delete %s: %s: %s", path, res.Status, text)
		}
	}
	return nil
}
