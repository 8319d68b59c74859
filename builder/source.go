package builder

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/staticfs"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/internal/hint"
)

const (
	maxDockerfile = 1 << 20
	officialFront = "docker/dockerfile:1" // what buildkitd has built in
)

// source is what BuildKit gets to see: the context, and the Dockerfile beside it.
type source struct {
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
// context. Links that lead out of the tree are not followed.
func openSource(ctx context.Context, dir string, p Plan, cfg Config) (*source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the source tree: %w", err)
	}
	defer root.Close()
	folder, err := inside(root, dir, p.Context)
	if err != nil {
		return nil, err
	}
	s := &source{shown: "the plan"}
	var raw, ignore []byte
	var name string
	if p.override == nil {
		if raw, name, err = readDockerfile(root, p); err != nil {
			return nil, err
		}
	}
	if name == "" {
		s.planned, err = detect(root, p)
	} else {
		ignore, err = s.useDockerfile(root, raw, name, cfg)
	}
	if err != nil {
		return nil, err
	}
	if ignore == nil {
		if ignore, err = readIgnore(root, filepath.Join(p.Context, ".dockerignore")); err != nil {
			return nil, err
		}
	}
	if s.ignore, err = ignorefile.ReadAll(bytes.NewReader(ignore)); err != nil {
		return nil, refuse(inPipeline, ".dockerignore: %v", err)
	}
	if s.context, err = fsutil.NewFS(folder); err != nil {
		return nil, fmt.Errorf("open the build context: %w", err)
	}
	m := &measure{cfg: cfg, below: map[string]int64{}}
	if err := m.add(ctx, s.context, s.ignore); err != nil {
		return nil, err
	}
	return s, errors.Join(s.declared(p), s.openContexts(ctx, root, dir, p, m))
}

// useDockerfile makes ready what the frontend reads, and gives the Dockerfile's own ignore
// file; nil when it has none.
func (s *source) useDockerfile(root *os.Root, raw []byte, name string, cfg Config) (ignore []byte, err error) {
	s.shown, s.text = name, raw
	if s.syntax, err = syntax(raw, name, cfg.Frontends); err != nil {
		return nil, err
	}
	files := staticfs.NewFS()
	files.Add("Dockerfile", &types.Stat{Mode: 0o644}, raw)
	if ignore, err = readIgnore(root, name+".dockerignore"); ignore != nil {
		files.Add("Dockerfile.dockerignore", &types.Stat{Mode: 0o644}, ignore)
	}
	s.dockerfile = files
	return ignore, err
}

// detect plans the build of a context that has no Dockerfile.
func detect(root *os.Root, p Plan) (*plan.Plan, error) {
	sub, err := root.OpenRoot(p.Context)
	if err != nil {
		return nil, refuse(inPipeline, "build context %q: %v", p.Context, plain(err))
	}
	defer sub.Close()
	if len(p.Contexts) > 0 {
		return nil, refuse("take spec.build.contexts out, or write a Dockerfile", "a planned build has one context only")
	}
	ask := plan.Ask{Name: p.Service.Name(), Args: slices.Collect(maps.Keys(p.Args)), Secrets: p.Secrets}
	lead := "there is no Dockerfile, and no plan either"
	if p.override != nil {
		ask.BuildPlan, lead = *p.override, "plan the build"
	}
	made, err := plan.Detect(sub.FS(), ask)
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

// inside is the real folder of the context, proved to lie within the tree.
func inside(root *os.Root, dir, folder string) (string, error) {
	sub, err := root.OpenRoot(folder)
	if err != nil {
		return "", refuse(inPipeline, "build context %q: %v", folder, plain(err))
	}
	sub.Close()
	real, err := filepath.EvalSymlinks(filepath.Join(dir, folder))
	if err != nil {
		return "", fmt.Errorf("build context %q: %w", folder, err)
	}
	return real, nil
}

// plain is the innermost error: paths on the server are nobody's business.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readDockerfile looks in the context first, then from the top of the repository. Its name
// is empty when there is none, and the pipeline names none either.
func readDockerfile(root *os.Root, p Plan) ([]byte, string, error) {
	names := slices.Compact([]string{filepath.Join(p.Context, p.Dockerfile), filepath.Clean(p.Dockerfile)})
	for _, name := range names {
		raw, err := readSmall(root, name, maxDockerfile)
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

func readIgnore(root *os.Root, name string) ([]byte, error) {
	raw, err := readSmall(root, name, maxDockerfile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(inPipeline, "%s: %v", name, plain(err))
	}
	return raw, nil
}

func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
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

// syntax decides about "# syntax=": the official one is what buildkitd has built in, and
// that is used; another program would run unseen with the build's files, so it has to be
// allowed.
func syntax(dockerfile []byte, name string, allowed []string) (builtIn string, err error) {
	ref, cmdline, where, ok := parser.DetectSyntax(dockerfile)
	if !ok {
		return "", nil
	}
	short := strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "index.docker.io/")
	if tag, ok := strings.CutPrefix(short, officialFront); ok && !strings.Contains(tag, "labs") && (tag == "" || tag[0] == '.') {
		return cmdline, nil
	}
	if slices.Contains(allowed, ref) {
		return "", nil
	}
	line := 1
	if len(where) > 0 {
		line = where[0].Start.Line
	}
	return "", refuse("remove the line, or ask an operator to allow this frontend in the server's settings", "%s:%d: # syntax=%s is not allowed", name, line, ref)
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

// measure is how much would be sent.
type measure struct {
	cfg   Config
	size  int64
	files int
	below map[string]int64 // bytes, by the first part of the path
}

// largest is what has most of it so far.
func (m *measure) largest() string {
	name := slices.MaxFunc(slices.Sorted(maps.Keys(m.below)), func(a, b string) int { return cmp.Compare(m.below[a], m.below[b]) })
	return fmt.Sprintf("%s has %d MiB of it", name, m.below[name]>>20)
}

// add walks one more context and refuses what is too large.
func (m *measure) add(ctx context.Context, context fsutil.FS, ignore []string) error {
	filtered, err := fsutil.NewFilterFS(context, &fsutil.FilterOpt{ExcludePatterns: ignore})
	if err != nil {
		return refuse(inPipeline, ".dockerignore: %v", err)
	}
	const trim = "list what the build does not need in .dockerignore"
	err = filtered.Walk(ctx, "", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		m.files++
		if info.Mode().IsRegular() {
			first, _, _ := strings.Cut(path, "/")
			m.size += info.Size()
			m.below[first] += info.Size()
		}
		if m.size > m.cfg.MaxContext {
			return refuse(trim, "the build context is over %d MiB: %s", m.cfg.MaxContext>>20, m.largest())
		}
		if m.files > m.cfg.MaxFiles {
			return refuse(trim, "the build context has over %d files", m.cfg.MaxFiles)
		}
		return nil
	})
	var no *refusal
	if err != nil && !errors.As(err, &no) {
		return fmt.Errorf("walk the build context: %w", err)
	}
	return err
}
