package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/util/staticfs"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/seatrial/seatrial/builder/dockerfile"
	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/builder/transfer"
	"github.com/seatrial/seatrial/internal/hint"
)

const maxDockerfile = 1 << 20

// source is what BuildKit gets to see: the context, and the Dockerfile beside it.
type source struct {
	tree       fs.FS     // of the commit
	when       time.Time // what is sent carries it
	context    fsutil.FS
	named      map[string]fsutil.FS // contexts beside it
	dockerfile fsutil.FS
	ignore     []string   // patterns of what is not sent
	planned    *plan.Plan // when there is no Dockerfile
	syntax     string     // of "# syntax=", when the built-in frontend is to take it
	shown      string     // the Dockerfile's path, for messages
	text       []byte     // of the Dockerfile
}

// openSource reads the Dockerfile, or plans what takes its place, and measures the
// context. Files carry the commit's time, so that what a step makes of them is the same
// each time; for steps that keep something from build to build they are as new as the build.
func openSource(ctx context.Context, tree fs.FS, committed time.Time, p Plan, cfg Config) (*source, error) {
	folder, err := inside(tree, p.Context)
	if err != nil {
		return nil, err
	}
	s := &source{tree: tree, when: committed, shown: "the plan"}
	var raw, ignore []byte
	var name string
	if p.override == nil {
		if raw, name, err = readDockerfile(tree, p); err != nil {
			return nil, err
		}
	}
	if name == "" {
		s.planned, err = detect(folder, p)
	} else {
		ignore, err = s.useDockerfile(raw, name, cfg)
	}
	if err != nil {
		return nil, err
	}
	if ignore == nil {
		if ignore, err = readIgnore(tree, path.Join(p.Context, ".dockerignore")); err != nil {
			return nil, err
		}
	}
	if s.ignore, err = ignorefile.ReadAll(bytes.NewReader(ignore)); err != nil {
		return nil, refuse(inPipeline, ".dockerignore: %v", err)
	}
	s.context = transfer.New(folder, s.when)
	m := &transfer.Measure{MaxBytes: cfg.MaxContext, MaxFiles: cfg.MaxFiles}
	if err := m.Add(ctx, s.context, s.ignore); err != nil {
		return nil, refused(err)
	}
	return s, errors.Join(s.declared(p), s.openContexts(ctx, p, m))
}

// useDockerfile makes ready what the frontend reads, and gives the Dockerfile's own ignore
// file; nil when it has none.
func (s *source) useDockerfile(raw []byte, name string, cfg Config) (ignore []byte, err error) {
	s.shown, s.text = name, raw
	if s.syntax, err = dockerfile.Syntax(raw, name, cfg.Frontends); err != nil {
		return nil, refused(err)
	}
	if dockerfile.Keeps(raw) {
		s.when = time.Now()
	}
	files := staticfs.NewFS()
	files.Add("Dockerfile", &types.Stat{Mode: 0o644}, raw)
	if ignore, err = readIgnore(s.tree, name+".dockerignore"); ignore != nil {
		files.Add("Dockerfile.dockerignore", &types.Stat{Mode: 0o644}, ignore)
	}
	s.dockerfile = files
	return ignore, err
}

// detect plans the build of a context that has no Dockerfile.
func detect(folder fs.FS, p Plan) (*plan.Plan, error) {
	if len(p.Contexts) > 0 {
		return nil, refuse("take spec.build.contexts out, or write a Dockerfile", "a planned build has one context only")
	}
	ask := plan.Ask{Name: p.Service.Name(), Args: slices.Collect(maps.Keys(p.Args)), Secrets: p.Secrets}
	lead := "there is no Dockerfile, and no plan either"
	if p.override != nil {
		ask.BuildPlan, lead = *p.override, "plan the build"
	}
	made, err := plan.Detect(folder, ask)
	if err != nil {
		return nil, refuse(hint.Of(err), "%s: %v", lead, err)
	}
	if p.Target != "" && p.Target != plan.Final {
		return nil, refuse("take spec.build.target out", "a planned build makes its stage %q, not %q", plan.Final, p.Target)
	}
	for _, c := range p.Checks {
		if len(c.Matrix) > 0 {
			return nil, refuse("take the matrix out, or write a Dockerfile", "check %s: the stages of a plan take no arguments that a matrix could vary", c.Name)
		}
		if _, ok := made.Stage(c.Target); !ok {
			return nil, refuse("choose a stage of the plan; seatrial build plan shows it", "check %s: the plan has no stage %q: there is %s", c.Name, c.Target, strings.Join(made.Names(), ", "))
		}
	}
	return &made, nil
}

// inside is a folder of the tree, which no link leads out of.
func inside(tree fs.FS, name string) (fs.FS, error) {
	folder, err := fs.Sub(tree, path.Clean(name))
	if err != nil {
		return nil, refuse(inPipeline, "build context %q: %v", name, plain(err))
	}
	return folder, nil
}

// plain is the innermost error, for who names the file in his own words.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readDockerfile looks in the context first, then from the top of the repository. Its name
// is empty when there is none, and the pipeline names none either.
func readDockerfile(tree fs.FS, p Plan) ([]byte, string, error) {
	names := slices.Compact([]string{path.Join(p.Context, p.Dockerfile), path.Clean(p.Dockerfile)})
	for _, name := range names {
		raw, err := readSmall(tree, name, maxDockerfile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", refuse(inPipeline, "%s: %v", name, plain(err))
		}
		return raw, name, nil
	}
	if !p.named {
		return nil, "", nil
	}
	return nil, "", refuse("add it, or name another with spec.build.dockerfile in .seatrial.yaml", "there is no %s in the repository", strings.Join(names, " or "))
}

func readIgnore(tree fs.FS, name string) ([]byte, error) {
	raw, err := readSmall(tree, name, maxDockerfile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(inPipeline, "%s: %v", name, plain(err))
	}
	return raw, nil
}

func readSmall(tree fs.FS, name string, limit int64) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		return nil, fmt.Errorf("over %d bytes", limit)
	}
	return raw, err
}

// pinned marks the base images whose digest the Dockerfile or an argument names: they
// cannot become others by themselves.
func (s *source) pinned(bases []base, p Plan) []base {
	for i := range bases {
		named := func(text string) bool { return strings.Contains(text, "@"+string(bases[i].Digest)) }
		bases[i].Pinned = named(string(s.text)) || slices.ContainsFunc(slices.Collect(maps.Values(p.Args)), named)
	}
	return bases
}
