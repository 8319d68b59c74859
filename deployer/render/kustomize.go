package render

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/internal/hint"
)

var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func kustomizationIn(root fs.FS, dir string) string {
	for _, f := range kustomizations {
		if name := path.Join(dir, f); isFile(root, name) {
			return name
		}
	}
	return ""
}

// kustomize builds a kustomization in a copy of its folders in memory. The library would
// run git for a remote base and download what looks like a URL, and nothing in it forbids
// that: so every reference is followed beforehand, and has to be a file or a folder here.
func kustomize(src *source, dir string, o Options) ([]document, error) {
	mem := filesys.MakeFsInMemory()
	c := &copier{src: src, mem: mem, done: map[string]bool{}}
	if err := c.folder(dir); err != nil {
		return nil, err
	}
	opts := krusty.MakeDefaultOptions() // files below the root only, no plug-ins
	built, err := krusty.MakeKustomizer(opts).Run(mem, "/"+dir)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("render %s with kustomize: %s", dir, oneLine(err)), "`kustomize build "+dir+"` shows the same")
	}
	if built.Size() > o.Limits.Objects {
		return nil, hint.Add(fmt.Errorf("%s renders to %d objects, over the limit of %d", dir, built.Size(), o.Limits.Objects), "split the service")
	}
	data, err := built.AsYaml()
	if err != nil {
		return nil, hint.Add(fmt.Errorf("render %s with kustomize: %s", dir, oneLine(err)), "`kustomize build "+dir+"` shows the same")
	}
	if int64(len(data)) > o.Limits.Bytes {
		return nil, tooBig(dir, o.Limits)
	}
	return split(dir, data, o.Limits.Objects)
}

// copier brings a kustomization, and those it refers to, into memory.
type copier struct {
	src  *source
	mem  filesys.FileSystem
	done map[string]bool
}

// folder copies one folder and follows its kustomization.
func (c *copier) folder(dir string) error {
	if c.done[dir] {
		return nil
	}
	c.done[dir] = true
	file := kustomizationIn(c.src.root, dir)
	if file == "" {
		return hint.Add(fmt.Errorf("%s has no kustomization.yaml", dir), "add one, or refer to the files themselves")
	}
	entries, err := fs.ReadDir(c.src.root, dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue // comes when something refers to it
		}
		if err := c.file(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	data, err := c.src.read(file)
	if err != nil {
		return err
	}
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil {
		return notYAML(file, 1, err)
	}
	return c.follow(dir, file, k)
}

func (c *copier) file(name string) error {
	if c.done[name] {
		return nil
	}
	c.done[name] = true
	if !isFile(c.src.root, name) {
		return hint.Add(fmt.Errorf("%s is not a regular file of the repository", name), "commit the file itself, not a link")
	}
	data, err := c.src.read(name)
	if err != nil {
		return err
	}
	return c.mem.WriteFile("/"+name, data)
}

// The fields of a kustomization that name files or folders. Fields with inline content as
// well are checked only where they name something.
var (
	folderFields = []string{"resources", "bases", "components"}
	fileFields   = []string{"crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"}
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
	var refs []string
	for _, field := range fileFields {
		for _, ref := range list(k[field]) {
			if !strings.Contains(ref, "\n") {
				refs = append(refs, ref)
			} else if remote(ref) {
				return remoteError(file, field)
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
	for _, ref := range refs {
		if err := c.ref(dir, file, ref, false); err != nil {
			return err
		}
	}
	return nil
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
	switch {
	case isDir(c.src.root, at) && kustomizationIn(c.src.root, at) != "":
		return c.folder(at)
	case isDir(c.src.root, at) && folders:
		return hint.Add(fmt.Errorf("%s refers to folder %s, which has no kustomization.yaml", file, ref), "add one there, or refer to the files themselves")
	case isFile(c.src.root, at):
		if err := c.file(at); err != nil {
			return err
		}
		return c.plugin(at, folders)
	}
	return hint.Add(fmt.Errorf("%s refers to %s, which is not in the repository", file, ref), "commit it into the repository: nothing is fetched while rendering")
}

// plugin refuses addresses in the configuration of generators and transformers, which
// may name files, too. What merely is a resource may hold any text.
func (c *copier) plugin(name string, resource bool) error {
	if resource {
		return nil
	}
	data, err := c.src.read(name)
	if err != nil {
		return err
	}
	var m map[string]any
	if yaml.Unmarshal(data, &m) != nil {
		return nil
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

func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}
