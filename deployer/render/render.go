// Package render turns a folder of manifests – plain YAML, a kustomization, a Helm chart or
// Jsonnet – into the objects that will be applied.
//
// Start at Renderer.Render, which remembers and renders in a child process; Render does the
// work in this one. It never reads outside of the given file system, never runs a program
// but its own, never opens a connection and refuses what it cannot bound.
package render

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/deployer/render/helm"
	"github.com/seatrial/seatrial/deployer/render/jsonnet"
	"github.com/seatrial/seatrial/deployer/render/kustomize"
	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
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

func (l Limits) source() source.Limits { return source.Limits{Files: l.Files, Bytes: l.Bytes} }

// Options say what to render, for whom.
type Options struct {
	Path      string            // of the manifests below the file system's root
	Env       release.Env       // <Path>/<Env> or <Path>/overlays/<Env> is preferred where it exists
	Service   release.Service   // "shop/web"; an image of that name is replaced by Image
	Image     string            // repository@digest; empty: no image is replaced, all have to be by digest
	Namespace string            // for objects that name none
	Params    map[string]string // of the environment, by name
	Limits    Limits
	Charts    charts.Fetch `json:"-"` // nil: every chart that a chart depends on has to be committed

	KubeVersion string   // for Helm, "v1.36.4"; default: the library's
	APIVersions []string // for Helm, beyond the built-in ones
}

// The renderers.
const (
	Plain     = "plain"
	Kustomize = "kustomize"
	Helm      = "helm"
	Jsonnet   = "jsonnet"
)

// Rendered is what came out.
type Rendered struct {
	Kind    string // Plain, Kustomize, Helm or Jsonnet
	Path    string // the folder that was rendered
	YAML    []byte // canonical: sorted objects with sorted keys
	Digest  release.Digest
	Objects []*unstructured.Unstructured // as in YAML
	Images  []string                     // all, sorted
	Notes   []string                     // what people should know, such as hooks that never run
	Cached  bool                         // the same files were rendered before

	Variants []Variant // for some clusters; see With
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
	tree := source.New(root, o.Limits.source())
	at, err := locate(tree, o)
	if err != nil {
		return Rendered{}, err
	}
	m, err := guarded(ctx, at, func() (made, error) { return documents(ctx, tree, at, o) })
	if err != nil {
		return Rendered{}, err
	}
	return finish(at, m, o)
}

// Parse reads content as Render writes it, or as a person wrote it by hand onto a
// desired-state branch: every image by digest.
func Parse(name string, content []byte, o Options) (Rendered, error) {
	o.Limits, o.Image = o.Limits.orDefault(), ""
	if int64(len(content)) > o.Limits.Bytes {
		return Rendered{}, source.TooBig(name, o.Limits.source())
	}
	docs, err := manifest.Split(name, content, o.Limits.Objects)
	if err != nil {
		return Rendered{}, err
	}
	return finish(place{Plain, name}, made{docs: docs}, o)
}

// place is a folder and how it is rendered.
type place struct{ Kind, Path string }

// made are objects as a renderer makes them: not yet checked, images not yet by digest.
type made struct {
	docs  []manifest.Document
	notes []string
}

func documents(ctx context.Context, files source.Files, at place, o Options) (m made, err error) {
	switch at.Kind {
	case Helm:
		m.docs, m.notes, err = helm.Render(ctx, files, at.Path, helm.Ask{Name: o.Service.Name(), Namespace: o.Namespace, Env: string(o.Env), Params: o.values(),
			KubeVersion: o.KubeVersion, APIVersions: o.APIVersions, Objects: o.Limits.Objects, Bytes: o.Limits.Bytes})
	case Jsonnet:
		m.docs, err = jsonnet.Evaluate(files, at.Path, jsonnet.Ask{Params: o.params(), Objects: o.Limits.Objects, Bytes: o.Limits.Bytes})
	case Kustomize:
		if m.docs, err = kustomize.Build(files, at.Path, o.Limits.Objects); err == nil {
			err = substitute(m.docs, o)
		}
	default:
		if m.docs, err = plain(files, at.Path, o); err == nil {
			err = substitute(m.docs, o)
		}
	}
	return m, err
}

