package rig

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/seatrial/seatrial/release"
)

// Sign makes the signature that the forge would send with a body.
func Sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// PushHook delivers a push to the server as the forge would, and returns its answer.
func (r *Rig) PushHook(ctx context.Context, signature, delivery string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL()+"/hooks/gitea", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gitea-Event", "push")
	req.Header.Set("X-Gitea-Delivery", delivery)
	if signature != "" {
		req.Header.Set("X-Gitea-Signature", signature)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// Digest asks the registry what a tag is.
func (r *Rig) Digest(ctx context.Context, repository, tag string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+r.Lab.Registry+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if d := res.Header.Get("Docker-Content-Digest"); d != "" {
		return d, nil
	}
	return "", fmt.Errorf("digest of %s:%s: %s", repository, tag, res.Status)
}

// Read reads a file of the checkout.
func (s *Service) Read(name string) (string, error) { return readFile(filepath.Join(s.repo.dir, name)) }

// EditDesired changes the service's manifests on an environment's branch by hand and
// pushes, as a person would; it returns the commit. When somebody else pushed meanwhile
// it begins again from there.
func (s *Service) EditDesired(ctx context.Context, env release.Env, edit func(string) string) (commit string, err error) {
	for range 5 {
		var repo *Repo
		if repo, err = s.desired(ctx, env); err != nil {
			return "", err
		}
		name := filepath.Join(string(s.Name), "manifests.yaml")
		text, readErr := readFile(filepath.Join(repo.dir, name))
		if readErr != nil {
			return "", readErr
		}
		if err := repo.Write(name, edit(text)); err != nil {
			return "", err
		}
		if commit, err = repo.Push(ctx, "by hand"); err == nil {
			return commit, nil
		}
	}
	return "", err
}
