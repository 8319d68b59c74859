package kustomize

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
	"github.com/seatrial/seatrial/internal/hint"
)

// copier brings a kustomization, and those it refers to, into memory.
type copier struct {
	files source.Files
	mem   filesys.FileSystem
	done  map[string]bool

	limit, objects int // the library's time grows with the square of their number
}

// folder copies one folder and follows its kustomization.
func (c *copier) folder(dir string) error {
	if c.done[dir] {
		return nil
	}
	c.done[dir] = true
	name, err := In(c.files, dir)
	if err != nil {
		return err
	}
	if name == "" {
		return hint.Add(fmt.Errorf("%s has no kustomization.yaml", dir), "add one, or refer to the files themselves")
	}
	data, err := c.file(name)
	if err != nil {
		return err
	}
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil {
		return manifest.NotYAML(name, 1, err)
	}
	for _, field := range pluginFields {
		if k[field] != nil {
			if err := c.all(dir); err != nil {
				return err
			}
		}
	}
	return c.follow(dir, name, k)
}

// all copies every file of a folder: a plug-in's configuration may name any of them.
func (c *copier) all(dir string) error {
	return source.Walk(c.files, dir, func(_ string, e source.Entry) bool { return e.Dir }, func(name string) error {
		_, err := c.file(name)
		return err
	})
}

func (c *copier) file(name string) ([]byte, error) {
	if c.done[name] {
		return c.mem.ReadFile("/" + name)
	}
	c.done[name] = true
	data, err := c.files.Read(name)
	if err != nil {
		return nil, err
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json", "":
		if data, err = manifest.Text(name, data); err != nil {
			return nil, err
		}
	}
	return data, c.mem.WriteFile("/"+name, data)
}

// The fields of a kustomization that name files or folders. Fields with inline content as
// well are checked only where they name something.
var (
	folderFields = []string{"resources", "bases", "components"}
	fileFields   = []string{"crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"}
	pluginFields = []string{"generators", "transformers", "validators"}
	patchFields  = []string{"patches", "patchesJson6902", "replacements"}
	mapFields    = []string{"configMapGenerator", "secretGenerator"}
)

// follow visits everything that a kustomization refers to.
func (c *copier) follow(dir, file string, k map[string]any) error {
	for _, f := range []string{"helmCharts", "helmChartInflationGenerator"} {
		if k[f] != nil {
			return hint.Add(fmt.Errorf("%s: %s would run the helm program", file, f), "point spec.deploy.manifests at the chart itself, or commit its rendered manifests")
		}
	}
	for _, field := range folderFields {
		for _, ref := range list(k[field]) {
			if err := c.ref(dir, file, ref, true); err != nil {
				return err
			}
		}
	}
	refs, err := fileRefs(file, k)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := c.ref(dir, file, ref, false); err != nil {
			return err
		}
	}
	return nil
}

// fileRefs are the files that a kustomization names beside its resources.
func fileRefs(file string, k map[string]any) ([]string, error) {
	var refs []string
	for _, field := range fileFields {
		for _, ref := range list(k[field]) {
			if !strings.Contains(ref, "\n") {
				refs = append(refs, ref)
			} else if remote(ref) {
				return nil, remoteError(file, field)
			}
		}
	}
	for _, field := range patchFields {
		refs = append(refs, under(k[field], "path")...)
	}
	if open, ok := k["openapi"].(map[string]any); ok {
		refs = append(refs, under([]any{open}, "path")...)
	}
	for _, field := range mapFields {
		for _, key := range []string{"files", "envs", "env"} {
			for _, ref := range under(k[field], key) {
				if _, name, named := strings.Cut(ref, "="); named {
					ref = name
				}
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}

// ref brings in one reference: a file, or where that is allowed a folder.
func (c *copier) ref(dir, file, ref string, folders bool) error {
	if !localRef.MatchString(ref) || remote(ref) {
		return remoteError(file, ref)
	}
	at := path.Join(dir, ref)
	if at == ".." || strings.HasPrefix(at, "../") || path.IsAbs(ref) {
		return hint.Add(fmt.Errorf("%s refers to %s, outside of the repository", file, ref), "commit it into the repository")
	}
	switch what, err := c.files.Stat(at); {
	case err != nil:
		return err
	case what == source.File:
		data, err := c.file(at)
		if err != nil {
			return err
		}
		if folders {
			c.objects += 1 + bytes.Count(data, []byte("\n---"))
		}
		if c.objects > c.limit {
			return manifest.TooMany(at, c.limit)
		}
		return c.plugin(at, data, folders)
	case what == source.Folder:
		return c.refFolder(at, file, ref)
	}
	return hint.Add(fmt.Errorf("%s refers to %s, which is not in the repository", file, ref), "commit it into the repository: nothing is fetched while rendering")
}

func (c *copier) refFolder(at, file, ref string) error {
	name, err := In(c.files, at)
	if err == nil && name == "" {
		err = hint.Add(fmt.Errorf("%s refers to folder %s, which has no kustomization.yaml", file, ref), "add one there, or refer to the files themselves")
	}
	if err != nil {
		return err
	}
	return c.folder(at)
}

// plugin refuses addresses in the configuration of generators and transformers, which
// may name files, too. What merely is a resource may hold any text.
func (c *copier) plugin(name string, data []byte, resource bool) error {
	if resource {
		return nil
	}
	var m map[string]any
	if yaml.Unmarshal(data, &m) != nil {
		return nil // a patch or a text; kustomize says what is wrong with it
	}
	if v, _ := m["apiVersion"].(string); v == "builtin" && remote(string(data)) {
		return remoteError(name, "a plug-in's configuration")
	}
	return nil
}

var (
	localRef = regexp.MustCompile(`^[A-Za-z0-9._/+ -]+$`)
	far      = regexp.MustCompile(`(?i)(://|^git::|^gh:|^github\.com[/:]|\.git(/|$|\?)|_git/|\?ref=)`)
)

func remote(s string) bool { return far.MatchString(s) }

func remoteError(file, what string) error {
	return hint.Add(fmt.Errorf("%s: %.120q is a remote reference, or could be taken for one", file, what), "commit it into the repository: nothing is fetched while rendering")
}

func list(v any) []string {
	items, _ := v.([]any)
	var out []string
	for _, it := range items {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// under collects a field of each map of a list; the field is a text or a list of texts.
func under(v any, field string) []string {
	items, _ := v.([]any)
	var out []string
	for _, it := range items {
		m, _ := it.(map[string]any)
		switch f := m[field].(type) {
		case string:
			if f != "" {
				out = append(out, f)
			}
		case []any:
			out = append(out, list(f)...)
		}
	}
	return out
}