// plain reads every YAML and JSON file below a folder. The folders of other environments
// beside it are not below it; overlays without a choice would be an accident.
func plain(files source.Files, dir string, o Options) ([]manifest.Document, error) {
	var docs []manifest.Document
	err := source.Walk(files, dir, other, func(name string) error {
		data, err := files.Read(name)
		if err != nil {
			return err
		}
		more, err := manifest.Split(name, data, o.Limits.Objects-len(docs))
		docs = append(docs, more...)
		return err
	})
	if err == nil && len(docs) == 0 {
		err = hint.Add(fmt.Errorf("folder %s holds no manifest", dir), "commit the manifests as .yaml files, or correct spec.deploy.manifests")
	}
	return docs, err
}

// other reports whether an entry is neither a folder nor a file of manifests.
func other(name string, e source.Entry) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return false
	}
	return !e.Dir
}

func finish(at place, m made, o Options) (Rendered, error) {
	out := Rendered{Kind: at.Kind, Path: at.Path, Notes: m.notes}
	objs, err := check(m.docs, o)
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
func guarded(ctx context.Context, at place, do func() (made, error)) (made, error) {
	type answer struct {
		made
		err error
	}
	got := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: gaveUp(at, p)}
			}
			got <- a
		}()
		a.made, a.err = do()
	}()
	select {
	case a := <-got:
		return a.made, a.err
	case <-ctx.Done():
		return made{}, hint.Add(fmt.Errorf("render %s: %w", at.Path, ctx.Err()), endless)
	}
}

const endless = "look for an endless loop, or a range over too much, in the templates"

func gaveUp(at place, p any) error {
	return hint.Add(fmt.Errorf("render %s: the %s library gave up: %.200v", at.Path, at.Kind, p), "simplify the folder until it renders")
}

// locate finds the folder to render and how.
func locate(files source.Files, o Options) (place, error) {
	base := path.Clean(o.Path)
	if o.Path == "" {
		base = "."
	}
	if !fs.ValidPath(base) {
		return place{}, hint.Add(fmt.Errorf("manifests path %q is not a folder of the repository", o.Path), "write it relative to the repository's root, as deploy/")
	}
	if found, err := source.IsFolder(files, base); err != nil {
		return place{}, err
	} else if !found {
		return place{}, hint.Add(fmt.Errorf("manifests folder %s is not in the repository", base), "correct spec.deploy.manifests in .seatrial.yaml, or commit the folder")
	}
	if chart, err := source.IsFile(files, path.Join(base, "Chart.yaml")); chart || err != nil {
		return place{Helm, base}, err
	}
	for _, sub := range []string{path.Join(base, string(o.Env)), path.Join(base, "overlays", string(o.Env))} {
		found, err := source.IsFolder(files, sub)
		if err != nil {
			return place{}, err
		}
		if o.Env != "" && found {
			base = sub
			break
		}
	}
	kind, err := kindOf(files, base)
	return place{kind, base}, err
}

func kindOf(files source.Files, dir string) (string, error) {
	if chart, err := source.IsFile(files, path.Join(dir, "Chart.yaml")); chart || err != nil {
		return Helm, err
	}
	if name, err := kustomize.In(files, dir); name != "" || err != nil {
		return Kustomize, err
	}
	if main, err := source.IsFile(files, path.Join(dir, jsonnet.Main)); main || err != nil {
		return Jsonnet, err
	}
	return Plain, nil
}

// values are the params as Helm has them: what the platform says of itself is global, so
// that charts below the chart see it, and a strict schema lets it pass.
func (o Options) values() map[string]string {
	values := map[string]string{}
	for name, value := range o.params() {
		if strings.HasPrefix(name, own) {
			name = "global." + name
		}
		values[name] = value
	}
	return values
}
