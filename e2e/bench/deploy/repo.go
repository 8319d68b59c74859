package deploy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
)

// repo is a desired-state repo on git's own HTTP server, and a person's checkout of it.
type repo struct {
	url      string
	checkout string
	server   *http.Server
}

func openRepo(ctx context.Context, dir string) (*repo, error) {
	bare, checkout := filepath.Join(dir, "desired.git"), filepath.Join(dir, "checkout")
	r := &repo{checkout: checkout}
	steps := [][]string{
		{"init", "-q", "--bare", bare},
		{"-C", bare, "config", "uploadpack.allowAnySHA1InWant", "true"},
		{"-C", bare, "config", "http.receivepack", "true"},
		{"init", "-q", "-b", subject.Branch, checkout},
		{"-C", checkout, "config", "gc.auto", "0"},
		{"-C", checkout, "remote", "add", "origin", bare},
		{"-C", checkout, "commit", "-q", "--allow-empty", "-m", "begin"},
		{"-C", checkout, "push", "-q", "origin", subject.Branch},
	}
	for _, args := range steps {
		if err := git(ctx, args...); err != nil {
			return nil, err
		}
	}
	core, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("find git's HTTP server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.url = "http://" + listener.Addr().String() + "/desired.git"
	r.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(core)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1"},
	}}
	go func() { _ = r.server.Serve(listener) }() // ends with close
	return r, nil
}

func (r *repo) close() error { return r.server.Close() }

// commit writes a generation of some services, without a push.
func (r *repo) commit(ctx context.Context, services []int, generation int) error {
	for _, i := range services {
		dir := filepath.Join(r.checkout, subject.Team, nameOf(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "manifests.yaml"), []byte(manifestOf(i, generation)), 0o644); err != nil {
			return err
		}
	}
	if err := git(ctx, "-C", r.checkout, "add", "-A"); err != nil {
		return err
	}
	return git(ctx, "-C", r.checkout, "commit", "-q", "-m", fmt.Sprintf("generation %d", generation))
}

func (r *repo) push(ctx context.Context) error {
	return git(ctx, "-C", r.checkout, "push", "-q", "origin", subject.Branch)
}

func git(ctx context.Context, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "user.name=bench", "-c", "user.email=bench@shop.example"}, args...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}
