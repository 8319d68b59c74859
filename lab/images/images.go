// Package images makes the images that the lab itself provides and pushes them
// to its registry: the sandbox of every pod, and base images for builds.
//
// Start at Maker.Ensure. Layers are made once, kept in the lab's cache under a
// digest of their recipe, and pushed when the registry lacks them. The package
// never asks a foreign registry: the files come from Debian's packages and the
// machine's Go.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Maker makes and pushes images.
type Maker struct {
	Cache    string
	Registry string // host:port, plain HTTP
	Sandbox  string // the program of the sandbox image
	Say      func(format string, args ...any)
}

// Image is what one name in the registry should hold.
type Image struct {
	Names     []string // repository:tag
	Layers    []Layer
	Platforms []string // architectures; several make an index
	Config    Config
}

// Config is the part of an image's configuration that matters here.
type Config struct {
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
	User       string   `json:"User,omitempty"`
}

// Layer is a layer by its recipe; Make writes a plain tar.
type Layer struct {
	Name   string
	Recipe string // what decides the content; a change makes a new layer
	Make   func(ctx context.Context, work string, w *tarWriter) error
}

// blob is a layer as it lies in the cache.
type blob struct {
	Digest string `json:"digest"`  // of the compressed file
	DiffID string `json:"diff_id"` // of the tar
	Size   int64  `json:"size"`
	file   string
}

// Ensure pushes the images that the registry does not hold in this form.
func (m *Maker) Ensure(ctx context.Context, images []Image) error {
	p := &pusher{base: "http://" + m.Registry + "/v2/"}
	for _, img := range images {
		if err := m.ensure(ctx, p, img); err != nil {
			return fmt.Errorf("make image %s: %w", img.Names[0], err)
		}
	}
	return nil
}

func (m *Maker) ensure(ctx context.Context, p *pusher, img Image) error {
	var blobs []blob
	for _, l := range img.Layers {
		b, err := m.layer(ctx, l)
		if err != nil {
			return fmt.Errorf("layer %s: %w", l.Name, err)
		}
		blobs = append(blobs, b)
	}
	for _, name := range img.Names {
		if err := p.push(ctx, name, img, blobs); err != nil {
			return err
		}
	}
	return nil
}

// layer returns a layer from the cache, made now if need be.
func (m *Maker) layer(ctx context.Context, l Layer) (blob, error) {
	sum := sha256.Sum256([]byte(l.Name + "\n" + l.Recipe))
	dir := filepath.Join(m.Cache, "layer-"+l.Name+"-"+hex.EncodeToString(sum[:8]))
	b, err := readBlob(dir)
	if err == nil {
		return b, nil
	}
	start := time.Now()
	m.Say("make base layer %s", l.Name)
	if err := os.MkdirAll(m.Cache, 0o755); err != nil {
		return blob{}, err
	}
	tmp, err := os.MkdirTemp(m.Cache, ".building-layer-")
	if err != nil {
		return blob{}, err
	}
	defer os.RemoveAll(tmp)
	if err := writeLayer(ctx, tmp, l); err != nil {
		return blob{}, err
	}
	if err := os.RemoveAll(filepath.Join(tmp, "work")); err != nil {
		return blob{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return blob{}, err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return blob{}, err
	}
	m.Say("make base layer %s: done in %s", l.Name, time.Since(start).Round(time.Second))
	return readBlob(dir)
}

func readBlob(dir string) (blob, error) {
	text, err := os.ReadFile(filepath.Join(dir, "blob.json"))
	if err != nil {
		return blob{}, err
	}
	b := blob{file: filepath.Join(dir, "layer.tar.gz")}
	err = json.Unmarshal(text, &b)
	return b, err
}
