// Package pack puts loose objects and packs of a git repository together into one pack.
//
// Start at Pile.Merge. It holds no object in memory but the one it is at: what is packed
// is copied as it is, what is loose is packed whole. It never deletes or changes a file
// that is there, never makes up or leaves out an object, and shows the new pack only when it
// is on disk as a whole.
package pack

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Pile is what lies in a repository's objects folder.
type Pile struct {
	dir   string
	loose []file
	packs []file // the smallest first
}

type file struct {
	path string
	size int64
}

// Look lists the loose objects and packs below a bare repository.
func Look(repo string) (Pile, error) {
	p := Pile{dir: filepath.Join(repo, "objects", "pack")}
	var err error
	if p.loose, err = list(filepath.Join(repo, "objects", "[0-9a-f][0-9a-f]", strings.Repeat("[0-9a-f]", 38))); err != nil {
		return p, err
	}
	if p.packs, err = list(filepath.Join(p.dir, "pack-*.pack")); err != nil {
		return p, err
	}
	slices.SortFunc(p.packs, func(a, b file) int { return cmp.Compare(a.size, b.size) })
	return p, nil
}

func list(pattern string) ([]file, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	files := make([]file, 0, len(paths))
	for _, path := range paths {
		info, err := os.Stat(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{path, info.Size()})
	}
	return files, nil
}

// Loose is how many loose objects there are.
func (p Pile) Loose() int { return len(p.loose) }

// Packs is how many packs there are.
func (p Pile) Packs() int { return len(p.packs) }

// chosen are the smallest packs, up to the first that is larger than twice what goes before
// it: so few are left, and a large one is copied only when as much has come to it.
func (p Pile) chosen() []file {
	var sum int64
	for _, f := range p.loose {
		sum += f.size
	}
	for i, f := range p.packs {
		if i+len(p.loose) > 0 && f.size > 2*sum {
			return p.packs[:i]
		}
		sum += f.size
	}
	return p.packs
}

// Merge writes one pack with all loose objects and all that is in the smaller packs. The
// answer are the files that are of no more use; whoever deletes them in this order never
// leaves a pack without its index.
func (p Pile) Merge(ctx context.Context) (spare []string, err error) {
	packs := p.chosen()
	if len(p.loose)+len(packs) < 2 {
		return nil, nil
	}
	sources, err := openAll(packs)
	if err != nil {
		return nil, err
	}
	made, err := write(ctx, p.dir, sources, p.loose)
	if err != nil {
		return nil, fmt.Errorf("put %d loose objects and %d packs together: %w", len(p.loose), len(packs), err)
	}
	for _, f := range p.loose {
		spare = append(spare, f.path)
	}
	for _, f := range packs {
		if f.path != made {
			spare = append(spare, f.path, indexOf(f.path))
		}
	}
	return spare, nil
}

func indexOf(pack string) string { return strings.TrimSuffix(pack, ".pack") + ".idx" }

// Clean deletes what a killed program has left half-written. Nobody may write meanwhile.
func Clean(repo string) error {
	dir := filepath.Join(repo, "objects", "pack")
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		half := strings.HasPrefix(e.Name(), "tmp_")
		if base, ok := strings.CutSuffix(e.Name(), ".idx"); ok { // it is written before its pack
			_, err := os.Stat(filepath.Join(dir, base+".pack"))
			half = half || os.IsNotExist(err)
		}
		if half {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// Remove deletes files of a Merge; what has gone already is no error.
func Remove(files []string) error {
	for _, f := range files {
		if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
