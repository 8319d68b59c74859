package rig

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// personPassword is of every account that a scenario makes; it protects a lab, nothing else.
const personPassword = "a-lab-password-of-a-person"

// As is the forge as another account uses it. The account is made when there is none.
func (f *Forge) As(ctx context.Context, name string) (*Forge, error) {
	account := map[string]any{"username": name, "email": name + "@shop.example", "password": personPassword, "must_change_password": false}
	if err := f.call(ctx, http.MethodPost, "/admin/users", account, nil, http.StatusUnprocessableEntity); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`{"name":%q,"scopes":["all"]}`, rand.Text())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/api/v1/users/"+name+"/tokens", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(name, personPassword)
	req.Header.Set("Content-Type", "application/json")
	res, err := f.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var token struct {
		SHA1 string `json:"sha1"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil || token.SHA1 == "" {
		return nil, fmt.Errorf("forge: make a token for %s: %s: %v", name, res.Status, err)
	}
	return &Forge{url: f.url, user: name, token: token.SHA1, http: f.http}, nil
}

// Fork makes the account's own copy of a repo anew and gives its name.
func (f *Forge) Fork(ctx context.Context, repo string) (string, error) {
	_, name, _ := strings.Cut(repo, "/")
	fork := f.user + "/" + name
	if err := f.call(ctx, http.MethodDelete, "/repos/"+fork, nil, nil, http.StatusNotFound); err != nil {
		return "", err
	}
	return fork, f.call(ctx, http.MethodPost, "/repos/"+repo+"/forks", map[string]any{}, nil)
}

// Offer opens a pull request into main; head is "branch", or "account:branch" of a fork.
func (f *Forge) Offer(ctx context.Context, repo, head, title string) (number int, err error) {
	var pull struct {
		Number int `json:"number"`
	}
	err = f.call(ctx, http.MethodPost, "/repos/"+repo+"/pulls", map[string]string{"head": head, "base": "main", "title": title}, &pull)
	return pull.Number, err
}

// Comment writes below a pull request.
func (f *Forge) Comment(ctx context.Context, repo string, number int, text string) error {
	return f.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", repo, number), map[string]string{"body": text}, nil)
}

// Comments are what is written below a pull request, oldest first, of one account.
func (f *Forge) Comments(ctx context.Context, repo string, number int, account string) (texts []string, err error) {
	var all []struct {
		Body string
		User struct{ Login string }
	}
	err = f.call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/issues/%d/comments", repo, number), nil, &all)
	for _, c := range all {
		if c.User.Login == account {
			texts = append(texts, c.Body)
		}
	}
	return texts, err
}

// ClosePull closes a pull request without merging it.
func (f *Forge) ClosePull(ctx context.Context, repo string, number int) error {
	return f.call(ctx, http.MethodPatch, fmt.Sprintf("/repos/%s/pulls/%d", repo, number), map[string]string{"state": "closed"}, nil)
}

// Begin starts a branch where the checkout is; Push goes there from now on.
func (r *Repo) Begin(ctx context.Context, branch string) error {
	r.branch = branch
	_, err := run(ctx, r.dir, "git", "checkout", "-q", "-B", branch)
	return err
}

// Trust lets an account of the forge say /ok-to-test in the service's repo. The server
// reads it within seconds.
func (s *Service) Trust(ctx context.Context, account string) error {
	file := "projects/" + s.Name.Team() + "-" + s.Name.Name() + ".yaml"
	text, err := readFile(filepath.Join(s.rig.platform.dir, file))
	if err != nil {
		return err
	}
	return s.rig.Platform(ctx, file, text+"  pullRequests: {trusted: ["+account+"]}\n", "platform: "+account+" looks at forks")
}

// Tags lists what the registry has of a service, in the order of the registry.
func (r *Rig) Tags(ctx context.Context, name release.Service) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Lab.Registry+"/v2/"+string(name)+"/tags/list", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var list struct {
		Tags []string `json:"tags"`
	}
	return list.Tags, json.NewDecoder(res.Body).Decode(&list)
}
