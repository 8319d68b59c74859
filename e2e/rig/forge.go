package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Forge is the lab's Gitea, as its administrator uses it.
type Forge struct {
	url   string
	user  string
	token string
	http  *http.Client
}

// User is the account that it is used as, which is the server's, too.
func (f *Forge) User() string { return f.user }

func openForge(l Lab) (*Forge, error) {
	token, err := os.ReadFile(l.Forge.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the forge's token: %w", err)
	}
	return &Forge{url: l.Forge.URL, user: l.Forge.User, token: strings.TrimSpace(string(token)), http: &http.Client{Timeout: 2 * time.Minute}}, nil
}

// call speaks Gitea's API; accepted lists the answers besides 2xx that are fine.
func (f *Forge) call(ctx context.Context, method, path string, in, out any, accepted ...int) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, f.url+"/api/v1"+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+f.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		for _, code := range accepted {
			if res.StatusCode == code {
				return nil
			}
		}
		return fmt.Errorf("forge %s %s: %s: %s", method, path, res.Status, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// Repo makes an empty repo, and its organisation, anew.
func (f *Forge) Repo(ctx context.Context, name string) error {
	org, repo, _ := strings.Cut(name, "/")
	if err := f.call(ctx, http.MethodPost, "/orgs", map[string]any{"username": org, "visibility": "public"}, nil, http.StatusUnprocessableEntity); err != nil {
		return err
	}
	if err := f.call(ctx, http.MethodDelete, "/repos/"+name, nil, nil, http.StatusNotFound); err != nil {
		return err
	}
	return f.call(ctx, http.MethodPost, "/orgs/"+org+"/repos", map[string]any{"name": repo, "default_branch": "main"}, nil)
}

// Hook tells the server of the repo's pushes, pull requests and comments, signed.
func (f *Forge) Hook(ctx context.Context, repo, target, secret string) error {
	return f.call(ctx, http.MethodPost, "/repos/"+repo+"/hooks", map[string]any{
		"type": "gitea", "active": true, "events": []string{"push", "pull_request", "issue_comment"},
		"config": map[string]string{"url": target, "content_type": "json", "secret": secret},
	}, nil)
}

// CommitStatus is what a commit's page says.
type CommitStatus struct {
	Context     string `json:"context"`
	State       string `json:"status"`
	Description string `json:"description"`
	Target      string `json:"target_url"`
}

// Statuses lists a commit's statuses, newest first.
func (f *Forge) Statuses(ctx context.Context, repo, commit string) (list []CommitStatus, err error) {
	return list, f.call(ctx, http.MethodGet, "/repos/"+repo+"/commits/"+commit+"/statuses", nil, &list)
}

// Repo is a checkout that people push from.
type Repo struct {
	dir    string
	forge  *Forge
	branch string
}

// Clone makes a fresh checkout; the repo may be empty.
func (f *Forge) Clone(ctx context.Context, name, dir string) (*Repo, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	repo := &Repo{dir: dir, forge: f, branch: "main"}
	if _, err := run(ctx, "", "git", "-c", repo.auth(), "clone", "-q", f.url+"/"+name+".git", dir); err != nil {
		return nil, err
	}
	_, err := run(ctx, dir, "git", "checkout", "-q", "-B", "main")
	return repo, err
}

func (r *Repo) auth() string {
	return "http.extraHeader=Authorization: token " + r.forge.token
}

// Dir is where the checkout's files are.
func (r *Repo) Dir() string { return r.dir }

// Checkout takes another branch as it is on the forge.
func (r *Repo) Checkout(ctx context.Context, branch string) error {
	if _, err := run(ctx, r.dir, "git", "-c", r.auth(), "fetch", "-q", "origin", branch); err != nil {
		return err
	}
	r.branch = branch
	_, err := run(ctx, r.dir, "git", "checkout", "-q", "-B", branch, "FETCH_HEAD")
	return err
}

// CopyFrom copies a folder's files over the checkout, each through edit.
func (r *Repo) CopyFrom(from string, edit func(string) string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return r.Write(rel, edit(string(data)))
	})
}

// Write writes one file.
func (r *Repo) Write(name, text string) error {
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// Push commits everything and pushes it; it returns the commit.
func (r *Repo) Push(ctx context.Context, message string) (string, error) {
	steps := [][]string{
		{"add", "-A"},
		{"-c", "user.name=Lin Yu", "-c", "user.email=lin.yu@shop.example", "commit", "-q", "--allow-empty", "-m", message},
		{"-c", r.auth(), "push", "-q", "origin", "HEAD:refs/heads/" + r.branch},
	}
	for _, args := range steps {
		if _, err := run(ctx, r.dir, "git", args...); err != nil {
			return "", err
		}
	}
	out, err := run(ctx, r.dir, "git", "rev-parse", "HEAD")
	return strings.TrimSpace(string(out)), err
}

// Git runs a git command in the checkout.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	out, err := run(ctx, r.dir, "git", append([]string{"-c", r.auth()}, args...)...)
	return strings.TrimSpace(string(out)), err
}
