package transfer

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/tonistiigi/fsutil"

	"github.com/seatrial/seatrial/internal/hint"
)

// Measure adds up how much would be sent, over all trees of a build.
type Measure struct {
	MaxBytes int64
	MaxFiles int

	size  int64
	files int
	below map[string]int64 // bytes, by the first part of the path
}

// Add measures one more tree without what is ignored. What a person has to change comes with
// a hint.
func (m *Measure) Add(ctx context.Context, tree fsutil.FS, ignored []string) error {
	filtered, err := fsutil.NewFilterFS(tree, &fsutil.FilterOpt{ExcludePatterns: ignored})
	if err != nil {
		return hint.Add(fmt.Errorf(".dockerignore: %w", err), "correct the pattern")
	}
	return filtered.Walk(ctx, "", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return m.count(path, info)
	})
}

func (m *Measure) count(path string, info fs.FileInfo) error {
	const trim = "list what the build does not need in .dockerignore"
	if m.below == nil {
		m.below = map[string]int64{}
	}
	m.files++
	if info.Mode().IsRegular() {
		first, _, _ := strings.Cut(path, "/")
		m.size += info.Size()
		m.below[first] += info.Size()
	}
	switch {
	case m.size > m.MaxBytes:
		return hint.Add(fmt.Errorf("the build context is over %d MiB: %s", m.MaxBytes>>20, m.largest()), trim)
	case m.files > m.MaxFiles:
		return hint.Add(fmt.Errorf("the build context has over %d files", m.MaxFiles), trim)
	}
	return nil
}

// largest is what has most of it so far.
func (m *Measure) largest() string {
	name := slices.MaxFunc(slices.Sorted(maps.Keys(m.below)), func(a, b string) int { return cmp.Compare(m.below[a], m.below[b]) })
	return fmt.Sprintf("%s has %d MiB of it", name, m.below[name]>>20)
}
