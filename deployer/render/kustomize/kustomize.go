// Package kustomize builds a kustomization in a copy of its folders in memory.
//
// Start at Build. The library would run git for a remote base and download what looks like
// a URL, and nothing in it forbids that: so every reference is followed beforehand, and has
// to be a file or a folder of the tree. The package never fetches anything.
package kustomize

import (
	"fmt"
	"path"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/internal/hint"
)

var names = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// In is the kustomization of a folder, empty when it has none.
func In(files source.Files, dir string) (string, error) {
	for _, f := range names {
		name := path.Join(dir, f)
		if found, err := source.IsFile(files, name); found || err != nil {
			return name, err
		}
	}
	return "", nil
}

// Build makes the objects of the kustomization in dir, at most limit.
func Build(files source.Files, dir string, limit int) ([]manifest.Document, error) {
	mem := filesys.MakeFsInMemory()
	c := &copier{files: files, mem: mem, done: map[string]bool{}, limit: limit}
	if err := c.folder(dir); err != nil {
		return nil, err
	}
	opts := krusty.MakeDefaultOptions() // files below the root only, no plug-ins
	built, err := krusty.MakeKustomizer(opts).Run(mem, "/"+dir)
	if err != nil {
		return nil, explain(dir, err)
	}
	if built.Size() > limit {
		return nil, manifest.TooMany(dir, limit)
	}
	data, err := built.AsYaml()
	if err != nil {
		return nil, explain(dir, err)
	}
	return manifest.Split(dir, data, limit)
}

func explain(dir string, err error) error {
	return hint.Add(fmt.Errorf("render %s with kustomize: %s", dir, manifest.OneLine(err)), "`kustomize build "+dir+"` shows the same")
}
