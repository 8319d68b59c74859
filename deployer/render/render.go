// Package render turns a folder of manifests – plain YAML, a kustomization or a Helm
// chart – into the objects that will be applied.
//
// Start at Render. It never reads outside of the given file system, never runs a program,
// never opens a connection and refuses what it cannot bound.
package render

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Limits bound one rendering; zero fields mean the defaults.
type Limits struct {
	Objects int           // default 2000
	Bytes   int64         // of input and of output; default 8 MiB
	Files   int           // read; default 2000
	Time    time.Duration // default 30s
}

func (l Limits) orDefault() Limits {
	if l.Objects == 0 {
		l.Objects = 2000
	}
	if l.Bytes == 0 {
		l.Bytes = 8 << 20
	}
	if l.Files == 0 {
		l.Files = 2000
	}
	if l.Time == 0 {
		l.Time = 30 * time.Second
	}
	return l
}

// Options say what to render, for whom.
type Options struct {
	Path      string          // of the manifests below the file system's root
	Env       release.Env     // <Path>/<Env> or <Path>/overlays/<Env> is preferred where it exists
	Service   release.Service // "shop/web"; an image of that name is replaced by Image
	Image     string          // repository@digest; empty: no image is replaced, all have to be by digest
	Namespace string          // for objects that name none
	Limits    Limits

	KubeVersion string   // for Helm, "v1.36.4"; default: the library's
	APIVersions []string // for Helm, beyond the built-in ones
}

// The renderers.
const (
	Plain     = "plain"
	Kustomize = "kustomize"
	Helm      = "helm"
)

// Rendered is what came out.
type Rendered struct {
	Kind    string // Plain, Kustomize or Helm
	Path    string // the folder that was rendered
	YAML    []byte // canonical: sorted objects with sorted keys
	Digest  release.Digest
	Objects []*unstructured.Unstructured // as in YAML
	Images  []string                     // all, sorted
}

// Scope says whether a kind lives in namespaces; known is false when the cluster cannot
// tell, or was not asked.
type Scope func(schema.GroupVersionKind) (namespaced, known bool)

// Render makes the objects of one service for one environment. Every error names the
// file or the object and carries the next step.
func Render(ctx context.Context, root fs.FS, o Options) (Rendered, error) {
	o.Limits = o.Limits.orDefault()
	ctx, cancel := context.WithTimeout(ctx, o.Limits.Time)
	defer cancel()
	out := Rendered{}
	var err error
	if out.Kind, out.Path, err = locate(root, o); err != nil {
		return Rendered{}, err
	}
	src := &source{root: root, limits: o.Limits}
	var docs []document
	switch out.Kind {
	case Kustomize:
		docs, err = guarded(ctx, out, func() ([]document, error) { return kustomize(src, out.Path, o) })
	case Helm:
		docs, err = guarded(ctx, out, func() ([]document, error) { return helm(ctx, src, out.Path, o) })
	default:
		docs, err = plain(src, out.Path, o)
	}
	if err != nil {
		return Rendered{}, err
	}
	return finish(out, docs, o)
}

// Parse reads content as Render writes it, or as a person wrote it by hand onto a
// desired-state branch: every image by digest.
func Parse(name string, content []byte, o Options) (Rendered, error) {
	o.Limits, o.Image = o.Limits.orDefault(), ""
	if int64(len(content)) > o.Limits.Bytes {
		return Rendered{}, tooBig(name, o.Limits)
	}
	docs, err := split(name, content, o.Limits.Objects)
	if err != nil {
		return Rendered{}, err
	}
	return finish(Rendered{Kind: Plain, Path: name}, docs, o)
}

func finish(out Rendered, docs []document, o Options) (Rendered, error) {
	objs, err := check(docs, o)
	if err != nil {
		return Rendered{}, err
	}
	if out.Images, err = pin(objs, o); err != nil {
		return Rendered{}, err
	}
	leaveToAutoscaler(objs)
	if out.YAML, err = canonical(objs, o.Limits); err != nil {
		return Rendered{}, err
	}
	sum := sha256.Sum256(out.YAML)
	out.Digest = release.Digest("sha256:" + hex.EncodeToString(sum[:]))
	for _, obj := range objs {
		out.Objects = append(out.Objects, obj.Unstructured)
	}
	return out, nil
}

// guarded runs a library that knows neither deadlines nor panics that are errors.
func guarded(ctx context.Context, at Rendered, do func() ([]document, error)) ([]document, error) {
	type answer struct {
		docs []document
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: hint.Add(fmt.Errorf("render %s: the %s library gave up: %v", at.Path, at.Kind, p), "simplify the folder until it renders")}
			}
			got <- a
		}()
		a.docs, a.err = do()
	}()
	select {
	case a := <-got:
		return a.docs, a.err
	case <-ctx.Done():
		return nil, hint.Add(fmt.Errorf("render %s: %w", at.Path, ctx.Err()), "look for an endless loop in the templates")
	}
}

// locate finds the folder to render and how.
func locate(root fs.FS, o Options) (kind, dir string, err error) {
	base := path.Clean(o.Path)
	if o.Path == "" {
		base = "."
	}
	if !fs.ValidPath(base) {
		return "", "", hint.Add(fmt.Errorf("manifests path %q is not a folder of the repository", o.Path), "write it relative to the repository's root, as deploy/")
	}
	if !isDir(root, base) {
		return "", "", hint.Add(fmt.Errorf("manifests folder %s is not in the repository", base), "correct spec.deploy.manifests in .seatrial.yaml, or commit the folder")
	}
	if isFile(root, path.Join(base, "Chart.yaml")) {
		return Helm, base, nil
	}
	for _, sub := range []string{path.Join(base, string(o.Env)), path.Join(base, "overlays", string(o.Env))} {
		if o.Env != "" && isDir(root, sub) {
			base = sub
			break
		}
	}
	switch {
	case isFile(root, path.Join(base, "Chart.yaml")):
		return Helm, base, nil
	case kustomizationIn(root, base) != "":
		return Kustomize, base, nil
	}
	return Plain, base, nil
}

func isDir(root fs.FS, name string) bool {
	i, err := fs.Stat(root, name)
	return err == nil && i.IsDir()
}

func isFile(root fs.FS, name string) bool {
	i, err := fs.Stat(root, name)
	return err == nil && i.Mode().IsRegular()
}

// source reads files and counts what it has read.
type source struct {
	root   fs.FS
	limits Limits
	files  int
	bytes  int64
}

func (s *source) read(name string) ([]byte, error) {
	info, err := fs.Stat(s.root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.Add(fmt.Errorf("%s is not in the repository", name), "commit the file, or take the reference out")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s.files++
	s.bytes += info.Size()
	if s.files > s.limits.Files || s.bytes > s.limits.Bytes {
		return nil, tooBig(name, s.limits)
	}
	data, err := fs.ReadFile(s.root, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

func tooBig(name string, l Limits) error {
	return hint.Add(fmt.Errorf("%s: the manifests are over the limit of %d bytes in %d files", name, l.Bytes, l.Files), "keep only manifests in the folder")
}

// walk calls fn with every file below dir, in order.
func (s *source) walk(dir string, fn func(name string, data []byte) error) error {
	return fs.WalkDir(s.root, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return hint.Add(fmt.Errorf("%s is not a regular file", name), "replace the link by the file")
		}
		data, err := s.read(name)
		if err != nil {
			return err
		}
		return fn(name, data)
	})
}
