package jsonnet

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/go-jsonnet"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/deployer/render/source"
)

// importer finds imports beside the importing file, then in the libraries.
type importer struct {
	files     source.Files
	libraries []string
	known     map[string]jsonnet.Contents
}

// libraries are lib and vendor of the folder and of each one above it, the nearest first.
func libraries(dir string) (found []string) {
	for {
		found = append(found, path.Join(dir, "lib"), path.Join(dir, "vendor"))
		if dir == "." {
			return found
		}
		dir = path.Dir(dir)
	}
}

// Import reads one file of the tree. Its errors reach people as text only, so that the next
// step is part of it.
func (i *importer) Import(from, wanted string) (jsonnet.Contents, string, error) {
	if path.IsAbs(wanted) || strings.Contains(wanted, "://") || strings.Contains(wanted, "\\") {
		return jsonnet.Contents{}, "", fmt.Errorf("import of %q: only files of the repository can be imported: write a path relative to the file, or to lib/ or vendor/", wanted)
	}
	for _, dir := range append([]string{path.Dir(from)}, i.libraries...) {
		name := path.Join(dir, wanted)
		if name == ".." || strings.HasPrefix(name, "../") {
			if dir == path.Dir(from) {
				return jsonnet.Contents{}, "", fmt.Errorf("import of %q: it is outside of the repository: commit it into vendor/", wanted)
			}
			continue
		}
		if c, known := i.known[name]; known {
			return c, name, nil
		}
		found, err := source.IsFile(i.files, name)
		if err != nil {
			return jsonnet.Contents{}, "", fmt.Errorf("import of %q: %w", wanted, err)
		}
		if found {
			return i.read(name)
		}
	}
	return jsonnet.Contents{}, "", fmt.Errorf("import of %q: no such file beside %s, in lib/ or in vendor/: commit it, with jb install into vendor/", wanted, from)
}

func (i *importer) read(name string) (jsonnet.Contents, string, error) {
	data, err := i.files.Read(name)
	if err != nil {
		return jsonnet.Contents{}, "", err
	}
	switch path.Ext(name) {
	case ".jsonnet", ".libsonnet", ".json", ".yaml", ".yml":
		if data, err = manifest.Text(name, data); err != nil {
			return jsonnet.Contents{}, "", err
		}
	}
	i.known[name] = jsonnet.MakeContentsRaw(data)
	return i.known[name], name, nil
}
