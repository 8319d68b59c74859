// Package charts brings the charts that a chart depends on from OCI registries: those that
// Chart.lock names and nobody has committed.
//
// Start at Complete. It asks for no version that may move, never takes one in place of a
// chart that is committed, and changes nothing in the repository.
package charts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	most    = 32       // charts that one chart may depend on
	maxFile = 1 << 20  // bytes of Chart.yaml and Chart.lock
	scheme  = "oci://" // of a repository in an OCI registry
)

// Dependency is a chart in a registry.
type Dependency struct {
	Name       string `json:"name"`       // "redis"
	Version    string `json:"version"`    // "20.1.5"
	Repository string `json:"repository"` // "oci://registry.example/charts"
}

// String is the chart as people write it: registry.example/charts/redis:20.1.5.
func (d Dependency) String() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.Repository, scheme), "/") + "/" + d.Name + ":" + d.Version
}

// Archive is a packed chart as a registry gave it.
type Archive struct {
	Content []byte
	Digest  release.Digest // of the content
}

// ErrUnfit says that a chart cannot be had, however often it is asked for.
var ErrUnfit = errors.New("the chart cannot be taken")

// Fetch asks a registry for a chart. Any error but ErrUnfit may pass.
type Fetch func(ctx context.Context, d Dependency) (Archive, error)

// Complete gives the files with what the chart in dir lacks, and notes of what that was.
// Whatever is wrong with the chart itself is left for those who render it to say.
func Complete(ctx context.Context, files fs.FS, dir string, fetch Fetch) (fs.FS, []string, error) {
	lacking := missing(files, dir)
	if len(lacking) > most {
		return nil, nil, hint.Add(fmt.Errorf("%w: chart %s lacks %d of them, at most %d are fetched", ErrUnfit, dir, len(lacking), most), "run: helm dependency build "+dir+", and commit charts/")
	}
	var notes []string
	added := map[string][]byte{}
	for _, d := range lacking {
		a, err := fetch(ctx, d)
		if err != nil {
			return nil, nil, fmt.Errorf("fetch %s for chart %s: %w", d, dir, err)
		}
		added[path.Join(dir, "charts", d.Name+"-"+d.Version+".tgz")] = a.Content
		notes = append(notes, fmt.Sprintf("chart %s was fetched: %s", d, a.Digest))
	}
	if len(added) == 0 {
		return files, nil, nil
	}
	return overlay{files, added}, notes, nil
}

// missing lists the charts of OCI registries that are locked and not committed.
func missing(files fs.FS, dir string) (out []Dependency) {
	var chart, lock struct {
		Dependencies []Dependency `json:"dependencies"`
	}
	if read(files, path.Join(dir, "Chart.yaml"), &chart) != nil || read(files, path.Join(dir, "Chart.lock"), &lock) != nil {
		return nil
	}
	locked := map[string]string{}
	for _, d := range lock.Dependencies {
		locked[d.Name] = d.Version
	}
	seen := map[string]bool{}
	for _, d := range chart.Dependencies {
		if d.Version = locked[d.Name]; !strings.HasPrefix(d.Repository, scheme) || !plain(d.Name) || !plain(d.Version) || seen[d.Name] || committed(files, dir, d.Name) {
			continue
		}
		seen[d.Name] = true // it may be wanted twice, under two aliases
		out = append(out, d)
	}
	return out
}

func read(files fs.FS, name string, into any) error {
	info, err := fs.Stat(files, name)
	if err != nil {
		return err
	}
	if info.Size() > maxFile {
		return errors.New("too big")
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(data, into)
}

// plain reports whether a name or a version can stand in a file's name.
func plain(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\\ \t\n")
}

// committed reports whether a chart lies in the charts folder, as a folder or packed, in
// whatever version.
func committed(files fs.FS, dir, name string) bool {
	entries, err := fs.ReadDir(files, path.Join(dir, "charts"))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == name || strings.HasPrefix(e.Name(), name+"-") && strings.HasSuffix(e.Name(), ".tgz") {
			return true
		}
	}
	return false
}
