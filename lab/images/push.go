package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// pusher is the half of the distribution protocol that pushing needs.
type pusher struct{ base string }

type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	Platform  *platform `json:"platform,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

// push makes name hold img, and does nothing when it does already.
func (p *pusher) push(ctx context.Context, name string, img Image, layers []blob) error {
	repo, tag, ok := strings.Cut(name, ":")
	if !ok {
		return fmt.Errorf("image name %q has no tag", name)
	}
	configs := map[string][]byte{} // by digest
	var children []manifest
	for _, arch := range img.Platforms {
		m, config, err := render(img, layers, arch)
		if err != nil {
			return err
		}
		configs[m.Config.Digest] = config
		children = append(children, m)
	}
	top, manifests, err := assemble(children, img.Platforms)
	if err != nil {
		return err
	}
	if p.has(ctx, repo+"/manifests/"+tag, digestOf(top.body)) {
		return nil
	}
	for d, c := range configs {
		if err := p.blob(ctx, repo, d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }, int64(len(c))); err != nil {
			return err
		}
	}
	for _, l := range layers {
		if err := p.blob(ctx, repo, l.Digest, func() (io.ReadCloser, error) { return os.Open(l.file) }, l.Size); err != nil {
			return err
		}
	}
	for _, m := range manifests {
		if err := p.put(ctx, repo+"/manifests/"+digestOf(m.body), m.kind, bytes.NewReader(m.body), int64(len(m.body))); err != nil {
			return err
		}
	}
	return p.put(ctx, repo+"/manifests/"+tag, top.kind, bytes.NewReader(top.body), int64(len(top.body)))
}

type document struct {
	kind string
	body []byte
}

// render makes the manifest and the configuration for one architecture.
func render(img Image, layers []blob, arch string) (manifest, []byte, error) {
	diffs := []string{}
	m := manifest{SchemaVersion: 2, MediaType: manifestType}
	for _, l := range layers {
		diffs = append(diffs, l.DiffID)
		m.Layers = append(m.Layers, descriptor{MediaType: layerType, Digest: l.Digest, Size: l.Size})
	}
	config, err := json.Marshal(map[string]any{
		"architecture": arch, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": img.Config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	m.Config = &descriptor{MediaType: configType, Digest: digestOf(config), Size: int64(len(config))}
	return m, config, err
}

// assemble returns the top document and the ones below it: one manifest stands
// alone, several stand below an index.
func assemble(children []manifest, archs []string) (top document, below []document, err error) {
	index := manifest{SchemaVersion: 2, MediaType: indexType}
	for i, m := range children {
		b, err := json.Marshal(m)
		if err != nil {
			return top, nil, err
		}
		below = append(below, document{manifestType, b})
		index.Manifests = append(index.Manifests, descriptor{
			MediaType: manifestType, Digest: digestOf(b), Size: int64(len(b)), Platform: &platform{archs[i], "linux"},
		})
	}
	if len(below) == 1 {
		return below[0], nil, nil
	}
	b, err := json.Marshal(index)
	return document{indexType, b}, below, err
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func (p *pusher) has(ctx context.Context, path, want string) bool {
	resp, err := p.do(ctx, http.MethodHead, p.base+path, "", nil, 0)
	return err == nil && resp.StatusCode == http.StatusOK && (want == "" || resp.Header.Get("Docker-Content-Digest") == want)
}

func (p *pusher) blob(ctx context.Context, repo, digest string, open func() (io.ReadCloser, error), size int64) error {
	if p.has(ctx, repo+"/blobs/"+digest, "") {
		return nil
	}
	r, err := open()
	if err != nil {
		return err
	}
	return p.upload(ctx, repo, digest, r, size) // the HTTP client closes r
}

// upload sends a blob in one request, which the registry streams to its disk.
func (p *pusher) upload(ctx context.Context, repo, digest string, r io.Reader, size int64) error {
	target := p.base + repo + "/blobs/uploads/?" + url.Values{"digest": {digest}}.Encode()
	resp, err := p.do(ctx, http.MethodPost, target, "application/octet-stream", r, size)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("push blob %s of %s: %s", digest, repo, resp.Status)
	}
	return nil
}

func (p *pusher) put(ctx context.Context, path, contentType string, body io.Reader, size int64) error {
	resp, err := p.do(ctx, http.MethodPut, p.base+path, contentType, body, size)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("push %s: %s", path, resp.Status)
	}
	return nil
}

// do sends a request and returns the answer without its body, which never matters here.
func (p *pusher) do(ctx context.Context, method, target, contentType string, body io.Reader, size int64) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp, errors.Join(err, resp.Body.Close())
}
